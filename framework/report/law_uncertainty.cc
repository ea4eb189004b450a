#include "framework/report/law_uncertainty.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "framework/fit/predict.h"
#include "framework/fit/profile.h"
#include "framework/report/law_curve.h"
#include "framework/report/law_tables.h"

namespace qatlas::report {
namespace {

// Forms with a curve for every category have dozens of parameters; the first tell the story.
constexpr int kProfiles = 8;
constexpr int kPaired = 5;
// Squared radius that holds 95% of a Gaussian in two dimensions: -2 ln .05.
constexpr double kJointRadius = 5.991464547107979;

Figure ProfileFigure(const std::string& id, const std::string& name, const fit::FitResult& fit) {
  Figure figure;
  figure.id = id + "-profiles";
  figure.title = absl::StrCat("How firmly the runs hold each parameter of ", name);
  figure.reading =
      "The parameter is held at x and everything else fitted again; y is how much worse the fit "
      "becomes, as a likelihood ratio. Below the dashed line lies the 95% interval. A curve that "
      "does "
      "not come up to the line on one side is open there: the runs set no limit.";
  fit::ProfileOptions options;
  options.points = 24;
  const fit::Problem& problem = *fit.problem;
  for (int i = 0; i < std::min(problem.coordinates(), kProfiles); ++i) {
    const fit::Parameter& parameter = problem.coordinate(i);
    const absl::StatusOr<fit::Profile> profile =
        fit::ProfileParameter(fit, parameter.name, options);
    if (!profile.ok()) continue;
    std::vector<double> x, y;
    bool positive = true;
    for (const fit::ProfilePoint& point : profile->points) {
      const double ratio = point.root * point.root;
      // Far beyond the cut a curve would flatten all others.
      if (!std::isfinite(ratio) || ratio > 4 * profile->cut * profile->cut) continue;
      x.push_back(point.value);
      y.push_back(ratio);
      positive &= point.value > 0;
      figure.data
          .Append({{"parameter", parameter.name},
                   {"value", point.value},
                   {"likelihood_ratio", ratio},
                   {"cut", profile->cut * profile->cut}})
          .IgnoreError();
    }
    if (x.size() < 3) continue;
    const size_t panel = figure.panels.size();
    const std::string label = ParameterLabel(
        fit, problem.form().Spec().parameters[static_cast<size_t>(parameter.base)].name,
        parameter.category, parameter.name);
    nlohmann::json trace = PointTrace(label, x, y, {}, 0, true);
    trace["marker"]["size"] = 4;
    trace["showlegend"] = false;
    InPanel(panel, &trace);
    figure.traces.push_back(std::move(trace));
    nlohmann::json cut = {{"type", "scatter"},
                          {"mode", "lines"},
                          {"x", {x.front(), x.back()}},
                          {"y", {profile->cut * profile->cut, profile->cut * profile->cut}},
                          {"line", {{"color", "#888888"}, {"dash", "dash"}, {"width", 1}}},
                          {"showlegend", false},
                          {"hoverinfo", "skip"}};
    InPanel(panel, &cut);
    figure.traces.push_back(std::move(cut));
    nlohmann::json axis = {{"title", {{"text", PlotText(label)}}}};
    if (positive && parameter.log && x.back() > 5 * x.front()) {
      axis["type"] = "log";
      axis["exponentformat"] = "power";
    }
    figure.layout[absl::StrCat("xaxis", panel + 1)] = std::move(axis);
    const bool open = profile->below == fit::End::kOpen || profile->above == fit::End::kOpen;
    figure.panels.push_back(
        PlotText(open ? absl::StrCat(label, " (open)")
                      : absl::StrCat(label, " = ",
                                     WithInterval(profile->estimate, profile->interval.low,
                                                  profile->interval.high))));
  }
  if (problem.coordinates() > kProfiles) {
    absl::StrAppend(&figure.reading, " The first ", kProfiles, " of ", problem.coordinates(),
                    " free parameters are shown.");
  }
  const nlohmann::json own = figure.layout;
  figure.layout = Axes("", "likelihood ratio", false, false);
  figure.layout.update(own);
  figure.wide = true;
  figure.height = 200;
  return figure;
}

// Joint 95% regions of two parameters at a time, from the covariance.
Figure PairFigure(const std::string& id, const std::string& name, const fit::FitResult& fit) {
  Figure figure;
  figure.id = id + "-pairs";
  figure.title = absl::StrCat("Which parameters of ", name, " trade off against each other");
  figure.reading =
      "Joint 95% regions of two parameters, from the covariance of the fit. A thin slanted region "
      "means that the runs fix a combination of the two and not each alone; r is the correlation "
      "as "
      "searched (of the logarithm where the axis is one).";
  const fit::Problem& problem = *fit.problem;
  const int count = std::min(problem.coordinates(), kPaired);
  const int p = problem.coordinates();
  constexpr int kSteps = 72;
  for (int i = 0; i < count; ++i) {
    for (int j = i + 1; j < count; ++j) {
      const double vi = fit.covariance[i * p + i];
      const double vj = fit.covariance[j * p + j];
      const double vij = fit.covariance[i * p + j];
      if (!(vi > 0) || !(vj > 0) || !std::isfinite(vi) || !std::isfinite(vj)) continue;
      const double r = std::clamp(vij / std::sqrt(vi * vj), -1.0, 1.0);
      const fit::Parameter& a = problem.coordinate(i);
      const fit::Parameter& b = problem.coordinate(j);
      const auto natural = [](const fit::Parameter& parameter, double u) {
        return parameter.log ? std::exp(u) : u;
      };
      std::vector<double> x, y;
      bool finite = true;
      for (int step = 0; step <= kSteps; ++step) {
        const double angle = 2 * M_PI * step / kSteps;
        const double u = std::cos(angle);
        const double v = r * u + std::sqrt(1 - r * r) * std::sin(angle);
        const double radius = std::sqrt(kJointRadius);
        x.push_back(natural(a, fit.coordinates[i] + radius * std::sqrt(vi) * u));
        y.push_back(natural(b, fit.coordinates[j] + radius * std::sqrt(vj) * v));
        finite &= std::isfinite(x.back()) && std::isfinite(y.back());
      }
      if (!finite) continue;
      const size_t panel = figure.panels.size();
      nlohmann::json ring = {{"type", "scatter"},
                             {"mode", "lines"},
                             {"x", NumbersOrNull(x)},
                             {"y", NumbersOrNull(y)},
                             {"fill", "toself"},
                             {"fillcolor", PaleColor(0, .15)},
                             {"line", {{"color", SeriesColor(0)}, {"width", 1}}},
                             {"showlegend", false},
                             {"hoverinfo", "skip"}};
      InPanel(panel, &ring);
      figure.traces.push_back(std::move(ring));
      nlohmann::json point = PointTrace("estimate", {natural(a, fit.coordinates[i])},
                                        {natural(b, fit.coordinates[j])}, {}, 0, false);
      point["showlegend"] = false;
      InPanel(panel, &point);
      figure.traces.push_back(std::move(point));
      const auto axis = [](const fit::Parameter& parameter) {
        // Beside the ticks, however wide they are.
        nlohmann::json result = {{"title", {{"text", PlotText(parameter.name)}, {"standoff", 6}}}};
        if (parameter.log) {
          result["type"] = "log";
          result["nticks"] = 5;
          result["exponentformat"] = "power";
        }
        return result;
      };
      figure.layout[absl::StrCat("xaxis", panel + 1)] = axis(a);
      figure.layout[absl::StrCat("yaxis", panel + 1)] = axis(b);
      figure.panels.push_back(absl::StrFormat("r = %.2f", std::fabs(r) < .005 ? 0 : r));
      figure.data
          .Append({{"first", a.name},
                   {"second", b.name},
                   {"correlation", r},
                   {"first_estimate", natural(a, fit.coordinates[i])},
                   {"second_estimate", natural(b, fit.coordinates[j])},
                   {"first_search_standard_error", std::sqrt(vi)},
                   {"second_search_standard_error", std::sqrt(vj)}})
          .IgnoreError();
    }
  }
  const nlohmann::json own = figure.layout;
  figure.layout = Axes("", "", false, false);
  figure.layout.update(own);
  figure.own_y = true;
  figure.wide = true;
  figure.height = 180;
  figure.panel_width = 190;
  return figure;
}

// The row whose G is the median, all else as it stands there: what the surface is drawn at.
size_t MiddleRow(const fit::Problem& problem, const observe::Table& table) {
  std::vector<std::pair<double, size_t>> order;
  for (int64_t i = 0; i < problem.rows(); ++i) {
    const double group = table.NumberAt(problem.row(i), "G");
    order.emplace_back(std::isfinite(group) ? group : 0, problem.row(i));
  }
  std::sort(order.begin(), order.end());
  return order[order.size() / 2].second;
}

std::optional<Figure> SurfaceFigure(const std::string& id, const std::string& name,
                                    const fit::FitResult& fit, const observe::Table& table) {
  const fit::Problem& problem = *fit.problem;
  std::vector<double> sizes, budgets, targets;
  for (int64_t i = 0; i < problem.rows(); ++i) {
    sizes.push_back(table.NumberAt(problem.row(i), "N"));
    budgets.push_back(table.NumberAt(problem.row(i), "D"));
    targets.push_back(problem.target()[i]);
    if (!(sizes.back() > 0) || !(budgets.back() > 0)) return std::nullopt;
  }
  const auto [least_n, most_n] = std::minmax_element(sizes.begin(), sizes.end());
  const auto [least_d, most_d] = std::minmax_element(budgets.begin(), budgets.end());
  if (!(*least_n < *most_n) || !(*least_d < *most_d)) return std::nullopt;
  const FittedLaw law{&fit, &table, name};
  if (!CanVary(law, "N", true) && !CanVary(law, "D", true)) return std::nullopt;
  const std::vector<double> n = fit::LogSpaced(*least_n, *most_n, 24);
  const std::vector<double> d = fit::LogSpaced(*least_d, *most_d, 24);
  const size_t row = MiddleRow(problem, table);
  const auto surface = SurfaceOver(law, table, row, n, d);
  if (!surface.has_value()) return std::nullopt;
  Figure figure;
  figure.id = id + "-surface";
  const double group = table.NumberAt(row, "G");
  const bool reads_group = problem.form().Spec().CovariateIndex("G") >= 0 && group > 0;
  figure.title =
      absl::StrCat("The ", problem.target_name() == "delta" ? "δ" : problem.target_name(), " that ",
                   name, " expects at each size and budget",
                   reads_group ? absl::StrCat(", G = ", ShortCount(group)) : "");
  figure.reading =
      "Lines of equal value of the fitted law; rings are the runs. The surface ends at the "
      "smallest "
      "and largest size and budget; a corner without rings is an extrapolation.";
  nlohmann::json z = nlohmann::json::array();
  for (size_t i = 0; i < n.size(); ++i) {
    z.push_back(NumbersOrNull((*surface)[i]));
    for (size_t j = 0; j < d.size(); ++j) {
      figure.data.Append({{"N", n[i]}, {"D", d[j]}, {"predicted", (*surface)[i][j]}}).IgnoreError();
    }
  }
  figure.traces.push_back({{"type", "contour"},
                           {"x", NumbersOrNull(d)},
                           {"y", NumbersOrNull(n)},
                           {"z", std::move(z)},
                           {"colorscale", "Blues"},
                           {"reversescale", false},
                           {"contours", {{"coloring", "heatmap"}, {"showlabels", true}}},
                           {"line", {{"color", "#ffffff"}, {"width", 1}}},
                           {"colorbar", {{"thickness", 10}}}});
  nlohmann::json runs = PointTrace("runs", budgets, sizes, {}, 1, false);
  // Seen on dark and on light ground.
  runs["marker"] = {
      {"color", "white"}, {"size", 7}, {"line", {{"color", "#1c2430"}, {"width", 1.5}}}};
  runs["showlegend"] = false;
  figure.traces.push_back(std::move(runs));
  figure.layout = Axes("D (tokens)", "N (parameters)", true, true);
  TickAt(budgets, &figure.layout["xaxis"]);
  TickAt(sizes, &figure.layout["yaxis"]);
  return figure;
}

}  // namespace

void AppendUncertainty(const std::string& id, const std::string& name, const fit::FitResult& fit,
                       const observe::Table& table, Section* section) {
  if (std::optional<Figure> surface = SurfaceFigure(id, name, fit, table); surface.has_value()) {
    section->figures.push_back(*std::move(surface));
  }
  // Of rounding alone curves and regions would be polygons.
  if (!fit::HasNoise(fit)) return;
  Figure profiles = ProfileFigure(id, name, fit);
  if (!profiles.traces.empty()) section->figures.push_back(std::move(profiles));
  if (fit.identifiability.identifiable && !fit.covariance.empty()) {
    Figure pairs = PairFigure(id, name, fit);
    if (!pairs.traces.empty()) section->figures.push_back(std::move(pairs));
  }
}

}  // namespace qatlas::report
