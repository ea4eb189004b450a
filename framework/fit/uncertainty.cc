#include "framework/fit/uncertainty.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "framework/fit/dense.h"
#include "framework/fit/local.h"
#include "framework/fit/stats.h"
#include "framework/observe/number.h"

namespace qatlas::fit {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
// Beyond this condition of the scaled Jacobian a direction is lost in rounding.
constexpr double kWorstCondition = 1e8;
// A positive parameter known to no better than this factor either way, at 95%, is open.
constexpr double kOpenFactor = 10;

// Half the 95% interval of a coordinate above which the data do not determine it: a factor of ten,
// or the whole span of its start values.
double LargestHalfWidth(const Problem& problem, int c) {
  const Parameter& parameter = problem.coordinate(c);
  if (parameter.log) return std::log(kOpenFactor);
  const std::vector<double>& starts = problem.form().Spec().parameters[parameter.base].starts;
  const auto [low, high] = std::minmax_element(starts.begin(), starts.end());
  const double span = *high - *low;
  return span > 0 ? span : std::numeric_limits<double>::infinity();
}

struct Residuals {
  std::vector<double> r;  // of rows with weight, in the loss's units
  int64_t rows = 0;
};

Residuals CollectResiduals(const FitResult& result) {
  const Problem& problem = *result.problem;
  Residuals residuals;
  for (int64_t i = 0; i < problem.rows(); ++i) {
    if (problem.weight()[i] == 0) continue;
    const double y = problem.target()[i];
    const double f = result.prediction[i];
    const double noise = problem.noise().empty() ? 1.0 : problem.noise()[i];
    residuals.r.push_back(
        (problem.loss().space == Space::kLog ? std::log(f) - std::log(y) : f - y) / noise);
  }
  residuals.rows = static_cast<int64_t>(residuals.r.size());
  return residuals;
}

// The factor below for Student's t, whose scale is that of its likelihood: the covariance of an
// M-estimator with the correction of Huber 1981, section 7.6.
double StudentFactor(const Loss& loss, const Residuals& residuals, int p, double* scale) {
  const double n = static_cast<double>(residuals.rows);
  const double left = n - p;
  const double s = StudentScale(residuals.r, {}, loss.nu);
  *scale = s * std::sqrt(n / left);
  if (s == 0) return 0;
  double psi_squares = 0;
  double slopes = 0;
  double slope_squares = 0;
  for (double residual : residuals.r) {
    const double r = residual / s;
    const double core = loss.nu + r * r;
    const double psi = (loss.nu + 1) * r / core;
    const double slope = (loss.nu + 1) * (loss.nu - r * r) / (core * core);
    psi_squares += psi * psi;
    slopes += slope / n;
    slope_squares += slope * slope / n;
  }
  // Far more outliers than the model has leave the mean slope without meaning; it is then that of
  // the model.
  slopes = std::max(slopes, .25 * (loss.nu + 1) / (loss.nu + 3));
  const double spread = std::max(0.0, slope_squares - slopes * slopes);
  const double k = 1 + p / n * spread / (slopes * slopes);
  return k * k * (psi_squares / left) / (slopes * slopes) * s * s;
}

// The factor before (JᵀWJ)⁻¹, and the residuals' scale.
double VarianceFactor(const Loss& loss, const Residuals& residuals, double objective, int p,
                      double* scale) {
  const double n = static_cast<double>(residuals.rows);
  const double left = n - p;
  if (loss.shape == Shape::kSquare) {
    *scale = std::sqrt(2 * objective / left);
    return *scale * *scale;
  }
  if (loss.shape == Shape::kStudentT) return StudentFactor(loss, residuals, p, scale);
  *scale = NormalizedMad(residuals.r) * std::sqrt(n / left);
  double psi_squares = 0;
  for (double r : residuals.r) {
    const double psi = std::clamp(r, -loss.delta, loss.delta);
    psi_squares += psi * psi;
  }
  const double window = std::max(loss.delta, 0.8 * *scale * std::pow(n, -0.2));
  double inside = 0;
  for (double r : residuals.r) inside += std::abs(r) <= window ? 1 : 0;
  // p residuals lie at 0 by construction where the loss is nearly absolute; they tell nothing.
  if (window > loss.delta) inside = std::max(1.0, inside - p) * (n / left);
  const double share = std::clamp(inside / n * (loss.delta / window), 1e-6, 1.0);
  const double k = 1 + p / n * (1 - share) / share * (loss.delta / window);
  return k * k * (psi_squares / left) / (share * share);
}

}  // namespace

