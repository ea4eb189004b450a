#include "framework/fit/uncertainty.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <qatlas/check.h>

#include "framework/fit/dense.h"
#include "framework/fit/identify.h"
#include "framework/fit/local.h"
#include "framework/fit/profile.h"
#include "framework/fit/scatter.h"
#include "framework/fit/distributions.h"
#include "framework/fit/stats.h"

namespace qatlas::fit {
namespace {

constexpr double kLongestProfiles = 20;  // seconds

// The Jacobian of the residuals by the coordinates off their bounds, times the roots of the
// weights: columns of unit length, and the lengths they had.
struct Columns {
  std::vector<int> free;
  std::vector<std::vector<double>> unit;  // [free][rows with weight]
  std::vector<double> norm;
};

// False where no run responds to a coordinate; result->identifiability then says so.
bool Linearize(const FitOptions& options, const Residuals& residuals, FitResult* result,
               Columns* columns) {
  const Problem& problem = *result->problem;
  LocalSearcher searcher(problem, options);
  const auto at = searcher.Linearize(result->coordinates);
  for (int c : columns->free) {
    std::vector<double> column;
    double norm = 0;
    for (int64_t i : residuals.row) {
      double root = std::sqrt(problem.weight()[i]);
      if (!problem.noise().empty()) root /= problem.noise()[i];
      if (problem.loss().space == Space::kLog) root /= at.prediction[i];
      column.push_back(at.jacobian[c * searcher.padded() + i] * root);
      norm += column.back() * column.back();
    }
    norm = std::sqrt(norm);
    if (!(norm > 0) || !std::isfinite(norm)) {
      Identifiability& id = result->identifiability;
      id.identifiable = false;
      id.condition = std::numeric_limits<double>::infinity();
      id.open_direction = {{problem.coordinate(c).name, 1.0}};
      id.reason = absl::StrCat("no run changes when ", problem.coordinate(c).name, " does");
      return false;
    }
    for (double& x : column) x /= norm;
    columns->unit.push_back(std::move(column));
    columns->norm.push_back(norm);
  }
  return true;
}

// The most open direction in search coordinates: undoes the columns' scaling.
void FillDirection(const Columns& columns, const dense::Svd& svd, double variance_factor,
                   FitResult* result) {
  Identifiability& id = result->identifiability;
  id.singular_values = svd.values;
  id.condition = svd.values.back() > 0 ? svd.values.front() / svd.values.back()
                                       : std::numeric_limits<double>::infinity();
  const size_t p = columns.free.size();
  std::vector<double> direction(p);
  double length = 0;
  for (size_t a = 0; a < p; ++a) {
    direction[a] = svd.v.back()[a] / columns.norm[a];
    length = std::hypot(length, direction[a]);
  }
  id.open_standard_error = std::sqrt(variance_factor) * length / svd.values.back();
  for (size_t a = 0; a < p; ++a) {
    const double component = direction[a] / length;
    if (std::abs(component) >= .05) {
      id.open_direction.emplace_back(result->problem->coordinate(columns.free[a]).name, component);
    }
  }
  std::stable_sort(
      id.open_direction.begin(), id.open_direction.end(),
      [](const auto& a, const auto& b) { return std::abs(a.second) > std::abs(b.second); });
}

// Spreads a matrix over the free coordinates, in units of unit columns, to all coordinates.
std::vector<double> Spread(const Columns& columns, int m, const std::vector<double>& matrix) {
  std::vector<double> result(m * m, 0.0);
  const size_t p = columns.free.size();
  for (size_t a = 0; a < p; ++a) {
    for (size_t b = 0; b < p; ++b) {
      result[columns.free[a] * m + columns.free[b]] =
          matrix[a * p + b] / (columns.norm[a] * columns.norm[b]);
    }
  }
  return result;
}

// HC3, in units of unit columns; inverse: (JᵀWJ)⁻¹ in them.
std::vector<double> Sandwich(const Columns& columns, const std::vector<double>& inverse,
                             const Loss& loss, const Scatter& scatter, const Residuals& residuals,
                             const std::vector<double>& leverage) {
  const size_t p = columns.free.size();
  std::vector<double> sum(p * p, 0.0);
  std::vector<double> influence(p);
  for (size_t i = 0; i < residuals.r.size(); ++i) {
    for (size_t a = 0; a < p; ++a) {
      influence[a] = 0;
      for (size_t b = 0; b < p; ++b) influence[a] += inverse[a * p + b] * columns.unit[b][i];
    }
    // A run that alone holds a parameter has leverage 1 and no residual to speak of.
    const double factor = std::sqrt(residuals.weight[i]) * Psi(loss, scatter, residuals.r[i]) /
                          (scatter.psi_slope * std::max(1 - leverage[residuals.row[i]], 1e-2));
    for (size_t a = 0; a < p; ++a) {
      for (size_t b = 0; b < p; ++b) {
        sum[a * p + b] += factor * factor * influence[a] * influence[b];
      }
    }
  }
  return sum;
}

void FillCovariance(const FitOptions& options, const Columns& columns, const dense::Svd& svd,
                    const Scatter& scatter, const Residuals& residuals, FitResult* result) {
  const int m = result->problem->coordinates();
  const size_t p = columns.free.size();
  std::vector<double> inverse(p * p, 0.0);
  for (size_t a = 0; a < p; ++a) {
    for (size_t b = 0; b < p; ++b) {
      for (size_t k = 0; k < p; ++k) {
        inverse[a * p + b] += svd.v[k][a] * svd.v[k][b] / (svd.values[k] * svd.values[k]);
      }
    }
  }
  result->leverage.assign(result->problem->rows(), 0.0);
  for (size_t i = 0; i < residuals.r.size(); ++i) {
    double& leverage = result->leverage[residuals.row[i]];
    for (size_t k = 0; k < p; ++k) {
      double u = 0;
      for (size_t a = 0; a < p; ++a) u += svd.v[k][a] * columns.unit[a][i] / svd.values[k];
      leverage += u * u;
    }
  }
  std::vector<double> model = inverse;
  for (double& x : model) x *= scatter.variance_factor;
  result->covariance = Spread(columns, m, model);
  if (options.covariance == Covariance::kSandwich) {
    result->model_covariance = std::move(result->covariance);
    result->covariance = Spread(
        columns, m,
        Sandwich(columns, inverse, result->problem->loss(), scatter, residuals, result->leverage));
  }
}

// Standard errors and intervals from the covariance.
void FillFromCovariance(const FitOptions& options, FitResult* result) {
  const Problem& problem = *result->problem;
  const int m = problem.coordinates();
  const double t = TwoSidedQuantile(options.level, result->degrees);
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
    estimate.covariance_interval = estimate.interval;
  }
}

// Whether profiles of all parameters take long: beyond, the covariance is asked instead.
bool TooMuch(const Problem& problem, std::string* note) {
  // Some 60 evaluations a parameter; nanoseconds as measured on one core.
  const double m = problem.coordinates();
  const double rows = static_cast<double>(problem.rows());
  const double seconds = 1e-9 * 60 * m * rows * (60 + .15 * m * m);
  if (seconds < kLongestProfiles) return false;
  *note =
      absl::StrCat("The intervals come from the covariance: profiles of ", problem.coordinates(),
                   " parameters on ", problem.rows(), " runs would take minutes.");
  return true;
}

// Intervals by profile likelihood, where asked for; none where there is nothing to judge by.
std::vector<Profile> FillFromProfiles(const FitOptions& options, FitResult* result) {
  if (options.intervals != Intervals::kProfile || !HasNoise(*result)) return {};
  std::string note;
  if (TooMuch(*result->problem, &note)) {
    result->notes.push_back(note);
    return {};
  }
  ProfileOptions profile_options;
  profile_options.level = options.level;
  profile_options.threads = options.threads;
  profile_options.fit = options;
  auto profiles = ProfileParameters(*result, profile_options);
  QATLAS_CHECK(profiles.ok(), "noise is all that a profile asks for");
  for (size_t i = 0; i < result->estimates.size(); ++i) {
    const int c = result->problem->parameters()[i].coordinate;
    if (c < 0) continue;
    Estimate& estimate = result->estimates[i];
    estimate.interval = (*profiles)[c].interval;
    estimate.below = (*profiles)[c].below;
    estimate.above = (*profiles)[c].above;
  }
  return *std::move(profiles);
}

// Coordinates strictly inside their bounds; the names of the others.
std::vector<int> Inside(const FitResult& result, std::vector<std::string>* bounded) {
  const Problem& problem = *result.problem;
  std::vector<int> free;
  for (int c = 0; c < problem.coordinates(); ++c) {
    const double u = result.coordinates[c];
    const double slack = 1e-9 * (1 + std::abs(u));
    if (u - problem.LowerCoordinate(c) > slack && problem.UpperCoordinate(c) - u > slack) {
      free.push_back(c);
    } else {
      bounded->push_back(problem.coordinate(c).name);
    }
  }
  return free;
}

}  // namespace

