#include "framework/report/decomposition_section.h"

#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace qatlas::report {
namespace {

using decompose::Cell;
using decompose::Estimate;

// Model, budget, group and bits of a cell, in a few words.
std::string CellName(const Cell& cell) {
  std::vector<std::string> words;
  for (const auto& [column, value] : cell.key) {
    if (const double* number = std::get_if<double>(&value)) {
      if (std::isfinite(*number) && (column == "D" || column == "G" || column == "N")) {
        words.push_back(absl::StrCat(column, " ", ShortCount(*number)));
      }
    } else if (column == "model") {
      words.push_back(std::get<std::string>(value));
    }
  }
  const std::string weights = std::isfinite(cell.weight_bits) ? ShortNumber(cell.weight_bits) : "16";
  const std::string inputs = std::isfinite(cell.input_bits) ? ShortNumber(cell.input_bits) : "16";
  words.push_back(absl::StrCat("W", weights, "A", inputs));
  return absl::StrJoin(words, ", ");
}

void AppendEstimate(const std::string& cell, const std::string& part, const Estimate& estimate,
                    observe::Table* table) {
  (void)table->Append({{"cell", cell},
                       {"part", part},
                       {"delta", estimate.value},
                       {"evaluation_error", estimate.evaluation_se},
                       {"training_error", estimate.training_se},
                       {"error", estimate.known_se()},
                       {"seeds", static_cast<double>(estimate.seeds)}});
}

nlohmann::json Bars(const std::string& name, const std::vector<std::string>& labels,
                    const std::vector<double>& heights, const std::vector<double>& errors, size_t series) {
  nlohmann::json trace = PointTrace(name, {}, heights, errors, series, false);
  trace["type"] = "bar";
  trace.erase("mode");
  trace.erase("line");
  trace["x"] = labels;
  trace["marker"] = {{"color", SeriesColor(series)}};
  trace["error_y"]["color"] = "#444";
  return trace;
}

// Cells with at least two parts beside "both", as groups of bars.
std::optional<Figure> PartBars(const std::vector<Cell>& cells) {
  Figure figure;
  figure.id = "parts";
  figure.title = "Weights, inputs, both, and relief by 8 bits at FC2's input";
  figure.reading =
      "Bars of one cell: δ of quantizing only weights, only inputs, both, and both with FC2's input at 8 bits; "
      "lines are one standard error. Near-additive parts: the first two together reach the third.";
  const std::pair<const char*, std::optional<Estimate> Cell::*> parts[] = {
      {"weights only", &Cell::weights},
      {"inputs only", &Cell::inputs},
      {"both", &Cell::both},
      {"both, FC2 input 8 bits", &Cell::fc2_8bit}};
  std::vector<const Cell*> shown;
  for (const Cell& cell : cells) {
    if (cell.both && (cell.weights || cell.inputs || cell.fc2_8bit)) shown.push_back(&cell);
  }
  if (shown.empty()) return std::nullopt;
  size_t series = 0;
  for (const auto& [name, member] : parts) {
    std::vector<std::string> labels;
    std::vector<double> heights;
    std::vector<double> errors;
    for (const Cell* cell : shown) {
      const std::optional<Estimate>& estimate = cell->*member;
      if (!estimate) continue;
      labels.push_back(CellName(*cell));
      heights.push_back(estimate->value);
      errors.push_back(estimate->known_se());
      AppendEstimate(CellName(*cell), name, *estimate, &figure.data);
    }
    if (!labels.empty()) figure.traces.push_back(Bars(name, labels, heights, errors, series));
    ++series;
  }
  figure.layout = Axes("", "δ (nats/token)", false, false);
  figure.layout["barmode"] = "group";
  figure.layout["legend"] = {{"y", -0.35}};
  return figure;
}

std::optional<Figure> RoleBars(const Cell& cell) {
  if (cell.roles.empty()) return std::nullopt;
  Figure figure;
  figure.id = absl::StrCat("roles-", CellName(cell));
  figure.title = absl::StrCat("Which layer costs what: ", CellName(cell));
  figure.reading =
      "δ when only this role is quantized, and what leaving it in full precision saves of δ of all. Where the "
      "second is larger, the role's error grows in the company of the others.";
  for (int side = 0; side < 2; ++side) {
    std::vector<std::string> labels;
    std::vector<double> heights;
    std::vector<double> errors;
    const char* name = side == 0 ? "only this role" : "saved without it";
    for (const decompose::RoleShare& share : cell.roles) {
      const std::optional<Estimate>& estimate = side == 0 ? share.only : share.without;
      if (!estimate) continue;
      labels.push_back(share.role);
      heights.push_back(estimate->value);
      errors.push_back(estimate->known_se());
      AppendEstimate(share.role, name, *estimate, &figure.data);
    }
    if (!labels.empty()) {
      figure.traces.push_back(Bars(name, labels, heights, errors, static_cast<size_t>(side)));
    }
  }
  figure.layout = Axes("role", "δ (nats/token)", false, false);
  figure.layout["barmode"] = "group";
  return figure;
}

std::string RatioText(const std::optional<decompose::Ratio>& ratio) {
  if (!ratio) return "–";
  if (ratio->method == decompose::RatioMethod::kUnbounded) {
    return absl::StrCat(ShortNumber(ratio->value, 3), " (interval unbounded)");
  }
  if (!std::isfinite(ratio->low)) return ShortNumber(ratio->value, 3);
  return absl::StrFormat("%s (%s to %s)", ShortNumber(ratio->value, 3), ShortNumber(ratio->low, 3),
                         ShortNumber(ratio->high, 3));
}

ShownTable Ratios(const std::vector<Cell>& cells) {
  ShownTable table;
  table.id = "ratios";
  table.title = "Ratios of the parts";
  table.reading =
      "R = δ of inputs over δ of weights; additivity = δ of both over the sum of the parts; relief = share of δ "
      "that 8 bits at FC2's input take away. 95% intervals in brackets.";
  for (const Cell& cell : cells) {
    if (!cell.inputs_to_weights && !cell.additivity && !cell.fc2_relief) continue;
    (void)table.data.Append({{"cell", CellName(cell)},
                             {"R", RatioText(cell.inputs_to_weights)},
                             {"additivity", RatioText(cell.additivity)},
                             {"FC2 relief", RatioText(cell.fc2_relief)}});
  }
  return table;
}

ShownTable TrendTable(const decompose::Trends& trends) {
  ShownTable table;
  table.id = "trends";
  table.title = "Does δ rise or fall?";
  table.reading =
      "Steps between neighbouring levels with everything else equal; a step counts as rising or falling when it "
      "exceeds two standard errors.";
  for (const decompose::TrendSummary& summary : trends.summaries) {
    (void)table.data.Append({{"with growing", summary.covariate},
                             {"part", summary.part},
                             {"rises", static_cast<double>(summary.rises)},
                             {"falls", static_cast<double>(summary.falls)},
                             {"not clear of noise", static_cast<double>(summary.not_clear)},
                             {"error unknown", static_cast<double>(summary.error_unknown)}});
  }
  return table;
}

}  // namespace

Section DecompositionSection(const decompose::Decomposition& decomposition) {
  Section section;
  section.id = "causes";
  section.title = "Where the gap comes from";
  if (std::optional<Figure> figure = PartBars(decomposition.cells)) {
    section.figures.push_back(std::move(*figure));
  }
  for (const Cell& cell : decomposition.cells) {
    if (std::optional<Figure> figure = RoleBars(cell)) section.figures.push_back(std::move(*figure));
  }
  ShownTable ratios = Ratios(decomposition.cells);
  if (ratios.data.rows() > 0) section.tables.push_back(std::move(ratios));
  ShownTable trends = TrendTable(decomposition.trends);
  if (trends.data.rows() > 0) section.tables.push_back(std::move(trends));
  for (const std::string& note : decomposition.notes) section.paragraphs.push_back(note);
  return section;
}

}  // namespace qatlas::report
