#include "framework/observe/design.h"

#include <algorithm>
#include <cmath>

#include <absl/container/flat_hash_map.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

namespace qatlas::observe {
namespace {

constexpr double kSameLevel = 1.02;
constexpr size_t kMostLevels = 64;
constexpr size_t kMostShown = 16;

bool Usable(double value) { return value > 0 && std::isfinite(value); }

std::string Short(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof(buffer), "%.3g", value);
  return buffer;
}

// Where each value belongs among ascending levels.
size_t LevelOf(const std::vector<double>& levels, double value) {
  const auto above = std::upper_bound(levels.begin(), levels.end(), value);
  return static_cast<size_t>(above - levels.begin()) - 1;
}

}  // namespace

std::vector<double> Levels(const Table& table, const std::string& column,
                           absl::Span<const size_t> rows) {
  const std::vector<double>* values = table.FindNumbers(column);
  std::vector<double> levels;
  if (values == nullptr) return levels;
  for (size_t row : rows) {
    if (std::isfinite((*values)[row])) levels.push_back((*values)[row]);
  }
  std::sort(levels.begin(), levels.end());
  std::vector<double> distinct;
  double last = 0;
  for (double value : levels) {
    const bool same =
        !distinct.empty() && (value == last || (last > 0 && value <= last * kSameLevel));
    if (!same) distinct.push_back(value);
    last = value;
  }
  return distinct;
}

Collinearity MeasureCollinearity(const Table& table, absl::Span<const size_t> rows,
                                 const std::string& who) {
  using Verdict = Collinearity::Verdict;
  Collinearity result;
  const std::vector<double>* n = table.FindNumbers("N");
  const std::vector<double>* d = table.FindNumbers("D");
  if (n == nullptr || d == nullptr) return result;
  std::vector<size_t> usable;
  double mean_n = 0, mean_d = 0;
  for (size_t row : rows) {
    if (!Usable((*n)[row]) || !Usable((*d)[row])) continue;
    usable.push_back(row);
    mean_n += std::log((*n)[row]);
    mean_d += std::log((*d)[row]);
    const double ratio = (*d)[row] / (*n)[row];
    result.ratio_low = std::isnan(result.ratio_low) ? ratio : std::min(result.ratio_low, ratio);
    result.ratio_high = std::isnan(result.ratio_high) ? ratio : std::max(result.ratio_high, ratio);
  }
  result.rows = usable.size();
  if (usable.size() < 2) return result;
  result.levels_n = Levels(table, "N", usable).size();
  result.levels_d = Levels(table, "D", usable).size();
  mean_n /= static_cast<double>(usable.size());
  mean_d /= static_cast<double>(usable.size());
  double nn = 0, dd = 0, nd = 0;
  for (size_t row : usable) {
    const double a = std::log((*n)[row]) - mean_n, b = std::log((*d)[row]) - mean_d;
    nn += a * a;
    dd += b * b;
    nd += a * b;
  }
  if (result.levels_n < 2 || result.levels_d < 2) {
    result.verdict = Verdict::kConstant;
    const bool of_n = result.levels_n < 2, of_d = result.levels_d < 2;
    result.sentence = absl::StrCat(who, " have one ",
                                   of_n && of_d ? "N and one D"
                                   : of_n       ? "N"
                                                : "D",
                                   " (", of_n ? absl::StrCat("N ", Short(std::exp(mean_n))) : "",
                                   of_n && of_d ? ", " : "",
                                   of_d ? absl::StrCat("D ", Short(std::exp(mean_d))) : "", "): ",
                                   of_n && of_d ? "no exponent of N or D"
                                   : of_n       ? "no exponent of N"
                                                : "no exponent of D",
                                   " can be fitted from them");
    return result;
  }
  const double r = std::clamp(nd / std::sqrt(nn * dd), -1.0, 1.0);
  result.correlation = r;
  result.condition = std::min(1e8, std::sqrt((1 + std::abs(r)) / std::max(1 - std::abs(r), 1e-16)));
  result.spread = std::sqrt(std::max(0.0, dd - nd * nd / nn) / static_cast<double>(usable.size()));
  const bool constant_ratio = result.ratio_high < 1.25 * result.ratio_low;
  const std::string ratio = absl::StrCat(Short(result.ratio_low), " to ", Short(result.ratio_high));
  const std::string numbers = absl::StrCat("correlation of their logarithms ", Short(r),
                                           ", condition number ", Short(result.condition));
  if (constant_ratio) {
    result.verdict = Verdict::kInseparable;
    result.sentence = absl::StrCat(
        who, " all lie at D ≈ ", Short(std::sqrt(result.ratio_low * result.ratio_high)), "·N (D/N ",
        ratio, "): the exponents of N and D cannot be told apart");
  } else if (result.spread < .1) {
    result.verdict = Verdict::kInseparable;
    result.sentence = absl::StrCat(who, " lie on one line, D ∝ N^", Short(nd / nn), " (", numbers,
                                   "): the exponents of N and D cannot be told apart");
  } else if (std::abs(r) > .95) {
    result.verdict = Verdict::kWeak;
    result.sentence = absl::StrCat(who, " vary N and D nearly together (", numbers,
                                   "): what tells their exponents apart is little");
  } else {
    result.verdict = Verdict::kSeparable;
    result.sentence = absl::StrCat(who, " vary N and D apart (", numbers, "; D/N ", ratio, ")");
  }
  return result;
}

