#include "framework/compare/likelihood.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include <absl/strings/str_cat.h>

namespace qatlas::compare {
namespace {

constexpr double kDegrees = 4;        // of Student's t
constexpr double kThreshold = 1.345;  // of Huber's loss, in scales

// Residual in the loss's units, and the log of dr/dy, which turns densities of r into densities of
// y.
struct Term {
  double residual;
  double log_jacobian;
};

Term TermOf(const fit::Problem& problem, double prediction, int64_t i) {
  const double y = problem.target()[i];
  const double noise = problem.noise().empty() ? 1.0 : problem.noise()[i];
  if (problem.loss().space == fit::Space::kLog) {
    return {(std::log(y) - std::log(prediction)) / noise, -std::log(noise) - std::log(y)};
  }
  return {(y - prediction) / noise, -std::log(noise)};
}

// What the target itself is in the loss's units.
double UnitOf(const fit::Problem& problem, int64_t i) {
  const double noise = problem.noise().empty() ? 1.0 : problem.noise()[i];
  return (problem.loss().space == fit::Space::kLog ? 1 : problem.target()[i]) / noise;
}

// Log density of z = r/s.
double LogStandard(NoiseModel model, double z) {
  switch (model) {
    case NoiseModel::kGaussian:
      return -0.5 * z * z - 0.5 * std::log(2 * std::numbers::pi);
    case NoiseModel::kStudentT:
      return std::lgamma((kDegrees + 1) / 2) - std::lgamma(kDegrees / 2) -
             0.5 * std::log(kDegrees * std::numbers::pi) -
             (kDegrees + 1) / 2 * std::log1p(z * z / kDegrees);
    case NoiseModel::kHuber: {
      const double size = std::abs(z);
      const double rho = size <= kThreshold ? 0.5 * z * z : kThreshold * (size - 0.5 * kThreshold);
      // The integral of exp(-rho): the Gaussian middle and two exponential tails.
      const double middle =
          std::sqrt(2 * std::numbers::pi) * std::erf(kThreshold / std::numbers::sqrt2);
      const double tails = 2 / kThreshold * std::exp(-0.5 * kThreshold * kThreshold);
      return -rho - std::log(middle + tails);
    }
  }
  return 0;
}

// The weight rho'(z)/z, with which the scale of maximum likelihood obeys s² = mean(weight r²).
double ScaleWeight(NoiseModel model, double z) {
  switch (model) {
    case NoiseModel::kGaussian:
      return 1;
    case NoiseModel::kStudentT:
      return (kDegrees + 1) / (kDegrees + z * z);
    case NoiseModel::kHuber:
      return std::abs(z) <= kThreshold ? 1 : kThreshold / std::abs(z);
  }
  return 1;
}

}  // namespace

absl::StatusOr<NoiseModel> NoiseModelByName(absl::string_view name) {
  for (NoiseModel model : {NoiseModel::kGaussian, NoiseModel::kStudentT, NoiseModel::kHuber}) {
    if (name == Name(model)) return model;
  }
  return absl::NotFoundError(
      absl::StrCat("no noise model '", name, "'; there are: gaussian, student-t, huber"));
}

const char* Name(NoiseModel model) {
  switch (model) {
    case NoiseModel::kGaussian:
      return "gaussian";
    case NoiseModel::kHuber:
      return "huber";
    case NoiseModel::kStudentT:
      break;
  }
  return "student-t";
}

absl::StatusOr<Likelihood> FitLikelihood(const fit::Problem& problem,
                                         const std::vector<double>& prediction, NoiseModel model) {
  const int64_t n = problem.rows();
  std::vector<double> residuals;
  double total = 0;
  double squares = 0;
  double typical = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double w = problem.weight()[i];
    residuals.push_back(TermOf(problem, prediction[i], i).residual);
    total += w;
    squares += w * residuals.back() * residuals.back();
    typical += w * std::pow(UnitOf(problem, i), 2);
  }
  if (!std::isfinite(squares)) {
    return absl::FailedPreconditionError(
        "a prediction has no likelihood: it is not a positive number");
  }
  Likelihood result;
  result.model = model;
  // Targets of 0 alone have no rounding.
  const double least = std::max(kRounding * std::sqrt(typical / total), 1e-150);
  result.exact = std::sqrt(squares / total) <= least;
  double s = std::max(std::sqrt(squares / total), least);
  for (int iteration = 0; iteration < 500; ++iteration) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) {
      const double r = residuals[i];
      sum += problem.weight()[i] * ScaleWeight(model, r / s) * r * r;
    }
    // Residuals of 0 in more than nu/(nu+1) of the rows would drive Student's scale to 0.
    const double next = std::max(std::sqrt(sum / total), least);
    const bool done = std::abs(next - s) <= 1e-13 * s;
    s = next;
    if (done) break;
  }
  result.scale = s;
  // What is below rounding tells no form from another.
  const std::vector<double> targets(problem.target().begin(), problem.target().end());
  result.by_row = LogDensity(problem, result.exact ? targets : prediction, model, s);
  for (int64_t i = 0; i < n; ++i) {
    result.by_row[i] *= problem.weight()[i] * static_cast<double>(n) / total;
    result.log_likelihood += result.by_row[i];
  }
  return result;
}

