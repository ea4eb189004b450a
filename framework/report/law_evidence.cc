#include "framework/report/law_evidence.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace qatlas::report {
namespace {

// Bars of single runs shown; the data have all.
constexpr size_t kRunsShown = 20;

std::string RangeText(const compare::Range& range) {
  const std::string low = ShortCount(range.low);
  const std::string high = ShortCount(range.high);
  return low == high ? low : absl::StrCat(low, "–", high);
}

std::string RegionText(const compare::WinRegion& region, bool with_columns) {
  return absl::StrJoin(region.ranges, ", ", [&](std::string* out, const compare::Range& range) {
    absl::StrAppend(out, with_columns ? absl::StrCat(range.column, " ") : "", RangeText(range));
  });
}

double Smallest(const std::vector<double>& values) {
  double least = INFINITY;
  for (double value : values) {
    if (std::isfinite(value)) least = std::min(least, value);
  }
  return least;
}

// Of each column alone: a cell a form and a range of the column, its error over the best one's.
Figure WinFigure(const std::string& id, const compare::Comparison& comparison) {
  Figure figure;
  figure.id = id + "-win-map";
  figure.title = "Where each form predicts best";
  figure.reading =
      "Held-out error of a form over that of the best form there, so that 1 is the best (its error "
      "stands in the cell). A star marks a region whose best form is clear of the second: p < .05 "
      "in "
      "a paired test on at least five runs. Regions without a star decide nothing.";
  for (const compare::WinMap& map : comparison.win_maps) {
    if (map.columns.size() != 1 || map.regions.size() < 2) continue;
    nlohmann::json x = nlohmann::json::array();
    for (const compare::WinRegion& region : map.regions) {
      x.push_back(PlotText(absl::StrCat(RegionText(region, false), region.clear ? " ★" : "")));
    }
    nlohmann::json y = nlohmann::json::array();
    nlohmann::json z = nlohmann::json::array();
    nlohmann::json text = nlohmann::json::array();
    // The first of the ranking on top.
    for (size_t form = comparison.ranking.size(); form-- > 0;) {
      y.push_back(PlotText(comparison.ranking[form].name));
      nlohmann::json z_row = nlohmann::json::array();
      nlohmann::json text_row = nlohmann::json::array();
      for (const compare::WinRegion& region : map.regions) {
        const double error = region.rmse[form];
        const double ratio = error / Smallest(region.rmse);
        z_row.push_back(NumberOrNull(ratio));
        text_row.push_back(std::isfinite(error) ? ShortNumber(error, 2) : "–");
      }
      z.push_back(std::move(z_row));
      text.push_back(std::move(text_row));
    }
    nlohmann::json trace = {{"type", "heatmap"},
                            {"x", std::move(x)},
                            {"y", std::move(y)},
                            {"z", std::move(z)},
                            {"text", std::move(text)},
                            {"texttemplate", "%{text}"},
                            {"zmin", 1},
                            {"zmax", 2},
                            {"showscale", figure.panels.empty()},
                            {"colorbar", {{"title", {{"text", "× best"}}}, {"thickness", 10}}},
                            {"colorscale", {{0, "#0072B2"}, {.25, "#9CC9E6"}, {1, "#F4F4F4"}}},
                            {"xgap", 2},
                            {"ygap", 2},
                            {"hovertemplate", "%{y}<br>%{x}<br>× best %{z:.2f}<extra></extra>"}};
    InPanel(figure.panels.size(), &trace);
    figure.traces.push_back(std::move(trace));
    figure.panels.push_back(absl::StrCat("by ", map.columns[0]));
  }
  for (const compare::WinMap& map : comparison.win_maps) {
    if (map.columns.size() != 1) continue;
    for (const compare::WinRegion& region : map.regions) {
      for (size_t form = 0; form < comparison.ranking.size(); ++form) {
        figure.data
            .Append({{"column", map.columns[0]},
                     {"low", region.ranges[0].low},
                     {"high", region.ranges[0].high},
                     {"form", comparison.ranking[form].name},
                     {"rmse", region.rmse[form]},
                     {"rows", static_cast<double>(region.rows)},
                     {"best", region.winner},
                     {"clear", std::string(region.clear ? "yes" : "no")}})
            .IgnoreError();
      }
    }
  }
  figure.layout = Axes("", "", false, false);
  figure.layout["xaxis"]["type"] = "category";
  figure.layout["yaxis"]["type"] = "category";
  figure.wide = true;
  figure.height = static_cast<int>(60 + 34 * comparison.ranking.size());
  return figure;
}

ShownTable WinTable(const std::string& id, const compare::WinMap& map) {
  ShownTable table;
  table.id = id + "-win-regions";
  table.title = absl::StrCat("Best form by ", absl::StrJoin(map.columns, " and "), " together");
  table.reading =
      "Root mean square of held-out errors in each region; \"clear\" where the best form's squared "
      "errors are below the second's beyond their noise.";
  table.collapsed = map.regions.size() > 8;
  for (const compare::WinRegion& region : map.regions) {
    table.data
        .Append({{"region", RegionText(region, true)},
                 {"rows", static_cast<double>(region.rows)},
                 {"best", region.winner.empty() ? std::string("–") : region.winner},
                 {"rmse", Smallest(region.rmse)},
                 {"second", region.second.empty() ? std::string("–") : region.second},
                 {"p", region.p},
                 {"clear", std::string(region.clear ? "yes" : "no")}})
        .IgnoreError();
  }
  return table;
}

// Round values over the range of `values`, for the ticks of a logarithmic axis: 1, 2 and 5, all
// digits where these are fewer than two, whole decades where they are many. Empty: no such values.
std::vector<double> RoundTicks(const std::vector<double>& values) {
  constexpr size_t kMost = 8;
  if (values.empty()) return {};
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  if (!(*low > 0) || !std::isfinite(*high)) return {};
  std::vector<double> ticks;
  for (const std::vector<double>& digits :
       {std::vector<double>{1, 2, 5}, {1}, {1, 2, 3, 4, 5, 6, 7, 8, 9}}) {
    if (ticks.size() >= 2 && ticks.size() <= kMost) break;
    if (ticks.size() > kMost && digits.size() > 1) break;
    if (ticks.size() < 2 && digits.size() == 1) continue;
    ticks.clear();
    for (int power = static_cast<int>(std::floor(std::log10(*low))) - 1;
         power <= std::ceil(std::log10(*high)); ++power) {
      for (double digit : digits) {
        const double tick = digit * std::pow(10, power);
        // The axis reaches somewhat beyond the values.
        if (tick >= *low / 1.1 && tick <= 1.1 * *high) ticks.push_back(tick);
      }
    }
  }
  return ticks.size() < 2 ? std::vector<double>{*low, *high} : ticks;
}

Figure FanFigure(const std::string& id, const compare::Comparison& comparison) {
  Figure figure;
  figure.id = id + "-extrapolation";
  figure.title = "How errors grow with the distance extrapolated";
  figure.reading =
      "Each form is fitted to the runs up to a threshold of the column and predicts those beyond; "
      "at x a run lies that many times beyond the threshold. A form to plan with stays low to the "
      "right; a point rests on as many predictions as the data say.";
  std::vector<std::string> axes;
  std::vector<double> distances, errors;
  std::set<size_t> listed;
  for (size_t form = 0; form < comparison.ranking.size(); ++form) {
    const compare::Ranked& ranked = comparison.ranking[form];
    for (const compare::Extrapolation& extrapolation : ranked.extrapolation) {
      std::vector<double> x, y;
      for (const compare::FanStep& step : extrapolation.fan) {
        figure.data
            .Append({{"form", ranked.name},
                     {"axis", extrapolation.axis},
                     {"beyond_low", step.low},
                     {"beyond_high", step.high},
                     {"predictions", static_cast<double>(step.predictions)},
                     {"rmse", step.rmse},
                     {"mean_relative_error", step.mean_relative_error},
                     {"bias", step.bias}})
            .IgnoreError();
        if (!std::isfinite(step.rmse) || step.predictions == 0) continue;
        x.push_back(std::sqrt(step.low * step.high));
        y.push_back(step.rmse);
        errors.push_back(step.rmse);
        distances.insert(distances.end(), {step.low, step.high});
      }
      if (x.empty()) continue;
      auto place = std::find(axes.begin(), axes.end(), extrapolation.axis);
      if (place == axes.end()) place = axes.insert(axes.end(), extrapolation.axis);
      nlohmann::json trace = PointTrace(ranked.name, x, y, {}, form, true);
      // One entry of the legend a form, whichever panel has it first.
      trace["legendgroup"] = trace["name"];
      trace["showlegend"] = listed.insert(form).second;
      InPanel(static_cast<size_t>(place - axes.begin()), &trace);
      figure.traces.push_back(std::move(trace));
    }
  }
  for (const std::string& axis : axes) figure.panels.push_back(absl::StrCat("in ", axis));
  figure.layout =
      Axes("times beyond the runs fitted to", "RMSE of predictions (nats/token)", true, true);
  figure.layout["showlegend"] = true;
  // Plotly's own labels of a logarithmic axis leave out the decade: a bare 5 for .005.
  TickAt(distances, &figure.layout["xaxis"]);
  TickAt(RoundTicks(errors), &figure.layout["yaxis"]);
  figure.wide = true;
  return figure;
}

Figure InfluenceFigure(const std::string& id, const compare::Comparison& comparison) {
  const compare::Robustness& robustness = comparison.robustness;
  Figure figure;
  figure.id = id + "-influence";
  figure.title =
      robustness.flipping_runs > 0
          ? absl::StrCat(robustness.flipping_runs, " of ", robustness.examined_runs,
                         " runs could change the first place alone")
          : absl::StrCat("No single run of ", robustness.examined_runs, " changes the first place");
  figure.reading =
      absl::StrCat("AICc of the best rival less that of ", comparison.ranking.front().name,
                   " when one run is left out; the dashed line is the value with all runs. Left of "
                   "0 another form "
                   "would be first. The runs that change it most are shown.");
  const size_t shown = std::min(kRunsShown, robustness.runs.size());
  nlohmann::json labels = nlohmann::json::array();
  std::vector<double> gaps;
  // Plotly draws the first category lowest.
  for (size_t i = shown; i-- > 0;) {
    labels.push_back(PlotText(robustness.runs[i].where));
    gaps.push_back(robustness.runs[i].gap);
  }
  nlohmann::json colors = nlohmann::json::array();
  for (size_t i = shown; i-- > 0;) colors.push_back(SeriesColor(robustness.runs[i].flips ? 1 : 0));
  figure.traces.push_back({{"type", "scatter"},
                           {"mode", "markers"},
                           {"x", NumbersOrNull(gaps)},
                           {"y", std::move(labels)},
                           {"marker", {{"color", std::move(colors)}, {"size", 8}}},
                           {"showlegend", false}});
  for (const compare::Influence& run : robustness.runs) {
    figure.data
        .Append({{"run", run.where},
                 {"first_without_it", run.first},
                 {"gap", run.gap},
                 {"gap_change", run.gap_change},
                 {"flips", std::string(run.flips ? "yes" : "no")},
                 {"parameter_moved_most", run.parameter},
                 {"moved_by_standard_errors", run.shift}})
        .IgnoreError();
  }
  figure.layout = Axes("AICc gap without the run", "", false, false);
  figure.layout["yaxis"]["type"] = "category";
  figure.layout["shapes"] = {{{"type", "line"},
                              {"x0", NumberOrNull(robustness.gap)},
                              {"x1", NumberOrNull(robustness.gap)},
                              {"y0", 0},
                              {"y1", 1},
                              {"yref", "paper"},
                              {"line", {{"dash", "dash"}, {"color", "#888888"}, {"width", 1}}}},
                             {{"type", "line"},
                              {"x0", 0},
                              {"x1", 0},
                              {"y0", 0},
                              {"y1", 1},
                              {"yref", "paper"},
                              {"line", {{"color", "#444444"}, {"width", 1}}}}};
  figure.height = static_cast<int>(80 + 16 * shown);
  figure.wide = true;  // names of runs are long
  return figure;
}

ShownTable NestedTable(const std::string& id, const compare::Comparison& comparison) {
  ShownTable table;
  table.id = id + "-nested";
  table.title = "Is the simpler form enough?";
  table.reading =
      "Where one form is another with parameters held, the likelihood ratio says whether freeing "
      "them "
      "is worth it: small p speaks against the simpler form. Where the held value lies on a bound, "
      "p "
      "is of the mixture that holds there.";
  for (const compare::NestedTest& test : comparison.nested) {
    table.data
        .Append({{"simpler", test.restricted},
                 {"inside", test.full},
                 {"held", test.restriction.empty() ? std::string("–") : test.restriction},
                 {"degrees", static_cast<double>(test.degrees)},
                 {"likelihood ratio", test.statistic},
                 {"p", test.on_bound ? test.p_on_bound : test.p},
                 {"on a bound", std::string(test.on_bound ? "yes" : "no")}})
        .IgnoreError();
    table.shown
        .Append({{"simpler", test.restricted},
                 {"inside", test.full},
                 {"held", test.restriction.empty() ? std::string("–") : test.restriction},
                 {"degrees", static_cast<double>(test.degrees)},
                 {"likelihood ratio", ShortNumber(test.statistic, 3)},
                 {"p", ShortNumber(test.on_bound ? test.p_on_bound : test.p, 2)},
                 {"on a bound", std::string(test.on_bound ? "yes" : "no")}})
        .IgnoreError();
  }
  return table;
}

ShownTable VariantTable(const std::string& id, const compare::Comparison& comparison) {
  ShownTable table;
  table.id = id + "-robustness";
  table.title = "Does the first place depend on how the fit is made?";
  table.reading =
      "The ranking under other losses, and with N counted otherwise. The gap is the AICc of the "
      "best "
      "rival less that of the form that is first overall; below 0 another form is first. A loss "
      "that "
      "the runs themselves speak against does not count.";
  const auto append = [&](const std::vector<compare::Variant>& variants, const char* kind) {
    for (const compare::Variant& variant : variants) {
      table.data
          .Append({{"kind", std::string(kind)},
                   {"variant", variant.what},
                   {"first", variant.first},
                   {"gap", variant.gap},
                   {"counts", std::string(variant.plausible ? "yes" : "no")},
                   {"another is first", std::string(variant.flips ? "yes" : "no")}})
          .IgnoreError();
    }
  };
  append(comparison.robustness.losses, "loss");
  append(comparison.robustness.sizes, "size");
  return table;
}

}  // namespace

void AppendEvidence(const std::string& id, const compare::Comparison& comparison,
                    Section* section) {
  if (comparison.ranking.empty()) return;
  Figure wins = WinFigure(id, comparison);
  if (!wins.traces.empty()) section->figures.push_back(std::move(wins));
  for (const compare::WinMap& map : comparison.win_maps) {
    if (map.columns.size() > 1 && !map.regions.empty()) {
      section->tables.push_back(WinTable(id, map));
      break;
    }
  }
  Figure fan = FanFigure(id, comparison);
  if (!fan.traces.empty()) section->figures.push_back(std::move(fan));
  // With one form alone there is no place to change.
  if (comparison.ranking.size() > 1 && !comparison.robustness.runs.empty()) {
    section->figures.push_back(InfluenceFigure(id, comparison));
  }
  if (!comparison.nested.empty()) section->tables.push_back(NestedTable(id, comparison));
  if (!comparison.robustness.losses.empty() || !comparison.robustness.sizes.empty()) {
    section->tables.push_back(VariantTable(id, comparison));
  }
}

}  // namespace qatlas::report