CrossTable CrossCells(const Table& table, absl::Span<const size_t> rows) {
  CrossTable cross;
  std::vector<std::vector<size_t>> codes;  // [factors][rows]
  const auto add_numbers = [&](const std::string& name) {
    const std::vector<double> levels = Levels(table, name, rows);
    if (levels.size() < 2 || levels.size() > kMostLevels) return;
    const std::vector<double>& values = *table.FindNumbers(name);
    std::vector<std::string> shown;
    for (double level : levels) shown.push_back(Short(level));
    bool gaps = false;
    std::vector<size_t> code;
    for (size_t row : rows) {
      const bool known = std::isfinite(values[row]);
      gaps = gaps || !known;
      code.push_back(known ? LevelOf(levels, values[row]) : levels.size());
    }
    if (gaps) shown.push_back("missing");
    cross.factors.push_back(name);
    cross.levels.push_back(std::move(shown));
    codes.push_back(std::move(code));
  };
  add_numbers("N");
  const TextColumn* models = table.FindTexts("model");
  if (!table.Has("N") && models != nullptr && models->words().size() > 1 &&
      models->words().size() <= kMostLevels) {
    cross.factors.push_back("model");
    cross.levels.emplace_back(models->words().begin(), models->words().end());
    std::vector<size_t>& code = codes.emplace_back();
    for (size_t row : rows) code.push_back(models->code(row));
  }
  for (const char* name : {"D", "G", "weight_bits", "input_bits"}) add_numbers(name);
  if (cross.factors.empty()) return cross;

  cross.possible = 1;
  for (const auto& levels : cross.levels) cross.possible *= levels.size();
  absl::flat_hash_map<size_t, size_t> filled;
  for (size_t i = 0; i < rows.size(); ++i) {
    size_t cell = 0;
    for (size_t f = 0; f < codes.size(); ++f) cell = cell * cross.levels[f].size() + codes[f][i];
    ++filled[cell];
  }
  cross.filled = filled.size();
  for (size_t cell = 0; cell < cross.possible && cross.missing.size() < CrossTable::kShown;
       ++cell) {
    if (filled.contains(cell)) continue;
    std::vector<std::string> parts(cross.factors.size());
    size_t rest = cell;
    for (size_t f = codes.size(); f-- > 0;) {
      parts[f] =
          absl::StrCat(cross.factors[f], " ", cross.levels[f][rest % cross.levels[f].size()]);
      rest /= cross.levels[f].size();
    }
    cross.missing.push_back(absl::StrJoin(parts, ", "));
  }
  const bool has_both = cross.factors.size() >= 2 && cross.factors[1] == "D";
  if (has_both && cross.levels[0].size() <= kMostShown && cross.levels[1].size() <= kMostShown) {
    cross.counts.assign(cross.levels[0].size(), std::vector<size_t>(cross.levels[1].size()));
    for (size_t i = 0; i < rows.size(); ++i) ++cross.counts[codes[0][i]][codes[1][i]];
  }
  return cross;
}

}  // namespace qatlas::observe
