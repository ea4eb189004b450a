#include "framework/compare/win_map.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "framework/fit/stats.h"

namespace qatlas::compare {
namespace {

using fit::kNan;
constexpr size_t kMostLevels = 5;
constexpr int64_t kLeastRows = 5;

// By form and row of the table: squared held-out errors, of the logarithm where `relative`.
std::vector<std::vector<double>> SquaredErrors(const std::vector<Ranked>& ranking, size_t rows,
                                               bool relative) {
  std::vector<std::vector<double>> squared;
  for (const Ranked& form : ranking) {
    const fit::Problem& problem = *form.fit.problem;
    std::vector<double>& own = squared.emplace_back(rows, kNan);
    for (int64_t i = 0; i < problem.rows(); ++i) {
      const double y = problem.target()[i];
      double error = form.cross_validation.errors[problem.row(i)];
      if (relative) error = std::log(y / (y - error));
      own[problem.row(i)] = error * error;
    }
  }
  return squared;
}

WinRegion Region(const std::vector<Ranked>& ranking, const std::vector<size_t>& rows,
                 const std::vector<std::vector<double>>& squared, const Clusterings& clusterings) {
  WinRegion region;
  region.rows = static_cast<int64_t>(rows.size());
  int first = -1;
  int second = -1;
  std::vector<double> means;
  for (size_t form = 0; form < ranking.size(); ++form) {
    double sum = 0;
    for (size_t row : rows) sum += squared[form][row];
    means.push_back(std::isfinite(sum) ? sum / static_cast<double>(rows.size()) : kNan);
    region.rmse.push_back(std::sqrt(means.back()));
    if (!std::isfinite(sum)) continue;
    const int here = static_cast<int>(form);
    if (first < 0 || means[form] < means[first]) {
      second = first;
      first = here;
    } else if (second < 0 || means[form] < means[second]) {
      second = here;
    }
  }
  if (first < 0) return region;
  region.winner = ranking[first].name;
  if (second < 0) return region;
  region.second = ranking[second].name;
  std::vector<double> differences;
  for (size_t row : rows) differences.push_back(squared[second][row] - squared[first][row]);
  const PairedMean mean = MeanOfPairs(differences, rows, clusterings);
  region.difference = mean.mean;
  region.difference_se = mean.standard_error;
  region.p = mean.p;
  region.clear = region.rows >= kLeastRows && mean.p < .05;
  return region;
}

}  // namespace

std::vector<int> BinsOf(const observe::Table& table, const std::string& column) {
  const std::vector<double>* values = table.FindNumbers(column);
  if (values == nullptr) return {};
  for (double value : *values) {
    if (!std::isfinite(value)) return {};
  }
  const std::set<double> distinct(values->begin(), values->end());
  if (distinct.size() < 2) return {};
  std::vector<double> last;  // highest value of each bin but the last
  if (distinct.size() <= kMostLevels) {
    last.assign(distinct.begin(), std::prev(distinct.end()));
  } else {
    std::vector<double> sorted = *values;
    std::sort(sorted.begin(), sorted.end());
    last = {sorted[(sorted.size() - 1) / 3], sorted[2 * (sorted.size() - 1) / 3]};
  }
  std::vector<int> bins;
  for (double value : *values) {
    bins.push_back(
        static_cast<int>(std::lower_bound(last.begin(), last.end(), value) - last.begin()));
  }
  return bins;
}

std::vector<WinMap> WinMaps(const std::vector<Ranked>& ranking, const observe::Table& table,
                            const std::vector<std::string>& columns,
                            const Clusterings& clusterings) {
  if (ranking.size() < 2) return {};
  const bool relative = std::all_of(ranking.begin(), ranking.end(), [](const Ranked& form) {
    return form.fit.problem->loss().space == fit::Space::kLog;
  });
  const auto squared = SquaredErrors(ranking, table.rows(), relative);
  std::vector<std::string> usable;
  std::map<std::string, std::vector<int>> bins;
  for (const std::string& column : columns) {
    std::vector<int> own = BinsOf(table, column);
    if (own.empty()) continue;
    usable.push_back(column);
    bins[column] = std::move(own);
  }
  std::vector<std::vector<std::string>> choices;
  if (usable.size() > 1) choices.push_back(usable);
  for (const std::string& column : usable) choices.push_back({column});
  std::vector<WinMap> maps;
  for (const std::vector<std::string>& chosen : choices) {
    std::map<std::vector<int>, std::vector<size_t>> cells;
    for (size_t row = 0; row < table.rows(); ++row) {
      std::vector<int> cell;
      for (const std::string& column : chosen) cell.push_back(bins[column][row]);
      cells[cell].push_back(row);
    }
    WinMap map;
    map.columns = chosen;
    map.relative = relative;
    for (const auto& [cell, rows] : cells) {
      WinRegion region = Region(ranking, rows, squared, clusterings);
      for (const std::string& column : chosen) {
        Range range = {column, kNan, kNan};
        for (size_t row : rows) {
          range.low = std::fmin(range.low, table.NumberAt(row, column));
          range.high = std::fmax(range.high, table.NumberAt(row, column));
        }
        region.ranges.push_back(range);
      }
      map.regions.push_back(std::move(region));
    }
    maps.push_back(std::move(map));
  }
  return maps;
}

}  // namespace qatlas::compare