void FillUncertainty(const FitOptions& options, FitResult* result) {
  const Problem& problem = *result->problem;
  const int m = problem.coordinates();
  Identifiability& id = result->identifiability;
  for (Estimate& estimate : result->estimates) {
    estimate.standard_error = estimate.search_standard_error = kNan;
    estimate.interval = {kNan, kNan};
  }
  if (m == 0) return;
  std::vector<int> free;
  std::vector<std::string> bounded;
  for (int c = 0; c < m; ++c) {
    const double u = result->coordinates[c];
    const double low = problem.LowerCoordinate(c);
    const double high = problem.UpperCoordinate(c);
    const double slack = 1e-9 * (1 + std::abs(u));
    if (u - low > slack && high - u > slack) {
      free.push_back(c);
    } else {
      bounded.push_back(problem.coordinate(c).name);
    }
  }
  for (size_t i = 0; i < result->estimates.size(); ++i) {
    const int c = problem.parameters()[i].coordinate;
    result->estimates[i].at_bound = c >= 0 && std::find(free.begin(), free.end(), c) == free.end();
  }
  if (!bounded.empty()) {
    result->notes.push_back(absl::StrCat("The optimum lies on a bound of ",
                                         absl::StrJoin(bounded, ", "),
                                         "; there it has no standard error."));
  }
  const Residuals residuals = CollectResiduals(*result);
  const int p = static_cast<int>(free.size());
  const double left = static_cast<double>(residuals.rows) - p;
  if (left <= 0) {
    id.identifiable = false;
    id.reason = absl::StrCat("there are as many free parameters as runs (", p,
                             "), so nothing is left to judge the fit by");
    return;
  }
  const double factor =
      VarianceFactor(problem.loss(), residuals, result->objective, p, &result->residual_scale);
  if (p == 0) return;

  LocalSearcher searcher(problem, options);
  const auto at = searcher.Linearize(result->coordinates);
  std::vector<std::vector<double>> columns(p);
  std::vector<double> norms(p, 0.0);
  std::vector<double> inverse_noise(problem.rows(), 1.0);
  for (int a = 0; a < p; ++a) {
    columns[a].reserve(problem.rows());
    for (int64_t i = 0; i < problem.rows(); ++i) {
      double root = std::sqrt(problem.weight()[i]);
      if (!problem.noise().empty()) root /= problem.noise()[i];
      if (problem.loss().space == Space::kLog) root /= at.prediction[i];
      columns[a].push_back(at.jacobian[free[a] * searcher.padded() + i] * root);
      norms[a] += columns[a].back() * columns[a].back();
    }
    norms[a] = std::sqrt(norms[a]);
    if (!(norms[a] > 0) || !std::isfinite(norms[a])) {
      id.identifiable = false;
      id.condition = std::numeric_limits<double>::infinity();
      id.open_direction = {{problem.coordinate(free[a]).name, 1.0}};
      id.reason = absl::StrCat("no run changes when ", problem.coordinate(free[a]).name, " does");
      return;
    }
    for (double& x : columns[a]) x /= norms[a];
  }
  const dense::Svd svd = dense::RightSvd(std::move(columns));
  id.singular_values = svd.values;
  id.condition = svd.values.back() > 0 ? svd.values.front() / svd.values.back()
                                       : std::numeric_limits<double>::infinity();
  // The most open direction in search coordinates: undo the columns' scaling.
  std::vector<double> direction(p);
  double length = 0;
  for (int a = 0; a < p; ++a) {
    direction[a] = svd.v.back()[a] / norms[a];
    length = std::hypot(length, direction[a]);
  }
  id.open_standard_error = std::sqrt(factor) * length / svd.values.back();
  for (int a = 0; a < p; ++a) {
    const double component = direction[a] / length;
    if (std::abs(component) >= .05) {
      id.open_direction.emplace_back(problem.coordinate(free[a]).name, component);
    }
  }
  std::stable_sort(
      id.open_direction.begin(), id.open_direction.end(),
      [](const auto& a, const auto& b) { return std::abs(a.second) > std::abs(b.second); });
  if (!(id.condition < kWorstCondition)) {
    id.identifiable = false;
    std::vector<std::string> names;
    for (const auto& [name, component] : id.open_direction) names.push_back(name);
    id.reason = absl::StrCat("the runs leave ", absl::StrJoin(names, ", "),
                             " open together (condition ", observe::ShowNumber(id.condition), ")");
    return;
  }
  result->covariance.assign(m * m, 0.0);
  for (int a = 0; a < p; ++a) {
    for (int b = 0; b < p; ++b) {
      double sum = 0;
      for (int k = 0; k < p; ++k) {
        sum += svd.v[k][a] * svd.v[k][b] / (svd.values[k] * svd.values[k]);
      }
      result->covariance[free[a] * m + free[b]] = factor * sum / (norms[a] * norms[b]);
    }
  }
  std::vector<std::string> open;
  for (int c : free) {
    const double half = StudentQuantile(.975, left) * std::sqrt(result->covariance[c * m + c]);
    if (half > LargestHalfWidth(problem, c)) {
      open.push_back(problem.coordinate(c).name);
    }
  }
  if (!open.empty()) {
    id.identifiable = false;
    id.reason = absl::StrCat("the 95% interval of ", absl::StrJoin(open, ", "),
                             " reaches a factor of ten either way, or beyond all start values");
  } else if (!bounded.empty()) {
    id.identifiable = false;
    id.reason = absl::StrCat("the optimum lies on a bound of ", absl::StrJoin(bounded, ", "),
                             ": the runs do not hold it inside the range that makes sense");
  }
  const double t = StudentQuantile(.5 + options.level / 2, left);
  for (size_t i = 0; i < result->estimates.size(); ++i) {
    Estimate& estimate = result->estimates[i];
    const int c = problem.parameters()[i].coordinate;
    if (c < 0 || estimate.at_bound) continue;
    const double se = std::sqrt(result->covariance[c * m + c]);
    const double u = result->coordinates[c];
    estimate.search_standard_error = se;
    estimate.standard_error = estimate.log ? estimate.value * se : se;
    estimate.interval = {u - t * se, u + t * se};
    if (estimate.log) {
      estimate.interval = {std::exp(estimate.interval.low), std::exp(estimate.interval.high)};
    }
  }
}

}  // namespace qatlas::fit
