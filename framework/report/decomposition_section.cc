#include "framework/report/decomposition_section.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "framework/observe/schema.h"
#include "framework/report/labels.h"

namespace qatlas::report {
namespace {

using decompose::Cell;
using decompose::Estimate;
using decompose::Ratio;

// More panels than these are no figure any more; the data have all cells.
constexpr size_t kMostPanels = 12;

void AppendEstimate(const std::string& cell, const std::string& part, const Estimate& estimate,
                    observe::Table* table) {
  // Columns and kinds are the same for every row, so appending cannot fail.
  table
      ->Append({{"cell", cell},
                {"part", part},
                {"delta", estimate.value},
                {"evaluation_error", estimate.evaluation_se},
                {"training_error", estimate.training_se},
                {"error", estimate.known_se()},
                {"errors_known", std::string(decompose::BasisName(estimate.basis()))},
                {"seeds", static_cast<double>(estimate.seeds)}})
      .IgnoreError();
}

// Cells that share a panel, each with the label of its place there.
struct Panel {
  std::string title;
  std::vector<std::pair<std::string, const Cell*>> cells;
};

std::vector<Panel> PanelsByBitsAndGroup(const std::vector<const Cell*>& cells) {
  std::vector<Key> keys;
  for (const Cell* cell : cells) keys.push_back(cell->key);
  std::vector<Panel> panels;
  for (const Cell* cell : cells) {
    const std::string group = GroupLabel(cell->key);
    const std::string title = absl::StrCat(BitsLabel(cell->weight_bits, cell->input_bits),
                                           group.empty() ? "" : ", ", group);
    auto found = std::find_if(panels.begin(), panels.end(),
                              [&](const Panel& panel) { return panel.title == title; });
    if (found == panels.end()) found = panels.insert(panels.end(), {title, {}});
    std::string label = CellLabel(cell->key, {"G", "granularity"});
    found->cells.emplace_back(label.empty() ? "all" : label, cell);
  }
  // By size and budget along the axis, whatever order the runs came in.
  for (Panel& panel : panels) {
    std::stable_sort(panel.cells.begin(), panel.cells.end(), [](const auto& a, const auto& b) {
      const auto order = [](const Cell& cell) {
        const double size = NumberOf(cell.key, "N");
        const double budget = NumberOf(cell.key, "D");
        return std::make_pair(std::isfinite(size) ? size : 0, std::isfinite(budget) ? budget : 0);
      };
      return order(*a.second) < order(*b.second);
    });
  }
  return panels;
}

struct Bar {
  std::string label;
  Estimate estimate;
};

// Adds the bars of one series to a panel; the legend names it once.
void AddBars(size_t panel, size_t series, const std::string& name, const std::vector<Bar>& bars,
             std::vector<std::string>* in_legend, Figure* figure) {
  if (bars.empty()) return;
  std::vector<std::string> labels;
  std::vector<double> heights;
  std::vector<double> errors;
  for (const Bar& bar : bars) {
    labels.push_back(bar.label);
    heights.push_back(bar.estimate.value);
    errors.push_back(bar.estimate.known_se());
  }
  nlohmann::json trace = BarTrace(name, labels, heights, errors, series);
  InPanel(panel, &trace);
  const bool fresh = std::find(in_legend->begin(), in_legend->end(), name) == in_legend->end();
  if (fresh) in_legend->push_back(name);
  trace["showlegend"] = fresh;
  trace["legendgroup"] = PlotText(name);
  figure->traces.push_back(std::move(trace));
}

// The sum of weights only and inputs only as an open diamond over each group of bars.
void AddSums(size_t panel, const Panel& cells, bool fresh, Figure* figure) {
  nlohmann::json x = nlohmann::json::array();
  std::vector<double> y;
  std::vector<double> errors;
  for (const auto& [label, cell] : cells.cells) {
    if (!cell->weights.has_value() || !cell->inputs.has_value()) continue;
    const Estimate sum = decompose::Combine({{1, *cell->weights}, {1, *cell->inputs}});
    x.push_back(PlotText(label));
    y.push_back(sum.value);
    errors.push_back(sum.known_se());
    AppendEstimate(CellLabel(*cell), "weights + inputs (sum)", sum, &figure->data);
  }
  if (y.empty()) return;
  nlohmann::json trace = PointTrace("sum of the two", {}, y, errors, 6, false);
  trace["x"] = std::move(x);
  trace["marker"] = {{"color", "#333333"}, {"symbol", "diamond-open"}, {"size", 9}};
  trace["showlegend"] = fresh;
  trace["legendgroup"] = "sum of the two";
  InPanel(panel, &trace);
  figure->traces.push_back(std::move(trace));
}

std::optional<Figure> PartBars(const std::vector<Cell>& cells) {
  std::vector<const Cell*> shown;
  for (const Cell& cell : cells) {
    if (cell.weights || cell.inputs || cell.fc2_8bit) shown.push_back(&cell);
  }
  if (shown.empty()) return std::nullopt;
  Figure figure;
  figure.id = "parts";
  figure.title = "Which operand costs what, and whether the parts add up";
  const std::vector<Panel> panels = PanelsByBitsAndGroup(shown);
  const std::pair<const char*, std::optional<Estimate> Cell::*> parts[] = {
      {"weights only", &Cell::weights},
      {"inputs only", &Cell::inputs},
      {"both", &Cell::both},
      {"both, FC2 input at 8 bits", &Cell::fc2_8bit}};
  std::vector<std::string> in_legend;
  for (size_t panel = 0; panel < panels.size(); ++panel) {
    size_t series = 0;
    for (const auto& [name, member] : parts) {
      std::vector<Bar> bars;
      for (const auto& [label, cell] : panels[panel].cells) {
        const std::optional<Estimate>& estimate = cell->*member;
        if (!estimate.has_value()) continue;
        bars.push_back({label, *estimate});
        AppendEstimate(CellLabel(*cell), name, *estimate, &figure.data);
      }
      if (panel < kMostPanels) AddBars(panel, series, name, bars, &in_legend, &figure);
      ++series;
    }
    if (panel < kMostPanels) AddSums(panel, panels[panel], panel == 0, &figure);
    if (panel < kMostPanels) figure.panels.push_back(panels[panel].title);
  }
  figure.reading = absl::StrCat(
      "δ of quantizing only weights, only inputs, both, and both with FC2's input at 8 bits; lines "
      "are one standard error. Where the diamond (the first two added) meets the third bar the "
      "parts are additive; the fourth bar below the third is what FC2's input costs.",
      panels.size() > kMostPanels
          ? absl::StrCat(" Shown are ", kMostPanels, " of ", panels.size(),
                         " combinations of bits and group; the data have all.")
          : "");
  figure.layout = Axes("", "δ (nats/token)", false, false);
  figure.layout["xaxis"]["type"] = "category";
  figure.layout["barmode"] = "group";
  figure.wide = true;
  figure.panel_width = 420;
  return figure;
}

std::optional<Figure> RoleBars(const std::vector<Cell>& cells) {
  Figure figure;
  figure.id = "roles";
  figure.title = "Which layer costs what";
  std::vector<std::string> in_legend;
  size_t panel = 0;
  for (const Cell& cell : cells) {
    if (cell.roles.empty()) continue;
    for (int side = 0; side < 2; ++side) {
      const char* name = side == 0 ? "only this role" : "saved without it";
      std::vector<Bar> bars;
      for (const decompose::RoleShare& share : cell.roles) {
        const std::optional<Estimate>& estimate = side == 0 ? share.only : share.without;
        if (!estimate.has_value()) continue;
        bars.push_back({share.role, *estimate});
        AppendEstimate(absl::StrCat(CellLabel(cell), ", ", share.role), name, *estimate,
                       &figure.data);
      }
      if (panel < kMostPanels) {
        AddBars(panel, static_cast<size_t>(side) + 4, name, bars, &in_legend, &figure);
      }
    }
    if (panel < kMostPanels) figure.panels.push_back(CellLabel(cell));
    ++panel;
  }
  if (panel == 0) return std::nullopt;
  figure.reading =
      "δ when only this role is quantized, and how much lower δ of all is when this role stays in "
      "full precision; lines are one standard error. Where the second is larger, the role's error "
      "grows in the company of the others.";
  figure.layout = Axes("", "δ (nats/token)", false, false);
  figure.layout["xaxis"]["type"] = "category";
  figure.layout["barmode"] = "group";
  figure.wide = true;
  figure.panel_width = 380;
  return figure;
}

std::string RatioText(const std::optional<Ratio>& ratio) {
  if (!ratio.has_value()) return "–";
  if (ratio->method == decompose::RatioMethod::kUnbounded) {
    return absl::StrCat(ShortNumber(ratio->value, 3), " (unbounded)");
  }
  return WithInterval(ratio->value, ratio->low, ratio->high);
}

ShownTable Ratios(const std::vector<Cell>& cells) {
  ShownTable table;
  table.id = "ratios";
  table.title = "Ratios of the parts";
  table.reading =
      "R = δ of inputs over δ of weights; additivity = δ of both over the sum of the two; relief = "
      "share of δ that 8 bits at FC2's input take away. 95% intervals in brackets; unbounded: the "
      "denominator is not clear of zero. The last column says which errors the intervals hold.";
  const std::pair<const char*, std::optional<Ratio> Cell::*> ratios[] = {
      {"R", &Cell::inputs_to_weights},
      {"additivity", &Cell::additivity},
      {"relief", &Cell::fc2_relief}};
  for (const Cell& cell : cells) {
    observe::Table::Row shown = {{"cell", CellLabel(cell)}};
    observe::Table::Row data = shown;
    std::string basis;
    for (const auto& [name, member] : ratios) {
      const std::optional<Ratio>& ratio = cell.*member;
      shown.emplace_back(name, RatioText(ratio));
      const double missing = std::nan("");
      data.emplace_back(name, ratio.has_value() ? ratio->value : missing);
      data.emplace_back(absl::StrCat(name, "_low"), ratio.has_value() ? ratio->low : missing);
      data.emplace_back(absl::StrCat(name, "_high"), ratio.has_value() ? ratio->high : missing);
      if (ratio.has_value()) basis = decompose::BasisName(ratio->basis);
    }
    if (basis.empty()) continue;
    shown.emplace_back("errors", basis);
    data.emplace_back("errors", basis);
    table.shown.Append(shown).IgnoreError();
    table.data.Append(data).IgnoreError();
  }
  return table;
}

ShownTable Steps(const decompose::Trends& trends) {
  ShownTable table;
  table.id = "steps";
  table.title =
      absl::StrCat("All ", trends.steps.size(), " steps of δ between neighbouring levels");
  table.reading =
      "Everything else equal. A step rises or falls when its change exceeds two standard errors, "
      "the training part known; paired: differences were taken seed by seed.";
  table.collapsed = true;
  for (const decompose::TrendStep& step : trends.steps) {
    observe::Table::Row row = {{"along", step.covariate},
                               {"part", step.part},
                               {"held", CellLabel(step.held)},
                               {"from", step.from},
                               {"to", step.to}};
    observe::Table::Row shown = row;
    shown[3].second = ShortCount(step.from);
    shown[4].second = ShortCount(step.to);
    shown.emplace_back("change", WithError(step.change.value, step.change.known_se()));
    row.insert(row.end(), {{"change", step.change.value},
                           {"evaluation_error", step.change.evaluation_se},
                           {"training_error", step.change.training_se},
                           {"error", step.change.known_se()}});
    for (observe::Table::Row* each : {&row, &shown}) {
      each->emplace_back("paired", std::string(step.paired ? "yes" : "no"));
      each->emplace_back("verdict", std::string(decompose::VerdictName(step.verdict)));
    }
    table.data.Append(row).IgnoreError();
    table.shown.Append(shown).IgnoreError();
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
  if (std::optional<Figure> figure = RoleBars(decomposition.cells)) {
    section.figures.push_back(std::move(*figure));
  }
  ShownTable ratios = Ratios(decomposition.cells);
  if (ratios.data.rows() > 0) section.tables.push_back(std::move(ratios));
  if (!decomposition.trends.steps.empty()) {
    section.tables.push_back(Steps(decomposition.trends));
  }
  if (!section.empty()) section.paragraphs = decomposition.notes;
  return section;
}

}  // namespace qatlas::report
