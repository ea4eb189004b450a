#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "framework/report/decomposition_section.h"

namespace qatlas::report {
namespace {

struct Statistic {
  const char* column;
  const char* title;
  const char* reading;
  bool log;
};

constexpr Statistic kStatistics[] = {
    {"kurtosis", "Heavy tails by site: kurtosis",
     "Kurtosis of each site's tensor (a normal distribution has 3), colour on a logarithmic scale. The heavier "
     "the tails, the more a scale that follows the maximum wastes on outliers.",
     true},
    {"max_to_median", "Outliers by site: maximum over median",
     "Largest over median magnitude, colour on a logarithmic scale.", true},
    {"snr_db", "Signal to quantization noise by site",
     "10 log10 of signal power over the power of the quantization error, in dB. Lower is worse; every bit is "
     "worth about 6 dB.",
     false},
};

std::optional<Figure> HeatMap(const observe::Table& sites, const std::set<std::string>& runs,
                              const std::string& what_runs, const Statistic& statistic) {
  std::map<std::string, std::map<double, std::pair<double, int>>> cells;  // role.operand → block → sum, n
  std::set<double> blocks;
  for (size_t row = 0; row < sites.rows(); ++row) {
    if (!runs.count(std::string(sites.TextAt(row, "run")))) continue;
    const double value = sites.NumberAt(row, statistic.column);
    if (!std::isfinite(value)) continue;
    const double block = sites.NumberAt(row, "block");
    auto& [sum, count] =
        cells[absl::StrCat(sites.TextAt(row, "role"), ".", sites.TextAt(row, "operand"))][block];
    sum += value;
    ++count;
    blocks.insert(block);
  }
  if (cells.empty()) return std::nullopt;
  Figure figure;
  figure.id = absl::StrCat("sites-", statistic.column);
  figure.title = statistic.title;
  figure.reading = absl::StrCat(statistic.reading, " Mean over ", what_runs, ".");
  nlohmann::json x = nlohmann::json::array();
  nlohmann::json y = nlohmann::json::array();
  nlohmann::json z = nlohmann::json::array();
  nlohmann::json text = nlohmann::json::array();
  for (double block : blocks) x.push_back(absl::StrCat("block ", block));
  for (const auto& [site, by_block] : cells) {
    y.push_back(site);
    nlohmann::json line = nlohmann::json::array();
    nlohmann::json labels = nlohmann::json::array();
    for (double block : blocks) {
      auto it = by_block.find(block);
      const double mean = it == by_block.end() ? std::nan("") : it->second.first / it->second.second;
      line.push_back(NumberOrNull(statistic.log && mean > 0 ? std::log10(mean) : mean));
      labels.push_back(ShortNumber(mean, 3));
      (void)figure.data.Append({{"site", site}, {"block", block}, {statistic.column, mean}});
    }
    z.push_back(std::move(line));
    text.push_back(std::move(labels));
  }
  figure.traces.push_back({{"type", "heatmap"},
                           {"x", x},
                           {"y", y},
                           {"z", z},
                           {"text", text},
                           {"texttemplate", "%{text}"},
                           {"hovertemplate", "%{y}, %{x}: %{text}<extra></extra>"},
                           {"colorscale", "Viridis"},
                           {"showscale", false}});
  figure.layout = Axes("", "", false, false);
  return figure;
}

}  // namespace

Section SitesSection(const observe::Table& sites, const std::vector<std::string>& runs,
                     const std::string& what_runs) {
  Section section;
  section.id = "sites";
  section.title = "Site by site";
  const std::set<std::string> wanted(runs.begin(), runs.end());
  for (const Statistic& statistic : kStatistics) {
    if (auto figure = HeatMap(sites, wanted, what_runs, statistic)) {
      section.figures.push_back(std::move(*figure));
    }
  }
  if (section.figures.empty()) {
    section.paragraphs.push_back("No site statistics were recorded.");
  }
  return section;
}

}  // namespace qatlas::report
