#include "framework/decompose/decompose.h"

#include <algorithm>
#include <cmath>

#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>

#include "framework/observe/schema.h"

namespace qatlas::decompose {
namespace {

bool Same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

bool SameKey(const std::vector<observe::Value>& a, const std::vector<observe::Value>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const observe::Value& x, const observe::Value& y) {
                      const double *p = std::get_if<double>(&x), *q = std::get_if<double>(&y);
                      return p != nullptr && q != nullptr ? Same(*p, *q) : x == y;
                    });
}

// Whether a column leaves a part to every cell: FC2's bits where the part does not depend on them,
// and what tells schemes apart where a scheme has no need to be told.
bool LeftOpen(const std::string& column, const PartDelta& delta, const observe::Value& value) {
  if (column == kFc2Bits) return !TellsFc2(delta.part);
  const std::string* text = std::get_if<std::string>(&value);
  return IsTelling(column) && delta.part != observe::kPartBoth && text != nullptr && text->empty();
}

// Whether the delta has the cell's key. Where weights or inputs alone are quantized, columns that
// join the labels of both count for that operand.
bool KeyHolds(const std::vector<std::string>& columns, const std::vector<observe::Value>& cell,
              const PartDelta& delta) {
  const bool weights = std::isnan(delta.input_bits);
  const bool alone = weights || std::isnan(delta.weight_bits);
  for (size_t i = 0; i < columns.size(); ++i) {
    if (LeftOpen(columns[i], delta, delta.key[i])) continue;
    const std::string* label = std::get_if<std::string>(&cell[i]);
    const observe::Value value = alone && label != nullptr && IsJoined(columns[i])
                                     ? observe::Value(LabelOfOperand(*label, weights))
                                     : cell[i];
    if (!SameKey({value}, {delta.key[i]})) return false;
  }
  return true;
}

struct CellKey {
  const std::vector<std::string>* columns;
  const std::vector<observe::Value>* key;
  double weight_bits;
  double input_bits;

  // Weights alone belong to a cell by their own bits and labels, inputs alone by theirs.
  bool Holds(const PartDelta& delta) const {
    return KeyHolds(*columns, *key, delta) &&
           (std::isnan(delta.weight_bits) || delta.weight_bits == weight_bits) &&
           (std::isnan(delta.input_bits) || delta.input_bits == input_bits);
  }
};

std::vector<CellKey> FindCells(const Parts& parts) {
  std::vector<CellKey> cells;
  const auto add = [&](const PartDelta& delta, double weight_bits, double input_bits) {
    const bool known = std::any_of(cells.begin(), cells.end(), [&](const CellKey& cell) {
      return SameKey(*cell.key, delta.key) && Same(cell.weight_bits, weight_bits) &&
             Same(cell.input_bits, input_bits);
    });
    if (!known) cells.push_back({&parts.cell_columns, &delta.key, weight_bits, input_bits});
  };
  const auto open = [&](const PartDelta& delta) {
    for (size_t i = 0; i < parts.cell_columns.size(); ++i) {
      if (LeftOpen(parts.cell_columns[i], delta, delta.key[i])) return true;
    }
    return false;
  };
  for (const PartDelta& delta : parts.deltas) {
    if (!std::isnan(delta.weight_bits) && !std::isnan(delta.input_bits) && !open(delta)) {
      add(delta, delta.weight_bits, delta.input_bits);
    }
  }
  // What no such cell holds: weights or inputs alone together where their bits are equal.
  for (const PartDelta& delta : parts.deltas) {
    if (std::any_of(cells.begin(), cells.end(),
                    [&](const CellKey& cell) { return cell.Holds(delta); })) {
      continue;
    }
    const bool weights = !std::isnan(delta.weight_bits);
    const bool inputs = !std::isnan(delta.input_bits);
    const double bits = weights ? delta.weight_bits : delta.input_bits;
    const bool partner =
        std::any_of(parts.deltas.begin(), parts.deltas.end(), [&](const PartDelta& other) {
          return SameKey(other.key, delta.key) && &other != &delta &&
                 (weights ? std::isnan(other.weight_bits) && other.input_bits == bits
                          : std::isnan(other.input_bits) && other.weight_bits == bits);
        });
    if (weights && inputs) {
      add(delta, delta.weight_bits, delta.input_bits);
    } else {
      add(delta, weights || partner ? bits : kMissing, inputs || partner ? bits : kMissing);
    }
  }
  return cells;
}

RoleShare& RoleNamed(const std::string& role, std::vector<RoleShare>& roles) {
  for (RoleShare& share : roles) {
    if (share.role == role) return share;
  }
  roles.push_back({role, std::nullopt, std::nullopt});
  return roles.back();
}

