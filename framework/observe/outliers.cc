#include "framework/observe/outliers.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <absl/algorithm/container.h>

namespace qatlas::observe {
namespace {

constexpr int kHuberRounds = 10;
constexpr int kBisquareRounds = 15;

// Solves the symmetric positive semidefinite a x = b, [p][p], by elimination with diagonal
// pivots; unknowns whose pivot vanishes (columns that others explain) are 0.
std::vector<double> SolveSemidefinite(std::vector<double> a, std::vector<double> b) {
  const size_t p = b.size();
  std::vector<double> diagonal(p);
  for (size_t i = 0; i < p; ++i) diagonal[i] = a[i * p + i];
  std::vector<size_t> order;
  std::vector<bool> used(p, false);
  for (size_t step = 0; step < p; ++step) {
    size_t pivot = p;
    double best = 1e-8;  // of what the column had: the rest is rounding
    for (size_t i = 0; i < p; ++i) {
      if (used[i] || !(diagonal[i] > 0)) continue;
      if (a[i * p + i] / diagonal[i] > best) {
        best = a[i * p + i] / diagonal[i];
        pivot = i;
      }
    }
    if (pivot == p) break;
    used[pivot] = true;
    order.push_back(pivot);
    for (size_t i = 0; i < p; ++i) {
      if (used[i]) continue;
      const double factor = a[i * p + pivot] / a[pivot * p + pivot];
      for (size_t j = 0; j < p; ++j) a[i * p + j] -= factor * a[pivot * p + j];
      b[i] -= factor * b[pivot];
    }
  }
  std::vector<double> x(p, 0.0);
  for (size_t k = order.size(); k-- > 0;) {
    const size_t i = order[k];
    double rest = b[i];
    for (size_t j = k + 1; j < order.size(); ++j) rest -= a[i * p + order[j]] * x[order[j]];
    x[i] = rest / a[i * p + i];
  }
  return x;
}

double MedianOfAbsolute(std::vector<double> values) {
  for (double& value : values) value = std::abs(value);
  const size_t middle = values.size() / 2;
  std::nth_element(values.begin(), values.begin() + middle, values.end());
  return values[middle];
}

struct Design {
  std::vector<size_t> rows;     // of the table
  std::vector<uint32_t> group;  // by row of the design
  size_t groups = 0;
  std::vector<std::vector<double>> x;  // [terms][rows]
  std::vector<double> y;
};

// A logarithm and its square (about the mean), scaled to order 1; nothing for a constant column.
void AddTerm(const std::vector<double>& column, Design* design) {
  std::vector<double> logs;
  double mean = 0;
  for (size_t row : design->rows) {
    logs.push_back(std::log(column[row]));
    mean += logs.back() / static_cast<double>(design->rows.size());
  }
  double largest = 0;
  for (double& one : logs) {
    one -= mean;
    largest = std::max(largest, std::abs(one));
  }
  if (largest < 1e-6) return;
  std::vector<double> squares;
  for (double& one : logs) {
    one /= largest;
    squares.push_back(one * one);
  }
  design->x.push_back(std::move(logs));
  design->x.push_back(std::move(squares));
}

absl::StatusOr<Design> MakeDesign(const Table& table, absl::Span<const double> values) {
  std::vector<std::string> group_columns;
  for (const std::string& name : table.names()) {
    static constexpr absl::string_view kNames[] = {"run", "model", "baseline", "status"};
    const bool text = table.FindTexts(name) != nullptr && !absl::c_linear_search(kNames, name);
    if (text || name == "weight_bits" || name == "input_bits" || name == "fc2_input_bits") {
      group_columns.push_back(name);
    }
  }
  absl::StatusOr<std::vector<uint32_t>> labels = table.GroupLabels(group_columns);
  if (!labels.ok()) return labels.status();
  std::vector<const std::vector<double>*> covariates;
  for (const char* name : {"N", "D", "G"}) {
    const std::vector<double>* column = table.FindNumbers(name);
    if (column == nullptr) continue;
    // G has no meaning for full-precision rows; a column with gaps is left to the groups.
    const bool whole = absl::c_all_of(*column, [](double v) { return v > 0 && std::isfinite(v); });
    if (whole) covariates.push_back(column);
  }
  std::vector<uint32_t> size;
  const auto usable = [&](size_t row) { return values[row] > 0 && std::isfinite(values[row]); };
  for (size_t row = 0; row < table.rows(); ++row) {
    if ((*labels)[row] >= size.size()) size.resize((*labels)[row] + 1);
    if (usable(row)) ++size[(*labels)[row]];
  }
  Design design;
  std::vector<int64_t> dense(size.size(), -1);
  for (size_t row = 0; row < table.rows(); ++row) {
    const uint32_t label = (*labels)[row];
    if (!usable(row) || size[label] < 3) continue;
    if (dense[label] < 0) dense[label] = static_cast<int64_t>(design.groups++);
    design.rows.push_back(row);
    design.group.push_back(static_cast<uint32_t>(dense[label]));
    design.y.push_back(std::log(values[row]));
  }
  if (!design.rows.empty()) {
    for (const std::vector<double>* column : covariates) AddTerm(*column, &design);
  }
  return design;
}

// Residuals of weighted least squares with an intercept for each group.
std::vector<double> Residuals(const Design& design, const std::vector<double>& weight) {
  const size_t n = design.rows.size(), p = design.x.size();
  std::vector<double> sum(design.groups, 0.0);
  for (size_t i = 0; i < n; ++i) sum[design.group[i]] += weight[i];
  const auto center = [&](const std::vector<double>& column) {
    std::vector<double> mean(design.groups, 0.0), out(n);
    for (size_t i = 0; i < n; ++i) mean[design.group[i]] += weight[i] * column[i];
    for (size_t i = 0; i < n; ++i) {
      const double total = sum[design.group[i]];
      out[i] = column[i] - (total > 0 ? mean[design.group[i]] / total : 0);
    }
    return out;
  };
  std::vector<double> residual = center(design.y);
  std::vector<std::vector<double>> x;
  for (const std::vector<double>& column : design.x) x.push_back(center(column));
  std::vector<double> a(p * p, 0.0), b(p, 0.0);
  for (size_t k = 0; k < p; ++k) {
    for (size_t i = 0; i < n; ++i) b[k] += weight[i] * x[k][i] * residual[i];
    for (size_t l = 0; l <= k; ++l) {
      double product = 0;
      for (size_t i = 0; i < n; ++i) product += weight[i] * x[k][i] * x[l][i];
      a[k * p + l] = a[l * p + k] = product;
    }
  }
  const std::vector<double> slope = SolveSemidefinite(std::move(a), std::move(b));
  for (size_t k = 0; k < p; ++k) {
    for (size_t i = 0; i < n; ++i) residual[i] -= slope[k] * x[k][i];
  }
  return residual;
}

}  // namespace

absl::StatusOr<OutlierScreen> ScreenOutliers(const Table& table, const std::string& value,
                                             double threshold, size_t shown) {
  const absl::StatusOr<absl::Span<const double>> values = table.Numbers(value);
  if (!values.ok()) return values.status();
  absl::StatusOr<Design> design = MakeDesign(table, *values);
  if (!design.ok()) return design.status();
  OutlierScreen screen;
  const size_t n = design->rows.size();
  const size_t parameters = design->groups + design->x.size();
  if (n < parameters + 5) {
    screen.reason = "too few rows of one kind to tell an outlier";
    return screen;
  }
  screen.screened = n;
  const double correction = std::sqrt(static_cast<double>(n) / static_cast<double>(n - parameters));
  std::vector<double> weight(n, 1.0), residual;
  for (int round = 0; round < kHuberRounds + kBisquareRounds; ++round) {
    residual = Residuals(*design, weight);
    screen.scale = 1.4826 * MedianOfAbsolute(residual) * correction;
    // Rows that a surface meets exactly leave nothing to scale by.
    if (!(screen.scale > 1e-12)) break;
    for (size_t i = 0; i < n; ++i) {
      const double r = std::abs(residual[i]) / screen.scale;
      if (round < kHuberRounds) {
        weight[i] = r <= 1.345 ? 1 : 1.345 / r;
      } else {
        const double u = r / 4.685;
        weight[i] = u < 1 ? (1 - u * u) * (1 - u * u) : 1e-6;
      }
    }
  }
  screen.scale = std::max(screen.scale, 1e-12);
  for (size_t i = 0; i < n; ++i) {
    const double score = residual[i] / screen.scale;
    if (std::abs(score) <= threshold || std::abs(residual[i]) < 1e-9) continue;
    ++screen.count;
    const double seen = (*values)[design->rows[i]];
    screen.outliers.push_back({design->rows[i], seen, seen * std::exp(-residual[i]), score});
  }
  std::stable_sort(
      screen.outliers.begin(), screen.outliers.end(),
      [](const Outlier& a, const Outlier& b) { return std::abs(a.score) > std::abs(b.score); });
  if (screen.outliers.size() > shown) screen.outliers.resize(shown);
  return screen;
}

}  // namespace qatlas::observe
