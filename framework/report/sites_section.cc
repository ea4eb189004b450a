#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/observe/schema.h"
#include "framework/report/labels.h"
#include "framework/report/sections.h"

namespace qatlas::report {
namespace {

constexpr size_t kMostPanels = 6;
// Numbers in the fields are readable up to so many blocks.
constexpr size_t kMostNumbers = 10;

struct Statistic {
  const char* column;
  const char* title;
  const char* reading;
  bool log;
  bool of_noise;  // depends on the quantizer, not on the model alone
};
constexpr Statistic kStatistics[] = {
    {"kurtosis", "Heavy tails by site: kurtosis",
     "Kurtosis of each site's tensor (a normal distribution has 3), colour on a logarithmic scale. "
     "The heavier the tails, the more levels a scale that follows the maximum spends on outliers.",
     true, false},
    {"max_to_median", "Outliers by site: maximum over median",
     "Largest over median magnitude, colour on a logarithmic scale. The larger, the fewer levels "
     "are left for an ordinary value of the group.",
     true, false},
    {"snr_db", "Signal to quantization noise by site",
     "10 log10 of the signal's power over that of the quantization error, in dB. Lower is worse; a "
     "bit more is worth about 6 dB.",
     false, true},
};

// Runs that differ in their seed alone.
struct RunGroup {
  std::string label;
  double size = 0;
  double budget = 0;
  std::set<std::string> runs;
};

bool Has(const observe::Table& sites, const std::string& column,
         const std::set<std::string>& runs) {
  for (size_t row = 0; row < sites.rows(); ++row) {
    if (std::isfinite(sites.NumberAt(row, column)) &&
        runs.count(std::string(sites.TextAt(row, "run"))) > 0) {
      return true;
    }
  }
  return false;
}

Key KeyOfRow(const observe::Table& table, size_t row) {
  Key key;
  for (const char* column : {"model", "N", "D", "quantizer", "G", "granularity", "qat_fraction",
                             "weight_bits", "input_bits"}) {
    if (table.Has(column)) key.emplace_back(column, table.At(row, column));
  }
  return key;
}

// Groups of runs of one part, with their labels. Full precision has neither bits nor groups.
std::vector<RunGroup> GroupsOf(const observe::Table& table, bool full_precision) {
  std::vector<RunGroup> groups;
  for (size_t row = 0; row < table.rows(); ++row) {
    const std::string run(table.TextAt(row, "run"));
    const bool plain = IsFullPrecision(table, row);
    const absl::string_view part = table.TextAt(row, "part");
    if (run.empty() || plain != full_precision) continue;
    if (!plain && !part.empty() && part != observe::kPartBoth) continue;
    Key key = KeyOfRow(table, row);
    const std::string label = plain ? CellLabel(key, {"G", "granularity", "weight_bits",
                                                      "input_bits", "qat_fraction", "quantizer"})
                                    : CellLabel(key);
    auto found = std::find_if(groups.begin(), groups.end(),
                              [&](const RunGroup& group) { return group.label == label; });
    if (found == groups.end()) {
      found = groups.insert(groups.end(),
                            {label, table.NumberAt(row, "N"), table.NumberAt(row, "D"), {}});
    }
    found->runs.insert(run);
  }
  return groups;
}

double OrZero(double value) { return std::isfinite(value) ? value : 0; }

// Those of the largest budget of each size, small models first; for noise the largest size alone.
std::vector<RunGroup> Chosen(std::vector<RunGroup> groups, bool largest_size_only) {
  double largest = 0;
  std::map<double, double> budgets;
  for (const RunGroup& group : groups) {
    const double size = OrZero(group.size);
    largest = std::max(largest, size);
    double& budget = budgets[size];
    budget = std::max(budget, OrZero(group.budget));
  }
  std::vector<RunGroup> chosen;
  for (RunGroup& group : groups) {
    const double size = OrZero(group.size);
    if (OrZero(group.budget) < budgets[size]) continue;
    if (largest_size_only && size < largest) continue;
    chosen.push_back(std::move(group));
  }
  std::stable_sort(chosen.begin(), chosen.end(), [](const RunGroup& a, const RunGroup& b) {
    return OrZero(a.size) < OrZero(b.size);
  });
  if (chosen.size() > kMostPanels) chosen.resize(kMostPanels);
  return chosen;
}

double Median(std::vector<double> values) {
  if (values.empty()) return std::nan("");
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::string SiteName(const observe::Table& sites, size_t row) {
  return absl::StrCat(sites.TextAt(row, "role"), ".", sites.TextAt(row, "operand"));
}

class HeatMap {
 public:
  HeatMap(const observe::Table& sites, const Statistic& statistic)
      : sites_(sites), statistic_(statistic) {
    // In order of execution, which is the order of the rows; Plotly counts from below.
    for (size_t row = 0; row < sites.rows(); ++row) {
      const std::string name = SiteName(sites, row);
      if (std::find(names_.begin(), names_.end(), name) == names_.end()) names_.push_back(name);
    }
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
      values[{SiteName(sites_, row), block}].push_back(value);
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
  const Statistic& statistic_;
  Figure figure_;
  std::vector<std::string> names_;
  double low_ = INFINITY;
  double high_ = -INFINITY;
};

}  // namespace

Section SitesSection(const observe::Table& observations, const observe::Table& sites) {
  Section section;
  section.id = "sites";
  section.title = "Site by site";
  if (sites.rows() == 0) return section;
  for (const Statistic& statistic : kStatistics) {
    // What the tensors look like is read off full precision, where it was recorded.
    std::vector<RunGroup> groups;
    for (bool full_precision : {true, false}) {
      if (full_precision && statistic.of_noise) continue;
      for (RunGroup& group : GroupsOf(observations, full_precision)) {
        if (Has(sites, statistic.column, group.runs)) groups.push_back(std::move(group));
      }
      if (!groups.empty()) break;
    }
    HeatMap map(sites, statistic);
    for (const RunGroup& group : Chosen(std::move(groups), statistic.of_noise)) map.Add(group);
    Figure figure = map.Finish();
    if (!figure.traces.empty()) section.figures.push_back(std::move(figure));
  }
  return section;
}

}  // namespace qatlas::report
