#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "framework/fit/predict.h"
#include "framework/observe/noise.h"
#include "framework/observe/schema.h"
#include "framework/report/sections.h"

namespace qatlas::report {
namespace {

// More lines than these cannot be told apart.
constexpr size_t kMostLines = 12;

// The full-precision runs of one (N, D).
struct LossCell {
  double size = 0;
  double budget = 0;
  std::string model;
  size_t row = 0;  // one of them
  std::vector<double> losses;
  std::vector<double> errors;  // evaluation
  double mean = 0;
  double evaluation_se = std::nan("");
  double training_se = std::nan("");

  // Both parts, or the one that is known, or NaN.
  double Error() const {
    if (!std::isfinite(evaluation_se)) return training_se;
    if (!std::isfinite(training_se)) return evaluation_se;
    return std::hypot(evaluation_se, training_se);
  }
};

std::vector<LossCell> CollectCells(const observe::Table& table) {
  std::map<std::pair<double, double>, LossCell> found;
  for (size_t row = 0; row < table.rows(); ++row) {
    const double size = table.NumberAt(row, "N");
    const double budget = table.NumberAt(row, "D");
    const double loss = table.NumberAt(row, "loss");
    if (!IsFullPrecision(table, row) || !std::isfinite(loss) || !std::isfinite(size) ||
        !std::isfinite(budget) || size <= 0 || budget <= 0) {
      continue;
    }
    LossCell& cell = found[{size, budget}];
    cell.size = size;
    cell.budget = budget;
    cell.row = row;
    cell.model = std::string(table.TextAt(row, "model"));
    cell.losses.push_back(loss);
    cell.errors.push_back(table.NumberAt(row, "loss_se"));
  }
  std::vector<std::vector<double>> by_cell;
  for (const auto& [key, cell] : found) by_cell.push_back(cell.losses);
  const observe::SeedVariance variance = observe::PooledVariance(by_cell);
  std::vector<LossCell> cells;
  for (auto& [key, cell] : found) {
    const double n = static_cast<double>(cell.losses.size());
    cell.mean = observe::CompensatedSum(cell.losses) / n;
    // Not divided by the number of seeds: all are evaluated on the same sequences.
    cell.evaluation_se = observe::CompensatedSum(cell.errors) / n;
    if (variance.known()) cell.training_se = std::sqrt(variance.variance / n);
    cells.push_back(std::move(cell));
  }
  return cells;
}

observe::Table DataOf(const std::vector<LossCell>& cells) {
  observe::Table data;
  for (const LossCell& cell : cells) {
    // Columns and kinds are the same for every row, so appending cannot fail.
    data.Append({{"model", cell.model},
                 {"N", cell.size},
                 {"D", cell.budget},
                 {"loss", cell.mean},
                 {"evaluation_error", cell.evaluation_se},
                 {"training_error", cell.training_se},
                 {"error", cell.Error()},
                 {"seeds", static_cast<double>(cell.losses.size())}})
        .IgnoreError();
  }
  return data;
}

std::set<double> Levels(const std::vector<LossCell>& cells, double LossCell::*member) {
  std::set<double> levels;
  for (const LossCell& cell : cells) levels.insert(cell.*member);
  return levels;
}

std::vector<double> AsVector(const std::set<double>& levels) {
  return {levels.begin(), levels.end()};
}

// The first law that can be evaluated for a full-precision run.
const FittedLaw* UsableLaw(const std::vector<FittedLaw>& laws, const observe::Table& table,
                           size_t row) {
  for (const FittedLaw& law : laws) {
    if (!CanVary(law, "N", true) || !CanVary(law, "D", true)) continue;
    if (SurfaceOver(law, table, row, {table.NumberAt(row, "N")}, {table.NumberAt(row, "D")})) {
      return &law;
    }
  }
  return nullptr;
}

// A line for each size: for tables that have few sizes.
Figure LossCurves(const observe::Table& table, const std::vector<LossCell>& cells,
                  const FittedLaw* law) {
  Figure figure;
  figure.id = "loss-curves";
  figure.title = "Full-precision loss against training data, by size";
  bool curves = false;
  size_t series = 0;
  for (double size : Levels(cells, &LossCell::size)) {
    std::vector<double> x, y, error;
    const LossCell* first = nullptr;
    for (const LossCell& cell : cells) {
      if (cell.size != size) continue;
      if (first == nullptr) first = &cell;
      x.push_back(cell.budget);
      y.push_back(cell.mean);
      error.push_back(cell.Error());
    }
    std::optional<Curve> curve;
    if (law != nullptr && x.size() > 1) {
      curve = CurveAlong(*law, table, first->row, "D", x.front(), x.back());
    }
    if (curve.has_value()) {
      for (nlohmann::json& trace : CurveTraces(*curve, series)) {
        figure.traces.push_back(std::move(trace));
      }
      curves = true;
    }
    figure.traces.push_back(
        PointTrace(absl::StrCat("N ", ShortCount(size),
                                first->model.empty() ? "" : absl::StrCat(" (", first->model, ")")),
                   x, y, error, series, !curve.has_value()));
    ++series;
  }
  const bool errors = std::any_of(cells.begin(), cells.end(),
                                  [](const LossCell& cell) { return std::isfinite(cell.Error()); });
  figure.reading = absl::StrCat(
      "Validation loss; N counts the parameters of the blocks' linears. ",
      errors ? "Bars are one standard error (over sequences and over seeds; the first part is "
               "common to all runs). "
             : "The table tells no error of the loss. ",
      curves ? absl::StrCat("Dotted: ", law->name, " as fitted.")
             : "Lines join the marks and are no fit.");
  figure.layout = Axes("D (training tokens)", "validation loss (nats/token)", true, false);
  TickAt(AsVector(Levels(cells, &LossCell::budget)), &figure.layout["xaxis"]);
  figure.data = DataOf(cells);
  return figure;
}

nlohmann::json Contours(const std::vector<double>& budgets, const std::vector<double>& sizes,
                        const nlohmann::json& z, double low, double high) {
  return {{"type", "contour"},
          {"x", NumbersOrNull(budgets)},
          {"y", NumbersOrNull(sizes)},
          {"z", z},
          {"zmin", low},
          {"zmax", high},
          {"colorscale", "Viridis"},
          {"reversescale", true},
          {"hovertemplate", "D %{x:.3s}, N %{y:.3s}: %{z:.4f}<extra></extra>"},
          {"contours",
           {{"showlabels", true},
            {"coloring", "heatmap"},
            {"labelfont", {{"size", 11}, {"color", "white"}}}}},
          {"line", {{"color", "rgba(255,255,255,.6)"}, {"width", 1}}},
          {"ncontours", 14},
          {"showscale", false}};
}

// The runs as marks in the colour of their loss: a mark that stands out against its ground is a run
// that the surface misses.
nlohmann::json Marks(const std::vector<LossCell>& cells, double low, double high) {
  std::vector<double> x, y, z;
  nlohmann::json text = nlohmann::json::array();
  for (const LossCell& cell : cells) {
    x.push_back(cell.budget);
    y.push_back(cell.size);
    z.push_back(cell.mean);
    text.push_back(absl::StrCat("loss ", WithError(cell.mean, cell.Error())));
  }
  return {{"type", "scatter"},
          {"mode", "markers"},
          {"x", NumbersOrNull(x)},
          {"y", NumbersOrNull(y)},
          {"text", std::move(text)},
          {"hovertemplate", "D %{x:.3s}, N %{y:.3s}: %{text}<extra></extra>"},
          {"showlegend", false},
          {"cliponaxis", false},
          {"marker",
           {{"color", NumbersOrNull(z)},
            {"cmin", low},
            {"cmax", high},
            {"colorscale", "Viridis"},
            {"reversescale", true},
            {"size", 11},
            {"line", {{"color", "white"}, {"width", 1.5}}},
            {"colorbar", {{"title", {{"text", "nats"}}}, {"thickness", 12}}}}}};
}

nlohmann::json AsJson(const std::vector<std::vector<double>>& surface, double* low, double* high) {
  nlohmann::json z = nlohmann::json::array();
  for (const std::vector<double>& line : surface) {
    z.push_back(NumbersOrNull(line));
    for (double value : line) {
      *low = std::min(*low, value);
      *high = std::max(*high, value);
    }
  }
  return z;
}

// Over the trained cells themselves where they fill a grid.
std::optional<nlohmann::json> MeasuredSurface(const std::vector<LossCell>& cells,
                                              const std::vector<double>& sizes,
                                              const std::vector<double>& budgets, double low,
                                              double high) {
  if (cells.size() != sizes.size() * budgets.size()) return std::nullopt;
  // Cells are in the order of size, then budget.
  nlohmann::json z = nlohmann::json::array();
  for (size_t i = 0; i < sizes.size(); ++i) {
    nlohmann::json line = nlohmann::json::array();
    for (size_t j = 0; j < budgets.size(); ++j) {
      line.push_back(NumberOrNull(cells[i * budgets.size() + j].mean));
    }
    z.push_back(std::move(line));
  }
  return Contours(budgets, sizes, z, low, high);
}

Figure LossSurface(const observe::Table& table, const std::vector<LossCell>& cells,
                   const FittedLaw* law) {
  Figure figure;
  figure.id = "loss-surface";
  const std::vector<double> sizes = AsVector(Levels(cells, &LossCell::size));
  const std::vector<double> budgets = AsVector(Levels(cells, &LossCell::budget));
  double low = cells.front().mean;
  double high = low;
  for (const LossCell& cell : cells) {
    low = std::min(low, cell.mean);
    high = std::max(high, cell.mean);
  }
  std::string ground = "Marks are runs in the colour of their loss.";
  figure.title = "The loss surface: where the runs lie in size and data";
  std::optional<std::vector<std::vector<double>>> surface;
  if (law != nullptr) {
    const std::vector<double> fine_sizes = fit::LogSpaced(sizes.front(), sizes.back(), 40);
    const std::vector<double> fine_budgets = fit::LogSpaced(budgets.front(), budgets.back(), 40);
    surface = SurfaceOver(*law, table, cells.front().row, fine_sizes, fine_budgets);
    if (surface.has_value()) {
      const nlohmann::json z = AsJson(*surface, &low, &high);
      figure.traces.push_back(Contours(fine_budgets, fine_sizes, z, low, high));
      figure.title = "The loss surface: what size and data buy, by the fitted law";
      ground = absl::StrCat("Contours of equal loss by ", law->name,
                            " as fitted; marks are runs in the colour of their own loss, so that a "
                            "mark that stands out is one the law misses.");
    }
  }
  if (!surface.has_value()) {
    if (auto measured = MeasuredSurface(cells, sizes, budgets, low, high)) {
      figure.traces.push_back(std::move(*measured));
      figure.title = "The loss surface: what size and data buy";
      ground = "Contours of equal loss drawn between the trained cells (marks), without any law.";
    }
  }
  figure.traces.push_back(Marks(cells, low, high));
  figure.reading = absl::StrCat(ground,
                                " Along a contour loss stays the same: where it runs steeply, data "
                                "matters more than size.");
  figure.layout = Axes("D (training tokens)", "N (parameters)", true, true);
  TickAt(sizes, &figure.layout["yaxis"]);
  TickAt(budgets, &figure.layout["xaxis"]);
  figure.data = DataOf(cells);
  return figure;
}

// For scattered runs: one mark a run, coloured by size.
Figure LossScatter(const std::vector<LossCell>& cells) {
  Figure figure;
  figure.id = "loss-curves";
  figure.title = "Full-precision loss against training data";
  figure.reading =
      "One mark for each size and budget; colour is the size N (logarithm to base 10), darker is "
      "larger.";
  std::vector<double> x, y, color;
  for (const LossCell& cell : cells) {
    x.push_back(cell.budget);
    y.push_back(cell.mean);
    color.push_back(std::log10(cell.size));
  }
  nlohmann::json trace = PointTrace("", x, y, {}, 0, false);
  trace["showlegend"] = false;
  trace["marker"] = {{"color", NumbersOrNull(color)},
                     {"colorscale", "Viridis"},
                     {"reversescale", true},
                     {"size", 7},
                     {"colorbar", {{"title", {{"text", "log10 N"}}}, {"thickness", 12}}}};
  figure.traces.push_back(std::move(trace));
  figure.layout = Axes("D (training tokens)", "validation loss (nats/token)", true, false);
  TickAt(x, &figure.layout["xaxis"]);
  figure.data = DataOf(cells);
  return figure;
}

}  // namespace

Section LossSection(const observe::Table& observations, const std::vector<FittedLaw>& laws) {
  Section section;
  section.id = "loss";
  section.title = "Loss without quantization";
  const std::vector<LossCell> cells = CollectCells(observations);
  if (cells.empty()) return section;
  const size_t sizes = Levels(cells, &LossCell::size).size();
  const size_t budgets = Levels(cells, &LossCell::budget).size();
  const FittedLaw* law = UsableLaw(laws, observations, cells.front().row);
  section.figures.push_back(sizes <= kMostLines ? LossCurves(observations, cells, law)
                                                : LossScatter(cells));
  if (sizes > 1 && budgets > 1) {
    section.figures.push_back(LossSurface(observations, cells, law));
  }
  return section;
}

}  // namespace qatlas::report
