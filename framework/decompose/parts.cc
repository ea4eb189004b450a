#include "framework/decompose/parts.h"

#include <cmath>
#include <cstdio>
#include <map>
#include <tuple>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "framework/observe/problems.h"
#include "framework/observe/schema.h"

namespace qatlas::decompose {
namespace {

using observe::Table;

constexpr double kFullBits = 16;
constexpr absl::string_view kPer = "per-";  // of granularities

struct Bits {
  double weight = kMissing;
  double input = kMissing;
};

// Bits below 16; missing: not quantized or not known.
Bits BitsOf(const Table& table, size_t row) {
  Bits bits{table.NumberAt(row, "weight_bits"), table.NumberAt(row, "input_bits")};
  const std::string label(table.TextAt(row, "precision"));
  int weight = 0, input = 0, read = 0;
  if (std::sscanf(label.c_str(), "W%dA%d%n", &weight, &input, &read) == 2 &&
      static_cast<size_t>(read) == label.size()) {
    if (std::isnan(bits.weight)) bits.weight = weight;
    if (std::isnan(bits.input)) bits.input = input;
  }
  if (bits.weight >= kFullBits) bits.weight = kMissing;
  if (bits.input >= kFullBits) bits.input = kMissing;
  return bits;
}

std::string PartOf(const Table& table, size_t row, const Bits& bits) {
  const std::string part(table.TextAt(row, "part"));
  // All that a scheme quantizes may be one operand: the other has no bits.
  if (part == observe::kPartBoth && std::isnan(bits.weight) != std::isnan(bits.input)) {
    return std::isnan(bits.input) ? observe::kPartWeights : observe::kPartInputs;
  }
  if (!part.empty()) return part;
  if (std::isnan(bits.weight) && std::isnan(bits.input)) return observe::kPartNone;
  if (std::isnan(bits.input)) return observe::kPartWeights;
  if (std::isnan(bits.weight)) return observe::kPartInputs;
  const double fc2 = table.NumberAt(row, "fc2_input_bits");
  return fc2 == 8 && bits.input < 8 ? observe::kPartFc2At8Bits : observe::kPartBoth;
}

// Empty when the part is known and its bits are; else what is wrong. Clears the bits that the
// part does not quantize, whatever the row says of them.
std::string Check(const std::string& part, Bits& bits) {
  bool weights = true, inputs = true;
  if (part == observe::kPartWeights) {
    inputs = false;
    bits.input = kMissing;
  } else if (part == observe::kPartInputs) {
    weights = false;
    bits.weight = kMissing;
  } else if (part != observe::kPartBoth && part != observe::kPartFc2At8Bits &&
             !(absl::StartsWith(part, observe::kPartOnly) && part.size() > 5) &&
             !(absl::StartsWith(part, observe::kPartNot) && part.size() > 4)) {
    return absl::StrCat("part '", part, "' is unknown; it is one of both, weights, inputs, ",
                        "fc2-8bit, only:<role>, not:<role>, none");
  }
  const bool of_roles =
      absl::StartsWith(part, observe::kPartOnly) || absl::StartsWith(part, observe::kPartNot);
  const bool lacks_weight = weights && std::isnan(bits.weight);
  const bool lacks_input = inputs && std::isnan(bits.input);
  if (of_roles ? lacks_weight && lacks_input : lacks_weight || lacks_input) {
    return absl::StrCat("the bits of part '", part,
                        "' are not given; fill weight_bits and input_bits, or precision (W4A4)");
  }
  return "";
}

// Rows of weights or inputs alone labelled as that operand is, so that one part is not two where
// one table names both operands and another only one.
absl::StatusOr<Table> LabelOperands(const Table& table,
                                    absl::Span<const std::string> cell_columns) {
  Table labelled = table;
  for (const std::string& column : cell_columns) {
    if (!IsJoined(column) || table.FindTexts(column) == nullptr) continue;
    std::vector<std::string> labels;
    for (size_t row = 0; row < table.rows(); ++row) {
      const std::string part = PartOf(table, row, BitsOf(table, row));
      const absl::string_view label = table.TextAt(row, column);
      const bool alone = part == observe::kPartWeights || part == observe::kPartInputs;
      labels.push_back(alone ? LabelOfOperand(label, part == observe::kPartWeights)
                             : std::string(label));
    }
    if (absl::Status status = labelled.SetTexts(column, labels); !status.ok()) return status;
  }
  return labelled;
}

// NaN is no key of a map.
double Key(double bits) { return std::isnan(bits) ? -1 : bits; }

void Summarize(PartDelta& delta, const observe::SeedVariance& variance) {
  std::vector<double> values, errors;
  for (const SeedDelta& seed : delta.seeds) {
    values.push_back(seed.delta);
    errors.push_back(seed.se);
  }
  const double n = static_cast<double>(values.size());
  delta.estimate.seeds = static_cast<int>(values.size());
  delta.estimate.value = observe::CompensatedSum(values) / n;
  delta.estimate.evaluation_se = observe::CompensatedSum(errors) / n;
  delta.estimate.training_se = std::sqrt(variance.variance / n);
}

}  // namespace

std::vector<std::string> DefaultCellColumns(const Table& table) {
  std::vector<std::string> columns;
  for (const char* name : {"model", "N", "D", "G", "granularity", "quantizer", "qat_fraction"}) {
    if (table.Has(name)) columns.emplace_back(name);
  }
  return columns;
}

bool IsJoined(const std::string& column) {
  return column == "quantizer" || column == "granularity";
}

std::string LabelOfOperand(absl::string_view label, bool of_weights) {
  const size_t plus = label.find('+');
  if (plus == absl::string_view::npos) return std::string(label);
  if (of_weights) return std::string(label.substr(0, plus));
  const absl::string_view prefix = absl::StartsWith(label, kPer) ? kPer : "";
  label.remove_prefix(plus + 1);
  return absl::StrCat(absl::StartsWith(label, prefix) ? "" : prefix, label);
}

absl::StatusOr<Parts> CollectParts(const Table& table, absl::Span<const std::string> cell_columns) {
  Parts parts;
  parts.cell_columns.assign(cell_columns.begin(), cell_columns.end());
  const absl::StatusOr<absl::Span<const double>> deltas = table.Numbers("delta");
  if (!deltas.ok()) return deltas.status();
  const absl::StatusOr<Table> labelled = LabelOperands(table, cell_columns);
  if (!labelled.ok()) return labelled.status();
  const absl::StatusOr<std::vector<observe::Group>> groups = labelled->GroupBy(cell_columns);
  if (!groups.ok()) return groups.status();
  observe::Problems problems;
  std::map<std::tuple<size_t, std::string, double, double>, size_t> place;
  size_t without = 0;
  std::vector<size_t> group_of(table.rows());
  for (size_t group = 0; group < groups->size(); ++group) {
    for (size_t row : (*groups)[group].rows) group_of[row] = group;
  }
  for (size_t row = 0; row < table.rows(); ++row) {
    Bits bits = BitsOf(table, row);
    const std::string part = PartOf(table, row, bits);
    if (part == observe::kPartNone) continue;
    if (!std::isfinite((*deltas)[row])) {
      ++without;
      continue;
    }
    if (const std::string wrong = Check(part, bits); !wrong.empty()) {
      problems.Add(absl::StrCat(table.Where(row), ": ", wrong));
      continue;
    }
    const auto [found, is_new] = place.try_emplace(
        {group_of[row], part, Key(bits.weight), Key(bits.input)}, parts.deltas.size());
    if (is_new) {
      PartDelta& fresh = parts.deltas.emplace_back();
      fresh.key = (*groups)[group_of[row]].key;
      fresh.part = part;
      fresh.weight_bits = bits.weight;
      fresh.input_bits = bits.input;
    }
    PartDelta& delta = parts.deltas[found->second];
    const double seed = table.NumberAt(row, "seed");
    for (const SeedDelta& other : delta.seeds) {
      // An unknown seed may be any, so that it too could be the same run twice.
      if (other.seed == seed || std::isnan(other.seed) || std::isnan(seed)) {
        problems.Add(absl::StrCat(
            table.Where(other.row), " and ", table.Where(row), ": two rows of one cell, part '",
            part, "' and seed; drop one, or name the column that tells them apart as a cell ",
            "column"));
        break;
      }
    }
    delta.seeds.push_back({seed, (*deltas)[row], table.NumberAt(row, "delta_se"), row});
  }
  if (!problems.empty()) return problems.ToStatus();
  std::vector<std::vector<double>> cells;
  for (const PartDelta& delta : parts.deltas) {
    std::vector<double>& cell = cells.emplace_back();
    for (const SeedDelta& seed : delta.seeds) cell.push_back(seed.delta);
  }
  parts.seed_variance = observe::PooledVariance(cells);
  for (PartDelta& delta : parts.deltas) Summarize(delta, parts.seed_variance);
  if (without > 0) {
    parts.notes.push_back(
        absl::StrCat(without, " quantized rows have no delta and were passed over"));
  }
  if (!parts.seed_variance.known()) {
    parts.notes.push_back(
        absl::StrCat("The training error is unknown: ", parts.seed_variance.reason));
  }
  return parts;
}

}  // namespace qatlas::decompose