void AddRoles(const CellKey& key, const Parts& parts, Cell& cell) {
  for (const PartDelta& delta : parts.deltas) {
    absl::string_view role = delta.part;
    if (!key.Holds(delta)) continue;
    if (absl::ConsumePrefix(&role, observe::kPartOnly)) {
      RoleNamed(std::string(role), cell.roles).only = delta.estimate;
    } else if (absl::ConsumePrefix(&role, observe::kPartNot)) {
      RoleShare& share = RoleNamed(std::string(role), cell.roles);
      if (cell.both.has_value()) {
        share.without = Combine({{1, *cell.both}, {-1, delta.estimate}});
      }
    }
  }
  const auto measured = [&](const std::string& part) {
    return std::any_of(parts.deltas.begin(), parts.deltas.end(), [&](const PartDelta& delta) {
      return delta.part == part && key.Holds(delta);
    });
  };
  std::vector<Term> only, without;
  RoleSum only_sum, without_sum;
  for (const RoleShare& share : cell.roles) {
    for (const char* prefix : {observe::kPartOnly, observe::kPartNot}) {
      const std::string part = absl::StrCat(prefix, share.role);
      if (!measured(part)) cell.missing.push_back(part);
    }
    if (share.only.has_value()) {
      only_sum.roles.push_back(share.role);
      only.push_back({1, *share.only});
    }
    if (share.without.has_value()) {
      without_sum.roles.push_back(share.role);
      without.push_back({1, *share.without});
    }
  }
  const auto close = [&](const std::vector<Term>& terms, RoleSum sum,
                         std::optional<RoleSum>& place) {
    if (terms.empty()) return;
    sum.sum = Combine(terms);
    if (cell.both.has_value()) sum.of_both = RatioOf(sum.sum, *cell.both);
    place = std::move(sum);
  };
  close(only, std::move(only_sum), cell.only_sum);
  close(without, std::move(without_sum), cell.without_sum);
}

Cell MakeCell(const CellKey& key, const Parts& parts) {
  Cell cell;
  for (size_t i = 0; i < parts.cell_columns.size(); ++i) {
    cell.key.emplace_back(parts.cell_columns[i], (*key.key)[i]);
  }
  cell.weight_bits = key.weight_bits;
  cell.input_bits = key.input_bits;
  const std::pair<const char*, std::optional<Estimate> Cell::*> slots[] = {
      {observe::kPartBoth, &Cell::both},
      {observe::kPartWeights, &Cell::weights},
      {observe::kPartInputs, &Cell::inputs},
      {observe::kPartFc2At8Bits, &Cell::fc2_8bit}};
  for (const auto& [part, slot] : slots) {
    for (const PartDelta& delta : parts.deltas) {
      if (delta.part == part && key.Holds(delta)) cell.*slot = delta.estimate;
    }
    if (!(cell.*slot).has_value()) cell.missing.emplace_back(part);
  }
  if (cell.weights.has_value() && cell.inputs.has_value()) {
    cell.inputs_to_weights = RatioOf(*cell.inputs, *cell.weights);
    if (cell.both.has_value()) {
      cell.additivity = RatioOf(*cell.both, Combine({{1, *cell.weights}, {1, *cell.inputs}}));
    }
  }
  if (cell.both.has_value() && cell.fc2_8bit.has_value()) {
    cell.fc2_relief = OneMinus(RatioOf(*cell.fc2_8bit, *cell.both));
  }
  AddRoles(key, parts, cell);
  return cell;
}

}  // namespace

absl::StatusOr<Decomposition> Decompose(const observe::Table& table, const Options& options) {
  absl::StatusOr<Parts> parts = options.cell_columns.empty()
                                    ? CollectParts(table)
                                    : CollectParts(table, options.cell_columns);
  if (!parts.ok()) return parts.status();
  if (parts->deltas.empty()) {
    // Not a mistake of the table: it is one of another kind.
    return absl::NotFoundError(
        "no quantized row has a delta; pair the runs with their full-precision ones first");
  }
  Decomposition result;
  result.parts = *std::move(parts);
  for (const CellKey& key : FindCells(result.parts)) {
    result.cells.push_back(MakeCell(key, result.parts));
  }
  result.trends = FindTrends(result.parts, options.threshold);
  result.notes = result.parts.notes;
  result.notes.insert(result.notes.end(), result.trends.notes.begin(), result.trends.notes.end());
  return result;
}

}  // namespace qatlas::decompose
