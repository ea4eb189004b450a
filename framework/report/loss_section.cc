#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "framework/observe/schema.h"
#include "framework/report/sections.h"

namespace qatlas::report {
namespace {

bool IsFullPrecision(const observe::Table& table, size_t row) {
  const absl::string_view scheme = table.TextAt(row, "scheme");
  return scheme.empty() || scheme == observe::kSchemeFullPrecision;
}

// Mean and spread over seeds of one (N, D).
struct LossCell {
  std::string model;
  std::vector<double> losses;
  std::vector<double> errors;

  double Mean() const {
    double sum = 0;
    for (double loss : losses) sum += loss;
    return sum / static_cast<double>(losses.size());
  }
  double Half() const {  // half the spread over seeds
    const auto [low, high] = std::minmax_element(losses.begin(), losses.end());
    return (*high - *low) / 2;
  }
};

using Cells = std::map<std::pair<double, double>, LossCell>;

Figure LossCurves(const Cells& cells, observe::Table data) {
  Figure figure;
  figure.id = "loss-curves";
  figure.title = "Full-precision loss falls with data and with size";
  figure.reading =
      "Validation loss in nats per token against training tokens D; a line for each size N (parameters of the "
      "blocks' linears). Bars span the seeds.";
  std::set<double> sizes;
  for (const auto& [key, cell] : cells) sizes.insert(key.first);
  size_t series = 0;
  for (double size : sizes) {
    std::vector<double> x;
    std::vector<double> y;
    std::vector<double> half;
    std::string model;
    for (const auto& [key, cell] : cells) {
      if (key.first != size) continue;
      model = cell.model;
      x.push_back(key.second);
      y.push_back(cell.Mean());
      half.push_back(cell.Half());
    }
    figure.traces.push_back(
        PointTrace(absl::StrCat("N = ", ShortCount(size), model.empty() ? "" : " (" + model + ")"), x, y,
                   half, series++, true));
  }
  figure.layout = Axes("D (training tokens)", "validation loss (nats/token)", true, false);
  figure.data = std::move(data);
  return figure;
}

// A surface over log N and log D needs a full grid of at least 2 × 2.
void AppendSurface(const Cells& cells, const observe::Table& data, Section* section) {
  std::set<double> sizes;
  std::set<double> budgets;
  for (const auto& [key, cell] : cells) {
    sizes.insert(key.first);
    budgets.insert(key.second);
  }
  if (sizes.size() < 2 || budgets.size() < 2) return;
  nlohmann::json x = nlohmann::json::array();
  nlohmann::json y = nlohmann::json::array();
  nlohmann::json z = nlohmann::json::array();
  for (double budget : budgets) x.push_back(budget);
  for (double size : sizes) {
    y.push_back(size);
    nlohmann::json line = nlohmann::json::array();
    for (double budget : budgets) {
      auto it = cells.find({size, budget});
      line.push_back(it == cells.end() ? nlohmann::json(nullptr) : NumberOrNull(it->second.Mean()));
    }
    z.push_back(std::move(line));
  }
  Figure figure;
  figure.id = "loss-surface";
  figure.title = "The loss surface over size and data";
  figure.reading =
      "Contours of equal full-precision loss over N and D, drawn through the trained cells (dots) without any "
      "law. Where contours run steeply, data matters more than size.";
  figure.traces.push_back({{"type", "contour"},
                           {"x", x},
                           {"y", y},
                           {"z", z},
                           {"colorscale", "Viridis"},
                           {"reversescale", true},
                           {"contours", {{"showlabels", true}, {"coloring", "heatmap"}}},
                           {"colorbar", {{"title", {{"text", "nats"}}}}}});
  nlohmann::json dots_x = nlohmann::json::array();
  nlohmann::json dots_y = nlohmann::json::array();
  for (const auto& [key, cell] : cells) {
    dots_x.push_back(key.second);
    dots_y.push_back(key.first);
  }
  figure.traces.push_back({{"type", "scatter"},
                           {"mode", "markers"},
                           {"x", dots_x},
                           {"y", dots_y},
                           {"showlegend", false},
                           {"hoverinfo", "skip"},
                           {"marker", {{"color", "white"}, {"size", 7}, {"line", {{"width", 1}}}}}});
  figure.layout = Axes("D (training tokens)", "N (parameters)", true, true);
  figure.layout["yaxis"]["exponentformat"] = "SI";
  figure.data = data;
  section->figures.push_back(std::move(figure));
}

}  // namespace

Section LossSection(const observe::Table& observations) {
  Section section;
  section.id = "loss";
  section.title = "Loss without quantization";
  Cells cells;
  for (size_t row = 0; row < observations.rows(); ++row) {
    const double size = observations.NumberAt(row, "N");
    const double budget = observations.NumberAt(row, "D");
    const double loss = observations.NumberAt(row, "loss");
    if (!IsFullPrecision(observations, row) || !std::isfinite(size) || !std::isfinite(budget) ||
        !std::isfinite(loss)) {
      continue;
    }
    LossCell& cell = cells[{size, budget}];
    cell.model = std::string(observations.TextAt(row, "model"));
    cell.losses.push_back(loss);
  }
  if (cells.empty()) {
    section.paragraphs.push_back("There are no finished full-precision runs.");
    return section;
  }
  observe::Table data;
  for (const auto& [key, cell] : cells) {
    // Columns and kinds are the same for every row, so appending cannot fail.
    (void)data.Append({{"model", cell.model},
                       {"N", key.first},
                       {"D", key.second},
                       {"loss", cell.Mean()},
                       {"half_spread_over_seeds", cell.Half()},
                       {"seeds", static_cast<double>(cell.losses.size())}});
  }
  section.figures.push_back(LossCurves(cells, data));
  AppendSurface(cells, data, &section);
  return section;
}

}  // namespace qatlas::report