std::optional<Refit> FillUncertainty(const FitOptions& options, FitResult* result) {
  const Problem& problem = *result->problem;
  Identifiability& id = result->identifiability;
  for (Estimate& estimate : result->estimates) {
    estimate.standard_error = estimate.search_standard_error = kNan;
    estimate.interval = estimate.covariance_interval = {kNan, kNan};
  }
  if (problem.coordinates() == 0) return std::nullopt;
  std::vector<std::string> bounded;
  Columns columns;
  columns.free = Inside(*result, &bounded);
  for (size_t i = 0; i < result->estimates.size(); ++i) {
    const int c = problem.parameters()[i].coordinate;
    result->estimates[i].at_bound =
        c >= 0 && std::find(columns.free.begin(), columns.free.end(), c) == columns.free.end();
  }
  if (!bounded.empty()) {
    result->notes.push_back(absl::StrCat("The optimum lies on a bound of ",
                                         absl::StrJoin(bounded, ", "),
                                         "; there it has no standard error."));
  }
  const Residuals residuals = ResidualsOf(*result);
  const int p = static_cast<int>(columns.free.size());
  if (static_cast<int>(residuals.r.size()) <= p) {
    id.identifiable = false;
    id.reason = absl::StrCat("there are as many free parameters as runs (", p,
                             "), so nothing is left to judge the fit by");
    return std::nullopt;
  }
  const Scatter scatter = MeasureScatter(*result, residuals, p);
  result->residual_scale = scatter.scale;
  result->objective_scale = scatter.variance_factor * scatter.slope;
  result->degrees = scatter.degrees;
  if (p > 0 && !Linearize(options, residuals, result, &columns)) return std::nullopt;
  if (p > 0) {
    const dense::Svd svd = dense::RightSvd(columns.unit);
    FillDirection(columns, svd, scatter.variance_factor, result);
    if (id.condition < kWorstCondition) {
      FillCovariance(options, columns, svd, scatter, residuals, result);
      FillFromCovariance(options, result);
    }
  }
  const std::vector<Profile> profiles = FillFromProfiles(options, result);
  JudgeIdentifiability(bounded, profiles, result);
  std::optional<Refit> better;
  for (const Profile& profile : profiles) {
    if (profile.better && (!better || profile.better->objective < better->objective)) {
      better = profile.better;
    }
  }
  return better;
}

}  // namespace qatlas::fit