namespace {

absl::StatusOr<Likelihood> LikelihoodAt(const fit::Problem& problem,
                                        const std::vector<double>& coordinates, NoiseModel model) {
  std::vector<double> values = problem.Values(coordinates);
  std::vector<double> prediction(problem.rows());
  std::vector<double> scratch;
  problem.Evaluate(values, prediction.data(), nullptr, problem.rows(), &scratch);
  auto result = FitLikelihood(problem, prediction, model);
  if (!result.ok()) return result.status();
  result->coordinates = coordinates;
  result->values = std::move(values);
  result->prediction = std::move(prediction);
  return result;
}

// Alternates between the parameters at a threshold of 1.345 scales and the scale.
absl::StatusOr<Likelihood> MaximizeHuber(const fit::Problem& problem,
                                         const std::vector<double>& start,
                                         const fit::FitOptions& options) {
  absl::StatusOr<Likelihood> best = LikelihoodAt(problem, start, NoiseModel::kHuber);
  for (int round = 0; best.ok() && round < 60; ++round) {
    const fit::Loss loss = {problem.loss().space, fit::Shape::kHuber, kThreshold * best->scale};
    const fit::Refit refit = fit::FitFrom(problem.WithLoss(loss), best->coordinates, options);
    if (!std::isfinite(refit.objective)) break;
    auto next = LikelihoodAt(problem, refit.coordinates, NoiseModel::kHuber);
    if (!next.ok() || next->log_likelihood < best->log_likelihood) break;
    const bool done = next->log_likelihood - best->log_likelihood < 1e-7;
    best = std::move(next);
    if (done) break;
  }
  return best;
}

}  // namespace

absl::StatusOr<Likelihood> Maximize(const fit::Problem& problem,
                                    const std::vector<std::vector<double>>& starts,
                                    NoiseModel model, const fit::FitOptions& options) {
  const double rows = static_cast<double>(problem.rows());
  if (model == NoiseModel::kStudentT && rows * kDegrees <= problem.coordinates() * (kDegrees + 1)) {
    return LikelihoodAt(problem, starts[0], model);
  }
  fit::Loss loss = {problem.loss().space, fit::Shape::kSquare};
  if (model == NoiseModel::kStudentT) {
    loss.shape = fit::Shape::kStudentT;
    loss.nu = kDegrees;
  }
  const fit::Problem posed = problem.WithLoss(loss);
  absl::StatusOr<Likelihood> best = absl::InternalError("no start");
  for (const std::vector<double>& start : starts) {
    absl::StatusOr<Likelihood> found = absl::InternalError("not searched");
    if (model == NoiseModel::kHuber) {
      found = MaximizeHuber(problem, start, options);
    } else {
      const fit::Refit refit = fit::FitFrom(posed, start, options);
      found =
          LikelihoodAt(problem, std::isfinite(refit.objective) ? refit.coordinates : start, model);
    }
    if (!best.ok() || (found.ok() && found->log_likelihood > best->log_likelihood)) {
      best = std::move(found);
    }
  }
  if (best.ok()) best->maximum = true;
  return best;
}

std::vector<double> LogDensity(const fit::Problem& problem, const std::vector<double>& prediction,
                               NoiseModel model, double scale) {
  std::vector<double> result(prediction.size());
  for (size_t i = 0; i < prediction.size(); ++i) {
    const Term term = TermOf(problem, prediction[i], static_cast<int64_t>(i));
    result[i] = LogStandard(model, term.residual / scale) - std::log(scale) + term.log_jacobian;
  }
  return result;
}

double Aicc(double log_likelihood, int64_t k, int64_t n) {
  if (n <= k + 1) return std::numeric_limits<double>::infinity();
  const double d = static_cast<double>(k);
  return 2 * d - 2 * log_likelihood + 2 * d * (d + 1) / static_cast<double>(n - k - 1);
}

double Bic(double log_likelihood, int64_t k, int64_t n) {
  return static_cast<double>(k) * std::log(static_cast<double>(n)) - 2 * log_likelihood;
}

std::vector<double> Weights(const std::vector<double>& criteria) {
  const double best = criteria.empty() ? 0 : *std::min_element(criteria.begin(), criteria.end());
  std::vector<double> weights;
  double sum = 0;
  for (double value : criteria) {
    weights.push_back(!std::isfinite(best) ? 1 : std::exp(-0.5 * (value - best)));
    sum += weights.back();
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

}  // namespace qatlas::compare
