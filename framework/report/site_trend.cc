#include "framework/report/site_trend.h"

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace qatlas::report {
namespace {

// role.operand → tokens → values of all blocks and seeds.
using Lines = std::map<std::string, std::map<double, std::vector<double>>>;

Lines LinesOf(const observe::Table& history, const RunGroup& group, const char* column) {
  Lines lines;
  for (size_t row = 0; row < history.rows(); ++row) {
    const double value = history.NumberAt(row, column);
    const double tokens = history.NumberAt(row, "tokens");
    if (!std::isfinite(value) || !std::isfinite(tokens) ||
        group.runs.count(std::string(history.TextAt(row, "run"))) == 0) {
      continue;
    }
    lines[RoleAndOperand(history, row)][tokens].push_back(value);
  }
  return lines;
}

}  // namespace

Figure SiteTrend(const observe::Table& observations, const observe::Table& history,
                 const SiteStatistic& statistic) {
  Figure figure;
  if (history.rows() == 0) return figure;
  const std::vector<std::string> names = RolesAndOperands(history);
  std::set<std::string> in_legend;
  for (const RunGroup& group : ShownGroups(observations, history, statistic)) {
    const Lines lines = LinesOf(history, group, statistic.column);
    std::set<double> records;
    for (const auto& [name, line] : lines) {
      for (const auto& [tokens, values] : line) records.insert(tokens);
    }
    if (records.size() < 2) continue;
    for (size_t series = 0; series < names.size(); ++series) {
      const auto found = lines.find(names[series]);
      if (found == lines.end()) continue;
      std::vector<double> x, y;
      for (const auto& [tokens, values] : found->second) {
        const double median = Median(values);
        x.push_back(tokens);
        y.push_back(median);
        figure.data
            .Append({{"runs", group.label},
                     {"site", names[series]},
                     {"tokens", tokens},
                     {statistic.column, median},
                     {"values", static_cast<double>(values.size())}})
            .IgnoreError();
      }
      nlohmann::json trace = PointTrace(names[series], x, y, {}, series, true);
      trace["marker"]["size"] = 5;
      trace["showlegend"] = in_legend.insert(names[series]).second;
      trace["legendgroup"] = PlotText(names[series]);
      InPanel(figure.panels.size(), &trace);
      figure.traces.push_back(std::move(trace));
    }
    figure.panels.push_back(group.label);
  }
  figure.id = absl::StrCat("site-trend-", statistic.column);
  figure.title = absl::StrCat("While training: ", statistic.axis);
  figure.reading = absl::StrCat(
      "Median over blocks and seeds of the runs named above each panel, by role and operand. ",
      statistic.of_noise ? "The line begins where quantization is switched on; marks "
                         : "Marks ",
      "are the steps at which it was recorded.");
  figure.layout = Axes("tokens", statistic.axis, false, statistic.log);
  // Every digit of a decade would be labelled else.
  if (statistic.log) figure.layout["yaxis"]["dtick"] = "D2";
  figure.wide = true;
  return figure;
}

}  // namespace qatlas::report
