#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "framework/report/labels.h"
#include "framework/report/sections.h"
#include "framework/report/site_groups.h"
#include "framework/report/site_trend.h"

namespace qatlas::report {
namespace {

// Numbers in the fields are readable up to so many blocks.
constexpr size_t kMostNumbers = 10;

constexpr SiteStatistic kStatistics[] = {
    {"kurtosis", "Heavy tails by site: kurtosis",
     "Kurtosis of each site's tensor (a normal distribution has 3), colour on a logarithmic scale. "
     "The heavier the tails, the more levels a scale that follows the maximum spends on outliers.",
     "kurtosis", true, false},
    {"max_to_median", "Outliers by site: maximum over median",
     "Largest over median magnitude, colour on a logarithmic scale. The larger, the fewer levels "
     "are left for an ordinary value of the group.",
     "maximum over median", true, false},
    {"snr_db", "Signal to quantization noise by site",
     "10 log10 of the signal's power over that of the quantization error, in dB. Lower is worse; a "
     "bit more is worth about 6 dB.",
     "signal to noise (dB)", false, true},
};

class HeatMap {
 public:
  HeatMap(const observe::Table& sites, const SiteStatistic& statistic)
      : sites_(sites), statistic_(statistic), names_(RolesAndOperands(sites)) {
    // Plotly counts from below.
    std::reverse(names_.begin(), names_.end());
  }

  void Add(const RunGroup& group) {
    std::map<std::pair<std::string, double>, std::vector<double>> values;
    std::set<double> blocks;
    for (size_t row = 0; row < sites_.rows(); ++row) {
      const double value = sites_.NumberAt(row, statistic_.column);
      if (!std::isfinite(value) || group.runs.count(std::string(sites_.TextAt(row, "run"))) == 0) {
        continue;
      }
      const double block = sites_.NumberAt(row, "block");
      values[{RoleAndOperand(sites_, row), block}].push_back(value);
      blocks.insert(block);
    }
    if (values.empty()) return;
    nlohmann::json x = nlohmann::json::array();
    nlohmann::json y = nlohmann::json::array();
    nlohmann::json z = nlohmann::json::array();
    nlohmann::json text = nlohmann::json::array();
    for (double block : blocks) x.push_back(ShortNumber(block));
    for (const std::string& name : names_) {
      y.push_back(PlotText(name));
      nlohmann::json line = nlohmann::json::array();
      nlohmann::json labels = nlohmann::json::array();
      for (double block : blocks) {
        const auto found = values.find({name, block});
        const double median = found == values.end() ? std::nan("") : Median(found->second);
        const double shade = statistic_.log ? std::log10(median) : median;
        if (std::isfinite(shade)) {
          low_ = std::min(low_, shade);
          high_ = std::max(high_, shade);
        }
        line.push_back(NumberOrNull(shade));
        labels.push_back(ShortNumber(median, 3));
        figure_.data
            .Append(
                {{"runs", group.label},
                 {"site", name},
                 {"block", block},
                 {statistic_.column, median},
                 {"values", static_cast<double>(found == values.end() ? 0 : found->second.size())}})
            .IgnoreError();
      }
      z.push_back(std::move(line));
      text.push_back(std::move(labels));
    }
    nlohmann::json trace = {{"type", "heatmap"},
                            {"x", x},
                            {"y", y},
                            {"z", std::move(z)},
                            {"text", std::move(text)},
                            {"hovertemplate", "%{y}, block %{x}: %{text}<extra></extra>"},
                            {"coloraxis", "coloraxis"},
                            {"xgap", 1},
                            {"ygap", 1}};
    if (blocks.size() <= kMostNumbers) {
      trace["texttemplate"] = "%{text}";
      trace["textfont"] = {{"size", 11}};
    }
    InPanel(figure_.panels.size(), &trace);
    figure_.traces.push_back(std::move(trace));
    figure_.panels.push_back(group.label);
  }

  // Without traces where no run has the statistic.
  Figure Finish() {
    figure_.id = absl::StrCat("sites-", statistic_.column);
    figure_.title = statistic_.title;
    figure_.reading =
        absl::StrCat(statistic_.reading, " Median over the seeds of the runs named above each map",
                     statistic_.of_noise ? ", the largest model at its largest budget."
                                         : ", each size at its largest budget.");
    figure_.layout = Axes("block", "", false, false);
    for (const char* axis : {"xaxis", "yaxis"}) {
      figure_.layout[axis]["type"] = "category";
      figure_.layout[axis]["showgrid"] = false;
      figure_.layout[axis]["ticks"] = "";
    }
    // Few different shades say little; the scale must not stretch rounding into colours.
    if (low_ <= high_) {
      figure_.layout["coloraxis"] = {{"colorscale", "Viridis"},
                                     {"reversescale", !statistic_.of_noise},
                                     {"showscale", false},
                                     {"cmin", low_},
                                     {"cmax", std::max(high_, low_ + 1e-9)}};
    }
    figure_.wide = true;
    figure_.height = 26 * static_cast<int>(std::max<size_t>(names_.size(), 4));
    figure_.panel_width = 300;
    return std::move(figure_);
  }

 private:
  const observe::Table& sites_;
  const SiteStatistic& statistic_;
  std::vector<std::string> names_;
  Figure figure_;
  double low_ = INFINITY;
  double high_ = -INFINITY;
};

}  // namespace

Section SitesSection(const observe::Table& observations, const observe::Table& sites,
                     const observe::Table& history) {
  Section section;
  section.id = "sites";
  section.title = "Site by site";
  for (const SiteStatistic& statistic : kStatistics) {
    HeatMap map(sites, statistic);
    for (const RunGroup& group : ShownGroups(observations, sites, statistic)) map.Add(group);
    Figure figure = map.Finish();
    if (!figure.traces.empty()) section.figures.push_back(std::move(figure));
    Figure trend = SiteTrend(observations, history, statistic);
    if (!trend.traces.empty()) section.figures.push_back(std::move(trend));
  }
  return section;
}

}  // namespace qatlas::report
