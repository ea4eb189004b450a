#include "framework/compare/paired.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "framework/fit/distributions.h"

namespace qatlas::compare {
namespace {

struct Spread {
  double variance = 0;  // of the mean
  int clusters = 0;
};

Spread SpreadOf(const std::vector<double>& values, double mean, int64_t count,
                const std::vector<int>& cluster) {
  const int most = cluster.empty() ? 0 : 1 + *std::max_element(cluster.begin(), cluster.end());
  std::vector<double> sums(most, 0.0);
  std::vector<char> seen(most, 0);
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) continue;
    sums[cluster[i]] += values[i] - mean;
    seen[cluster[i]] = 1;
  }
  Spread spread;
  for (int g = 0; g < most; ++g) {
    spread.clusters += seen[g];
    spread.variance += sums[g] * sums[g];
  }
  if (spread.clusters < 2) return {};
  const double n = static_cast<double>(count);
  spread.variance *= spread.clusters / (spread.clusters - 1.0) / (n * n);
  return spread;
}

}  // namespace

absl::StatusOr<std::vector<int>> ClustersOf(const observe::Table& table,
                                            const std::vector<std::string>& columns) {
  const auto groups = table.GroupBy(columns);
  if (!groups.ok()) return groups.status();
  std::vector<int> cluster(table.rows(), 0);
  for (size_t group = 0; group < groups->size(); ++group) {
    for (size_t row : (*groups)[group].rows) cluster[row] = static_cast<int>(group);
  }
  return cluster;
}

PairedMean MeanOfPairs(const std::vector<double>& values, const std::vector<size_t>& rows,
                       const Clusterings& clusterings) {
  PairedMean result;
  for (double value : values) {
    if (!std::isfinite(value)) continue;
    result.mean += value;
    ++result.count;
  }
  if (result.count == 0) return result;
  result.mean /= static_cast<double>(result.count);
  // Terms of one row first: where rows do not repeat, this is the usual standard error.
  std::vector<int> cluster(rows.begin(), rows.end());
  Spread widest = SpreadOf(values, result.mean, result.count, cluster);
  const double independent = widest.variance;
  for (const std::vector<int>& way : clusterings) {
    for (size_t i = 0; i < rows.size(); ++i) cluster[i] = way[rows[i]];
    const Spread spread = SpreadOf(values, result.mean, result.count, cluster);
    if (spread.variance > widest.variance) widest = spread;
  }
  result.standard_error = std::sqrt(widest.variance);
  if (independent > 0) result.design_effect = widest.variance / independent;
  if (widest.variance > 0) {
    result.p = fit::StudentTwoSided(result.mean / result.standard_error, widest.clusters - 1.0);
  }
  return result;
}

PairedMean MeanOfPairs(const std::vector<double>& values, const Clusterings& clusterings) {
  std::vector<size_t> rows(values.size());
  std::iota(rows.begin(), rows.end(), 0);
  return MeanOfPairs(values, rows, clusterings);
}

}  // namespace qatlas::compare
