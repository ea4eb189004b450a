// Designs that make a parameter, a prediction or all parameters of one law surer.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <qatlas/check.h>

#include "framework/fit/dense.h"
#include "framework/observe/names.h"
#include "framework/plan/design.h"
#include "framework/plan/design_search.h"
#include "framework/plan/linearized.h"

namespace qatlas::plan {
namespace {

// The information of a design at one draw of the parameters.
struct Information {
  std::vector<double> gradient, weight;  // of all points: candidates, then existing runs
  std::vector<double> direction;         // c; empty: all parameters
  std::vector<double> base;              // prior and existing runs, [p][p]
};

// ln of the variance of c, or of the p-th root of the volume, given an information matrix.
double LogVariance(int p, std::vector<double> matrix, const std::vector<double>& direction) {
  if (!fit::dense::Cholesky(p, matrix.data())) return std::numeric_limits<double>::infinity();
  if (direction.empty()) {
    double log_determinant = 0;
    for (int a = 0; a < p; ++a) log_determinant += 2 * std::log(matrix[a * p + a]);
    return -log_determinant / p;
  }
  std::vector<double> solved = direction;
  fit::dense::CholeskySolve(p, matrix.data(), solved.data());
  double variance = 0;
  for (int a = 0; a < p; ++a) variance += direction[a] * solved[a];
  return std::log(std::max(variance, 1e-300));
}

}  // namespace

absl::StatusOr<Design> Shrink(const Law& law, const Wanted& wanted,
                              const std::vector<Candidate>& candidates,
                              const DesignOptions& options) {
  QATLAS_RETURN_IF_ERROR(CheckDesign(candidates, options));
  if (options.until > 0 && options.budget <= 0 && options.runs <= 0) {
    return absl::InvalidArgumentError(
        "a probability of naming a law is not reached by making one law surer; give a budget or a "
        "number of runs");
  }
  const bool at_point = wanted.parameter.empty() && !wanted.at.numbers.empty();
  std::vector<Point> points;
  for (const Candidate& candidate : candidates) points.push_back(candidate.point);
  points.insert(points.end(), options.existing.begin(), options.existing.end());
  const size_t asked = points.size();
  if (at_point) points.push_back(wanted.at);
  QATLAS_ASSIGN_OR_RETURN(const LogCurve curve, LogCurve::Create(law, points));
  const int p = curve.free();
  if (p == 0) return absl::FailedPreconditionError(absl::StrCat(law.name, " has nothing free"));
  int coordinate = -1;
  if (!wanted.parameter.empty()) {
    const bool fitted = std::any_of(law.parameters.begin(), law.parameters.end(),
                                    [](const LawValue& q) { return q.coordinate >= 0; });
    std::vector<std::string> names;
    bool held = false;
    for (size_t i = 0; i < law.parameters.size(); ++i) {
      names.push_back(law.parameters[i].name);
      if (law.parameters[i].name != wanted.parameter) continue;
      coordinate = fitted ? law.parameters[i].coordinate : static_cast<int>(i);
      held = coordinate < 0;
    }
    if (held) {
      return absl::InvalidArgumentError(
          absl::StrCat(wanted.parameter, " is held; no run makes it surer"));
    }
    if (coordinate < 0) {
      return absl::NotFoundError(absl::StrCat("law ", law.name, " has no parameter '",
                                              wanted.parameter, "'",
                                              observe::Suggest(wanted.parameter, names)));
    }
  }
  std::vector<Information> all;
  for (int draw = 0; draw < std::max(options.draws, 1); ++draw) {
    Information info;
    std::vector<double> value;
    curve.Evaluate(curve.Truth(draw, options.vague, options.seed), &value, &info.gradient);
    if (!std::all_of(value.begin(), value.end(), [](double x) { return std::isfinite(x); }) ||
        !std::all_of(info.gradient.begin(), info.gradient.end(),
                     [](double x) { return std::isfinite(x); })) {
      continue;
    }
    for (size_t i = 0; i < asked; ++i) {
      const double absolute = options.error.absolute / std::exp(value[i]);
      info.weight.push_back(
          1 / (options.error.relative * options.error.relative + absolute * absolute));
    }
    if (coordinate >= 0) {
      info.direction.assign(p, 0.0);
      info.direction[coordinate] = 1;
    } else if (at_point) {
      info.direction.assign(info.gradient.end() - p, info.gradient.end());
    }
    info.base = curve.Precision(10 * options.vague);
    for (size_t i = candidates.size(); i < asked; ++i) {
      const double* g = &info.gradient[i * p];
      for (int a = 0; a < p; ++a) {
        for (int b = 0; b < p; ++b) info.base[a * p + b] += info.weight[i] * g[a] * g[b];
      }
    }
    all.push_back(std::move(info));
  }
  if (all.empty()) {
    return absl::OutOfRangeError(absl::StrCat(law.name, " is not finite at the candidates"));
  }
  Books books(candidates, options.have);
  // Minus the mean over draws of the logarithm of the variance.
  const auto score = [&](size_t out, size_t in, const Books& of) {
    double sum = 0;
    for (const Information& info : all) {
      std::vector<double> matrix = info.base;
      const auto take = [&](size_t i) {
        const double* g = &info.gradient[i * p];
        for (int a = 0; a < p; ++a) {
          for (int b = 0; b < p; ++b) matrix[a * p + b] += info.weight[i] * g[a] * g[b];
        }
      };
      for (const size_t i : of.chosen()) {
        if (i != out) take(i);
      }
      if (in < candidates.size()) take(in);
      sum -= LogVariance(p, std::move(matrix), info.direction);
    }
    return sum / static_cast<double>(all.size());
  };
  const size_t none = candidates.size();
  const Steps steps = {
      [&] { return score(none, none, books); }, [&](size_t i) { return score(none, i, books); },
      [&](size_t out, size_t in) { return score(out, in, books); }, [] {}, [] { return false; }};
  const auto error = [](double minus_log_variance) { return std::exp(-minus_log_variance / 2); };
  Design design;
  design.before = error(steps.score());
  Greedy(candidates, options, steps, &books);
  if (books.chosen().empty()) {
    return absl::FailedPreconditionError("no candidate fits into the budget");
  }
  Exchange(candidates, steps, options.budget > 0 ? options.budget : books.cost(), &books);
  design.criterion = error(steps.score());
  design.cost = books.cost();
  Books order(candidates, options.have);
  std::vector<size_t> left = books.chosen();
  while (!left.empty()) {
    size_t best = 0;
    double most = -std::numeric_limits<double>::infinity();
    for (size_t k = 0; k < left.size(); ++k) {
      const double gain =
          (score(none, left[k], order) - score(none, none, order)) / order.Adds(left[k]);
      if (gain > most) {
        most = gain;
        best = k;
      }
    }
    Chosen step;
    step.candidate = left[best];
    step.cost = order.Adds(step.candidate);
    order.Add(step.candidate);
    step.criterion = error(score(none, none, order));
    design.runs.push_back(step);
    left.erase(left.begin() + static_cast<int64_t>(best));
  }
  Books every(candidates, options.have);
  for (size_t i = 0; i < candidates.size(); ++i) every.Add(i);
  design.full_cost = every.cost();
  design.full_criterion = error(score(none, none, every));
  return design;
}

}  // namespace qatlas::plan
