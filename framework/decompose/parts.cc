#include "framework/decompose/parts.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "framework/observe/problems.h"
#include "framework/observe/schema.h"

namespace qatlas::decompose {
namespace {

using observe::Table;

constexpr double kFullBits = 16;
constexpr absl::string_view kPer = "per-";  // of granularities
constexpr char kFc2[] = "fc2";              // the role
constexpr char kScheme[] = "scheme";
constexpr const char* kTellingColumns[] = {"options", kScheme};

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

// FC2's input bits as a cell's key has them (kFc2Bits).
double Fc2BitsOf(const Table& table, size_t row, const std::string& part, const Bits& bits) {
  if (!TellsFc2(part) || part == observe::kPartFc2At8Bits) return kMissing;
  const double fc2 = table.NumberAt(row, kFc2Bits);
  return fc2 == bits.input ? kMissing : fc2;
}

// Rows of weights or inputs alone labelled as that operand is, so that one part is not two where
// one table names both operands and another only one; FC2's bits where they say something; telling
// columns in rows of `ambiguous` schemes.
absl::StatusOr<Table> LabelRows(const Table& table, absl::Span<const std::string> cell_columns,
                                const std::set<std::string>& ambiguous) {
  Table labelled = table;
  for (const std::string& column : cell_columns) {
    if (column == kFc2Bits) {
      std::vector<double> numbers;
      for (size_t row = 0; row < table.rows(); ++row) {
        const Bits bits = BitsOf(table, row);
        numbers.push_back(Fc2BitsOf(table, row, PartOf(table, row, bits), bits));
      }
      if (absl::Status status = labelled.SetNumbers(column, numbers); !status.ok()) return status;
      continue;
    }
    if ((!IsJoined(column) && !IsTelling(column)) || table.FindTexts(column) == nullptr) continue;
    std::vector<std::string> labels;
    for (size_t row = 0; row < table.rows(); ++row) {
      std::string label(table.TextAt(row, column));
      const std::string part = PartOf(table, row, BitsOf(table, row));
      const bool alone = part == observe::kPartWeights || part == observe::kPartInputs;
      if (IsTelling(column) && ambiguous.count(std::string(table.TextAt(row, kScheme))) == 0) {
        label.clear();
      } else if (IsJoined(column) && alone) {
        label = LabelOfOperand(label, part == observe::kPartWeights);
      }
      labels.push_back(std::move(label));
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

// The rows of a table as one set of cell columns sorts them.
struct Gathered {
  std::vector<PartDelta> deltas;
  std::vector<std::pair<size_t, size_t>> clashes;  // rows of one cell, part, bits and seed
  observe::Problems problems;
  size_t left_out = 0;  // rows that have one
  size_t without = 0;   // rows without δ
  size_t repeats = 0;   // rows of a run that another row has
};

// Whether two rows of one cell and part are one run under two names.
bool SameRun(const Table& table, const SeedDelta& a, const SeedDelta& b) {
  return a.seed == b.seed && a.delta == b.delta &&
         table.NumberAt(a.row, "loss") == table.NumberAt(b.row, "loss");
}

void AddSeed(const Table& table, const SeedDelta& seed, PartDelta* delta, Gathered* gathered) {
  bool clash = false;
  for (const SeedDelta& other : delta->seeds) {
    if (SameRun(table, other, seed)) {
      ++gathered->repeats;
      return;
    }
    // An unknown seed may be any, so that it too could be the same run twice.
    if (clash || !(other.seed == seed.seed || std::isnan(other.seed) || std::isnan(seed.seed))) {
      continue;
    }
    clash = true;
    gathered->clashes.emplace_back(other.row, seed.row);
    gathered->problems.Add(
        absl::StrCat(table.Where(other.row), " and ", table.Where(seed.row),
                     ": two rows of one cell, part '", delta->part,
                     "' and seed; drop one, or let the column 'scheme' tell them apart: two names "
                     "of [scheme.<name>] in a recipe, --map scheme=COLUMN for a table"));
  }
  delta->seeds.push_back(seed);
}

// Without the deltas that hold a clash: which of the rows counts cannot be said.
void DropClashes(Gathered* gathered) {
  std::set<size_t> rows;
  for (const auto& [a, b] : gathered->clashes) rows.insert({a, b});
  std::vector<PartDelta> kept;
  for (PartDelta& delta : gathered->deltas) {
    bool clash = false;
    for (const SeedDelta& seed : delta.seeds) clash = clash || rows.count(seed.row) > 0;
    if (clash) {
      gathered->left_out += delta.seeds.size();
    } else if (!delta.seeds.empty()) {
      kept.push_back(std::move(delta));
    }
  }
  gathered->deltas = std::move(kept);
}

absl::StatusOr<Gathered> Gather(const Table& table, absl::Span<const std::string> cell_columns,
                                const std::set<std::string>& ambiguous) {
  const absl::StatusOr<absl::Span<const double>> deltas = table.Numbers("delta");
  if (!deltas.ok()) return deltas.status();
  const absl::StatusOr<Table> labelled = LabelRows(table, cell_columns, ambiguous);
  if (!labelled.ok()) return labelled.status();
  const absl::StatusOr<std::vector<observe::Group>> groups = labelled->GroupBy(cell_columns);
  if (!groups.ok()) return groups.status();
  std::vector<size_t> group_of(table.rows());
  for (size_t group = 0; group < groups->size(); ++group) {
    for (size_t row : (*groups)[group].rows) group_of[row] = group;
  }
  Gathered gathered;
  std::map<std::tuple<size_t, std::string, double, double>, size_t> place;
  for (size_t row = 0; row < table.rows(); ++row) {
    Bits bits = BitsOf(table, row);
    const std::string part = PartOf(table, row, bits);
    if (part == observe::kPartNone) continue;
    if (!std::isfinite((*deltas)[row])) {
      ++gathered.without;
      continue;
    }
    if (const std::string wrong = Check(part, bits); !wrong.empty()) {
      gathered.problems.Add(absl::StrCat(table.Where(row), ": ", wrong));
      ++gathered.left_out;
      continue;
    }
    const auto [found, is_new] = place.try_emplace(
        {group_of[row], part, Key(bits.weight), Key(bits.input)}, gathered.deltas.size());
    if (is_new) {
      PartDelta& fresh = gathered.deltas.emplace_back();
      fresh.key = (*groups)[group_of[row]].key;
      fresh.part = part;
      fresh.weight_bits = bits.weight;
      fresh.input_bits = bits.input;
    }
    AddSeed(table,
            {table.NumberAt(row, "seed"), (*deltas)[row], table.NumberAt(row, "delta_se"), row},
            &gathered.deltas[found->second], &gathered);
  }
  DropClashes(&gathered);
  return gathered;
}

void AddNotes(const Gathered& gathered, Parts* parts) {
  if (gathered.without > 0) {
    parts->notes.push_back(
        absl::StrCat(gathered.without, " quantized rows have no delta and were passed over"));
  }
  if (gathered.repeats > 0) {
    parts->notes.push_back(
        absl::StrCat(gathered.repeats,
                     gathered.repeats == 1 ? " row is the same run as another"
                                           : " rows are the same runs as others",
                     " (cell, part, seed, loss and δ are equal); here each run counts once"));
  }
  if (gathered.left_out > 0) {
    const size_t count = gathered.problems.count();
    parts->notes.push_back(
        absl::StrCat(gathered.left_out, gathered.left_out == 1 ? " row was" : " rows were",
                     " left out of the decomposition: ", gathered.problems.shown().front(),
                     count > 1 ? absl::StrCat(" (the first of ", count, " such problems)") : ""));
  }
  if (!parts->seed_variance.known()) {
    parts->notes.push_back(
        absl::StrCat("The training error is unknown: ", parts->seed_variance.reason));
  }
}

absl::StatusOr<Parts> Finish(Gathered gathered, absl::Span<const std::string> cell_columns) {
  if (gathered.deltas.empty() && !gathered.problems.empty()) return gathered.problems.ToStatus();
  Parts parts;
  parts.cell_columns.assign(cell_columns.begin(), cell_columns.end());
  parts.deltas = std::move(gathered.deltas);
  std::vector<std::vector<double>> cells;
  for (const PartDelta& delta : parts.deltas) {
    std::vector<double>& cell = cells.emplace_back();
    for (const SeedDelta& seed : delta.seeds) cell.push_back(seed.delta);
  }
  parts.seed_variance = observe::PooledVariance(cells);
  for (PartDelta& delta : parts.deltas) Summarize(delta, parts.seed_variance);
  AddNotes(gathered, &parts);
  return parts;
}

}  // namespace

std::vector<std::string> DefaultCellColumns(const Table& table) {
  std::vector<std::string> columns;
  for (const char* name : {"model", "N", "D", "G", "granularity", "quantizer", "qat_fraction"}) {
    if (table.Has(name)) columns.emplace_back(name);
  }
  for (size_t row = 0; row < table.rows(); ++row) {
    const Bits bits = BitsOf(table, row);
    const std::string part = PartOf(table, row, bits);
    if (part == observe::kPartNone || std::isnan(Fc2BitsOf(table, row, part, bits))) continue;
    columns.emplace_back(kFc2Bits);
    break;
  }
  return columns;
}

bool TellsFc2(absl::string_view part) {
  if (part == observe::kPartWeights) return false;
  if (absl::StartsWith(part, observe::kPartOnly)) {
    return part == absl::StrCat(observe::kPartOnly, kFc2);
  }
  return part != absl::StrCat(observe::kPartNot, kFc2);
}

bool IsTelling(absl::string_view column) {
  return std::find(std::begin(kTellingColumns), std::end(kTellingColumns), column) !=
         std::end(kTellingColumns);
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
  absl::StatusOr<Gathered> gathered = Gather(table, cell_columns, {});
  if (!gathered.ok()) return gathered.status();
  return Finish(*std::move(gathered), cell_columns);
}

absl::StatusOr<Parts> CollectParts(const Table& table) {
  std::vector<std::string> columns = DefaultCellColumns(table);
  std::set<std::string> ambiguous;
  absl::StatusOr<Gathered> gathered = Gather(table, columns, ambiguous);
  for (const char* column : kTellingColumns) {
    if (!gathered.ok()) break;
    if (table.FindTexts(column) == nullptr) continue;
    bool tells = false;
    for (const auto& [a, b] : gathered->clashes) {
      if (table.TextAt(a, column) == table.TextAt(b, column)) continue;
      tells = true;
      for (size_t row : {a, b}) ambiguous.emplace(table.TextAt(row, kScheme));
    }
    if (!tells) continue;
    columns.emplace_back(column);
    gathered = Gather(table, columns, ambiguous);
  }
  if (!gathered.ok()) return gathered.status();
  return Finish(*std::move(gathered), columns);
}

}  // namespace qatlas::decompose
