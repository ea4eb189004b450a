#include "framework/report/part_findings.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/report/figure.h"
#include "framework/report/labels.h"

namespace qatlas::report {
namespace {

using decompose::Basis;
using decompose::Cell;
using decompose::Estimate;
using decompose::Ratio;

constexpr char kChen[] = "Chen et al. 2025 (arXiv 2505.14302)";

bool HoldsTraining(Basis basis) { return basis == Basis::kTraining || basis == Basis::kTotal; }

// A ratio's interval against a value, cell by cell.
struct Sides {
  int above = 0;
  int below = 0;
  int between = 0;              // the interval holds the value
  int unknown = 0;              // no interval, or one without the training error
  const Cell* shown = nullptr;  // largest cell with an interval
  const Ratio* ratio = nullptr;
  int total() const { return above + below + between + unknown; }
};

// N times D, for choosing the cell that tells most.
double Weight(const Cell& cell) {
  const double size = NumberOf(cell.key, "N");
  const double budget = NumberOf(cell.key, "D");
  return (std::isfinite(size) ? size : 1) * (std::isfinite(budget) ? budget : 1);
}

using RatioMember = std::optional<Ratio> Cell::*;

Sides Against(const std::vector<Cell>& cells, RatioMember member, double value) {
  Sides sides;
  double largest = -1;
  for (const Cell& cell : cells) {
    const std::optional<Ratio>& ratio = cell.*member;
    if (!ratio.has_value() || !std::isfinite(ratio->value)) continue;
    const bool interval = std::isfinite(ratio->low) && std::isfinite(ratio->high);
    if (!interval || !HoldsTraining(ratio->basis)) {
      ++sides.unknown;
    } else if (ratio->low > value) {
      ++sides.above;
    } else if (ratio->high < value) {
      ++sides.below;
    } else {
      ++sides.between;
    }
    // Shown is the cell that tells most: one with an interval, the largest N times D.
    const double weight = interval ? Weight(cell) : 0;
    if (weight > largest) {
      largest = weight;
      sides.shown = &cell;
      sides.ratio = &*ratio;
    }
  }
  return sides;
}

std::string Cells(int count) { return absl::StrCat(count, count == 1 ? " cell" : " cells"); }

// "in 7 of 9 cells, the reverse in 0, not clear of noise in 2"
std::string Counts(const Sides& sides, const std::string& above, const std::string& below) {
  std::vector<std::string> words;
  if (sides.above > 0) words.push_back(absl::StrCat(above, " in ", sides.above));
  if (sides.below > 0) words.push_back(absl::StrCat(below, " in ", sides.below));
  if (sides.between > 0) words.push_back(absl::StrCat("not clear of noise in ", sides.between));
  if (sides.unknown > 0) {
    words.push_back(
        absl::StrCat("without an interval that holds the training error in ", sides.unknown));
  }
  return absl::StrCat(absl::StrJoin(words, ", "), " of ", Cells(sides.total()));
}

std::string At(const Sides& sides, double scale, const char* unit, const char* what = "") {
  const Ratio& ratio = *sides.ratio;
  std::string text = absl::StrCat(ShortNumber(ratio.value * scale, 3), unit);
  if (std::isfinite(ratio.low) && std::isfinite(ratio.high)) {
    absl::StrAppend(&text, " (95%: ", ShortNumber(ratio.low * scale, 3), " to ",
                    ShortNumber(ratio.high * scale, 3), unit,
                    HoldsTraining(ratio.basis) ? "" : ", evaluation error only", ")");
  } else {
    absl::StrAppend(&text, " (no finite interval)");
  }
  return absl::StrCat(text, what, " at ", CellLabel(*sides.shown));
}

std::string InputsAgainstWeights(const std::vector<Cell>& cells) {
  const Sides sides = Against(cells, &Cell::inputs_to_weights, 1);
  if (sides.total() == 0) return "";
  std::string text = absl::StrCat(
      "Inputs against weights (R = δ of inputs only / δ of weights only): ",
      Counts(sides, "inputs cost more", "weights cost more"), "; R = ", At(sides, 1, ""), ".");
  if (sides.below > 0 && sides.above == 0) {
    absl::StrAppend(&text, " This is the other way round from ", kChen, ", where R is above 1.");
  } else if (sides.below > 0) {
    absl::StrAppend(&text, " In ", kChen, " R is above 1 everywhere; here not in every cell.");
  } else if (sides.above > 0) {
    absl::StrAppend(&text, " This agrees with ", kChen, ", where R is above 1.");
  } else {
    absl::StrAppend(&text, " Whether R is above 1, as in ", kChen, ", these runs do not say.");
  }
  return text;
}

std::string Additivity(const std::vector<Cell>& cells) {
  const Sides sides = Against(cells, &Cell::additivity, 1);
  if (sides.total() == 0) return "";
  std::string text = absl::StrCat("Additivity (δ of both / sum of the two alone): ",
                                  Counts(sides, "more than the sum", "less than the sum"), "; ",
                                  At(sides, 1, ""), ". ");
  const Ratio& ratio = *sides.ratio;
  if (std::isfinite(ratio.low) && std::isfinite(ratio.high) && HoldsTraining(ratio.basis)) {
    const bool holds = ratio.low <= .906 && .906 <= ratio.high;
    absl::StrAppend(&text, kChen, " report .906; that interval ",
                    holds ? "holds it." : "does not hold it.");
  } else {
    absl::StrAppend(&text, kChen, " report .906; these runs cannot be held against it.");
  }
  return text;
}

std::string Relief(const std::vector<Cell>& cells) {
  const Sides sides = Against(cells, &Cell::fc2_relief, 0);
  if (sides.total() == 0) return "";
  std::string text = absl::StrCat("8 bits at FC2's input: ", Counts(sides, "relief", "harm"),
                                  "; it takes away ", At(sides, 100, "%", " of δ"), ".");
  if (sides.above > 0 && sides.below == 0) {
    absl::StrAppend(&text, " This agrees with ", kChen, ", where FC2's input is the bottleneck.");
  } else if (sides.below > 0 && sides.above == 0) {
    absl::StrAppend(&text, " This is the other way round from ", kChen,
                    ", where 8 bits at FC2's input relieve the bottleneck.");
  } else if (sides.above > 0) {
    absl::StrAppend(&text, " In ", kChen, " they relieve the bottleneck; here not in every cell.");
  } else {
    absl::StrAppend(&text, " Whether they relieve a bottleneck, as in ", kChen,
                    ", these runs do not say.");
  }
  return text;
}

// The costliest role of one cell, seen from one side, held against the second.
std::string Costliest(const Cell& cell, bool only) {
  std::vector<std::pair<std::string, Estimate>> roles;
  for (const decompose::RoleShare& share : cell.roles) {
    const std::optional<Estimate>& estimate = only ? share.only : share.without;
    if (estimate.has_value() && std::isfinite(estimate->value)) {
      roles.emplace_back(share.role, *estimate);
    }
  }
  if (roles.size() < 2) return "";
  std::stable_sort(roles.begin(), roles.end(),
                   [](const auto& a, const auto& b) { return a.second.value > b.second.value; });
  const auto& [first, cost] = roles[0];
  const auto& [second, next] = roles[1];
  const Estimate lead = decompose::Combine({{1, cost}, {-1, next}});
  const bool known = std::isfinite(lead.training_se);
  const bool clear = known && lead.value > 2 * lead.known_se();
  std::string text =
      absl::StrCat(only ? "Quantized alone, " : "Left out, ", first, only ? " costs" : " saves",
                   " most: ", WithError(cost.value, cost.known_se()), ", before ", second, " with ",
                   WithError(next.value, next.known_se()), " (", CellLabel(cell), "); the lead is ",
                   WithError(lead.value, lead.known_se()),
                   clear   ? ", clear of noise."
                   : known ? ", not clear of noise."
                           : ", and its training error is not known.");
  if (clear && only) {
    absl::StrAppend(&text,
                    absl::StrContains(first, "fc2") ? " This agrees with "
                                                    : " This is the other way round from ",
                    kChen, ", where FC2 is the bottleneck.");
  }
  return text;
}

}  // namespace

std::vector<std::string> PartFindings(const std::vector<Cell>& cells) {
  std::vector<std::string> texts = {InputsAgainstWeights(cells), Additivity(cells), Relief(cells)};
  // Of many cells with roles the largest tell most; the figure has the others.
  std::vector<const Cell*> with_roles;
  for (const Cell& cell : cells) {
    if (!cell.roles.empty()) with_roles.push_back(&cell);
  }
  std::stable_sort(with_roles.begin(), with_roles.end(),
                   [](const Cell* a, const Cell* b) { return Weight(*a) > Weight(*b); });
  for (size_t i = 0; i < with_roles.size() && i < 2; ++i) {
    texts.push_back(Costliest(*with_roles[i], true));
    texts.push_back(Costliest(*with_roles[i], false));
  }
  texts.erase(std::remove(texts.begin(), texts.end(), ""), texts.end());
  return texts;
}

}  // namespace qatlas::report
