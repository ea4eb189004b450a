#include "framework/decompose/trends.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <absl/strings/str_cat.h>

#include "framework/observe/schema.h"

namespace qatlas::decompose {
namespace {

constexpr const char* kCovariates[] = {"N", "D", "G", "bits"};

// Cell columns that change together with the covariate.
bool MovesWith(const std::string& column, const std::string& covariate) {
  if (column == covariate) return true;
  return (covariate == "N" && (column == "model" || column == "N_total")) ||
         (covariate == "G" && column == "granularity");
}

double LevelOf(const Parts& parts, const PartDelta& delta, const std::string& covariate) {
  if (covariate == "bits") {
    if (std::isnan(delta.weight_bits)) return delta.input_bits;
    if (std::isnan(delta.input_bits)) return delta.weight_bits;
    return delta.weight_bits == delta.input_bits ? delta.weight_bits : kMissing;
  }
  for (size_t i = 0; i < parts.cell_columns.size(); ++i) {
    const double* level = std::get_if<double>(&delta.key[i]);
    if (parts.cell_columns[i] == covariate && level != nullptr) return *level;
  }
  return kMissing;
}

std::vector<std::pair<std::string, observe::Value>> HeldBy(const Parts& parts,
                                                           const PartDelta& delta,
                                                           const std::string& covariate) {
  std::vector<std::pair<std::string, observe::Value>> held;
  for (size_t i = 0; i < parts.cell_columns.size(); ++i) {
    if (!MovesWith(parts.cell_columns[i], covariate)) {
      held.emplace_back(parts.cell_columns[i], delta.key[i]);
    }
  }
  if (covariate != "bits") {
    held.emplace_back("weight_bits", delta.weight_bits);
    held.emplace_back("input_bits", delta.input_bits);
  }
  return held;
}

// One text that is equal when everything held is.
std::string KeyOf(const std::string& part,
                  const std::vector<std::pair<std::string, observe::Value>>& held) {
  std::string key = part;
  for (const auto& [name, value] : held) absl::StrAppend(&key, "\n", observe::ShowValue(value));
  return key;
}

struct Pair {
  const PartDelta* from;
  const PartDelta* to;
  std::vector<double> differences;  // One a common seed.
};

std::vector<double> Differences(const PartDelta& from, const PartDelta& to) {
  std::vector<double> differences;
  for (const SeedDelta& a : from.seeds) {
    for (const SeedDelta& b : to.seeds) {
      if (a.seed == b.seed) differences.push_back(b.delta - a.delta);
    }
  }
  return differences;
}

Verdict Judge(const Estimate& change, double threshold) {
  if (std::isnan(change.training_se)) return Verdict::kErrorUnknown;
  if (std::abs(change.value) <= threshold * change.known_se()) return Verdict::kNotClear;
  return change.value > 0 ? Verdict::kRises : Verdict::kFalls;
}

void Count(const TrendStep& step, std::vector<TrendSummary>& summaries) {
  auto found = std::find_if(summaries.begin(), summaries.end(), [&](const TrendSummary& s) {
    return s.covariate == step.covariate && s.part == step.part;
  });
  if (found == summaries.end()) {
    summaries.push_back({step.covariate, step.part});
    found = summaries.end() - 1;
  }
  switch (step.verdict) {
    case Verdict::kRises:
      ++found->rises;
      break;
    case Verdict::kFalls:
      ++found->falls;
      break;
    case Verdict::kNotClear:
      ++found->not_clear;
      break;
    case Verdict::kErrorUnknown:
      ++found->error_unknown;
      break;
  }
}

void AddSteps(const Parts& parts, const std::string& covariate, double threshold, Trends& trends) {
  // Lines of neighbours, in order of first appearance.
  std::map<std::string, size_t> place;
  std::vector<std::vector<const PartDelta*>> lines;
  for (const PartDelta& delta : parts.deltas) {
    if (std::isnan(LevelOf(parts, delta, covariate))) continue;
    const std::string key = KeyOf(delta.part, HeldBy(parts, delta, covariate));
    const auto [found, is_new] = place.try_emplace(key, lines.size());
    if (is_new) lines.emplace_back();
    lines[found->second].push_back(&delta);
  }
  std::vector<Pair> pairs;
  for (std::vector<const PartDelta*>& line : lines) {
    const auto level = [&](const PartDelta* delta) { return LevelOf(parts, *delta, covariate); };
    std::stable_sort(line.begin(), line.end(),
                     [&](const PartDelta* a, const PartDelta* b) { return level(a) < level(b); });
    for (size_t i = 1; i < line.size();) {
      if (level(line[i - 1]) != level(line[i])) {
        ++i;
        continue;
      }
      trends.notes.push_back(absl::StrCat(
          "trend of ", covariate, ", part '", line[i]->part, "': several cells have ", covariate,
          " ", observe::FormatNumber(level(line[i])), " with all else equal; the first was taken"));
      line.erase(line.begin() + static_cast<ptrdiff_t>(i));
    }
    for (size_t i = 1; i < line.size(); ++i) {
      Pair pair{line[i - 1], line[i], {}};
      // Models of different sizes share no initialization, so that equal seeds pair nothing.
      if (covariate != "N") pair.differences = Differences(*pair.from, *pair.to);
      pairs.push_back(std::move(pair));
    }
  }
  std::vector<std::vector<double>> cells;
  for (const Pair& pair : pairs) cells.push_back(pair.differences);
  const observe::SeedVariance pooled = observe::PooledVariance(cells);
  for (const Pair& pair : pairs) {
    TrendStep step;
    step.covariate = covariate;
    step.part = pair.from->part;
    step.held = HeldBy(parts, *pair.from, covariate);
    step.from = LevelOf(parts, *pair.from, covariate);
    step.to = LevelOf(parts, *pair.to, covariate);
    const Estimate &from = pair.from->estimate, &to = pair.to->estimate;
    step.change.value = to.value - from.value;
    step.change.seeds = std::min(from.seeds, to.seeds);
    step.change.evaluation_se = std::hypot(from.evaluation_se, to.evaluation_se);
    step.change.training_se = std::hypot(from.training_se, to.training_se);
    if (pooled.known() && !pair.differences.empty()) {
      const double n = static_cast<double>(pair.differences.size());
      step.paired = true;
      step.change.value = observe::CompensatedSum(pair.differences) / n;
      step.change.seeds = static_cast<int>(pair.differences.size());
      step.change.training_se = std::sqrt(pooled.variance / n);
    }
    step.verdict = Judge(step.change, threshold);
    Count(step, trends.summaries);
    trends.steps.push_back(std::move(step));
  }
}

}  // namespace

const char* VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kRises:
      return "rises";
    case Verdict::kFalls:
      return "falls";
    case Verdict::kNotClear:
      return "not clear of noise";
    default:
      return "error unknown";
  }
}

Trends FindTrends(const Parts& parts, double threshold) {
  Trends trends;
  for (const char* covariate : kCovariates) AddSteps(parts, covariate, threshold, trends);
  return trends;
}

}  // namespace qatlas::decompose
