#include "framework/observe/profile.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

#include <absl/container/flat_hash_map.h>
#include <absl/strings/str_cat.h>

#include "framework/observe/schema.h"

namespace qatlas::observe {
namespace {

constexpr size_t kFewLevels = 12;
constexpr size_t kCommon = 5;

std::vector<std::pair<std::string, size_t>> MostCommon(
    std::vector<std::pair<std::string, size_t>> counts) {
  std::stable_sort(counts.begin(), counts.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  if (counts.size() > kCommon) counts.resize(kCommon);
  return counts;
}

void ProfileNumbers(const std::vector<double>& values, ColumnProfile* column) {
  absl::flat_hash_map<uint64_t, size_t> seen;
  for (double value : values) {
    if (std::isnan(value)) {
      ++column->missing;
      continue;
    }
    ++column->count;
    if (!(value >= column->minimum)) column->minimum = value;
    if (!(value <= column->maximum)) column->maximum = value;
    const uint64_t bits = std::bit_cast<uint64_t>(value + 0.0);
    if (seen.size() < ColumnProfile::kMostLevels) {
      ++seen[bits];
    } else if (const auto found = seen.find(bits); found != seen.end()) {
      ++found->second;
    }
  }
  column->levels = seen.size();
  if (column->minimum > 0 && std::isfinite(column->maximum)) {
    column->decades = std::log10(column->maximum / column->minimum);
  }
  if (seen.size() > kFewLevels) return;
  std::map<double, size_t> sorted;
  for (const auto& [bits, count] : seen) sorted[std::bit_cast<double>(bits)] = count;
  std::vector<std::pair<std::string, size_t>> counts;
  for (const auto& [value, count] : sorted) counts.emplace_back(ShowNumber(value), count);
  column->common = MostCommon(std::move(counts));
}

void ProfileTexts(const TextColumn& texts, ColumnProfile* column) {
  std::vector<size_t> count(texts.words().size());
  for (uint32_t code : texts.codes()) ++count[code];
  std::vector<std::pair<std::string, size_t>> counts;
  for (size_t code = 0; code < count.size(); ++code) {
    if (count[code] == 0) continue;
    if (texts.words()[code].empty()) {
      column->missing = count[code];
      continue;
    }
    column->count += count[code];
    ++column->levels;
    if (counts.size() < 4 * kFewLevels) counts.emplace_back(texts.words()[code], count[code]);
  }
  if (column->levels <= 4 * kFewLevels) column->common = MostCommon(std::move(counts));
}

ColumnProfile ProfileColumn(const Table& table, const std::string& name) {
  ColumnProfile column;
  column.name = name;
  if (const StandardColumn* standard = FindStandardColumn(name)) {
    column.standard = true;
    column.unit = standard->unit;
  }
  if (const std::vector<double>* numbers = table.FindNumbers(name)) {
    ProfileNumbers(*numbers, &column);
  } else {
    column.kind = ColumnKind::kText;
    ProfileTexts(*table.FindTexts(name), &column);
  }
  return column;
}

enum class RowKind { kFullPrecision, kQuantized, kOther };

// By scheme or part, else by the bits; all are other where the table has none of them.
std::vector<RowKind> Kinds(const Table& table) {
  std::vector<RowKind> kinds(table.rows(), RowKind::kOther);
  const TextColumn* schemes = table.FindTexts("scheme");
  const TextColumn* parts = table.FindTexts("part");
  const std::vector<double>* weights = table.FindNumbers("weight_bits");
  const std::vector<double>* inputs = table.FindNumbers("input_bits");
  if (schemes == nullptr && parts == nullptr && weights == nullptr && inputs == nullptr) {
    return kinds;
  }
  const auto whole = [](const std::vector<double>* bits, size_t row) {
    return bits == nullptr || std::isnan((*bits)[row]) || (*bits)[row] >= 16;
  };
  for (size_t row = 0; row < table.rows(); ++row) {
    bool full;
    if (schemes != nullptr) {
      full = (*schemes)[row].empty() || (*schemes)[row] == kSchemeFullPrecision;
    } else if (parts != nullptr) {
      full = (*parts)[row] == kPartNone;
    } else {
      full = whole(weights, row) && whole(inputs, row);
    }
    kinds[row] = full ? RowKind::kFullPrecision : RowKind::kQuantized;
  }
  return kinds;
}

}  // namespace

Profile ProfileTable(const Loaded& loaded) {
  const Table& table = loaded.table;
  Profile profile;
  profile.rows = table.rows();
  profile.notes = loaded.notes;
  for (const std::string& name : table.names()) {
    profile.columns.push_back(ProfileColumn(table, name));
  }
  std::vector<size_t> full, quantized, other;
  const std::vector<RowKind> kinds = Kinds(table);
  for (size_t row = 0; row < kinds.size(); ++row) {
    (kinds[row] == RowKind::kFullPrecision ? full
     : kinds[row] == RowKind::kQuantized   ? quantized
                                           : other)
        .push_back(row);
  }
  profile.full_precision = full.size();
  profile.quantized = quantized.size();
  profile.other = other.size();
  const std::pair<const char*, const std::vector<size_t>*> sets[] = {
      {"the full-precision rows", &full}, {"the quantized rows", &quantized}, {"the rows", &other}};
  for (const auto& [who, rows] : sets) {
    if (rows->empty()) continue;
    Collinearity collinearity = MeasureCollinearity(table, *rows, who);
    if (collinearity.verdict != Collinearity::Verdict::kNone) {
      profile.collinearity.emplace_back(who, std::move(collinearity));
    }
    CrossTable cross = CrossCells(table, *rows);
    if (!cross.factors.empty()) profile.cells.emplace_back(who, std::move(cross));
  }
  for (const char* value : {"loss", "delta"}) {
    if (profile.replicates) break;
    auto replicates = FindReplicates(table, value);
    if (!replicates.ok()) continue;
    profile.replicates = *std::move(replicates);
    profile.replicates_of = value;
    auto outliers = ScreenOutliers(table, value);
    if (outliers.ok()) profile.outliers = *std::move(outliers);
  }
  profile.contradictions = LabelContradictions(table);
  profile.paired = loaded.paired;
  profile.matched_by = loaded.matched_by;
  profile.unpaired_count = loaded.unpaired.size();
  for (const Unpaired& one : loaded.unpaired) {
    if (profile.unpaired.size() == Profile::kShown) break;
    profile.unpaired.push_back(one.reason);
  }
  if (const std::vector<double>* delta = table.FindNumbers("delta")) {
    for (double value : *delta) {
      if (!std::isfinite(value)) continue;
      ++profile.pairs;
      if (value <= 0) ++profile.not_positive;
    }
  }
  profile.findings = Findings(table, profile, full, quantized, other);
  return profile;
}

}  // namespace qatlas::observe
