// Closed-form solution of linear parameters, and local search through NLopt.
#include <algorithm>
#include <cmath>
#include <limits>
#include <nlopt.hpp>

#include <qatlas/vector_math.h>

#include "framework/fit/dense.h"
#include "framework/fit/local.h"

namespace qatlas::fit {
namespace {

// Where least squares wants a positive parameter to be negative, its term is set to this share of
// the typical target: small, and still visible to the derivatives.
constexpr double kSmallShare = 1e-3;

}  // namespace

void LocalSearcher::SolveLinear(std::vector<double>* u) {
  std::vector<int> linear;
  for (int i = 0; i < m_; ++i) {
    if (problem_.coordinate(i).linear) linear.push_back(i);
  }
  if (linear.empty()) return;
  // The objective may be infinite here (a prediction below 0): only prediction and Jacobian are
  // used. In tiles, sums over rows: the normal equations of all coordinates, Jᵀ W J (lower
  // triangle) and Jᵀ W rest, where rest is the target less what is not linear.
  SetPoint(u->data());
  const bool log = problem_.loss().space == Space::kLog;
  const inner::Kernels& kernels = inner::HostKernels();
  std::vector<double> normal(m_ * m_), ahead(m_), size(m_), part(m_ * m_);
  double typical = 0;  // mean |target|
  for (int64_t begin = 0; begin < rows_; begin = TileEnd(begin)) {
    const int64_t end = TileEnd(begin);
    const int64_t padded = inner::Padded(end - begin);
    EvaluateTile(begin, end, true);
    bool finite = true;
    for (int64_t i = 0; i < end - begin; ++i) {
      const int64_t row = begin + i;
      const double y = log ? vector_math::Exp(target_[row]) : target_[row];
      typical += std::abs(y) / static_cast<double>(rows_);
      double rest = y - prediction_[i];
      for (int l : linear) rest += jacobian_[l * padded + i] * (log_[l] ? scale_[l] : (*u)[l]);
      finite = finite && std::isfinite(rest);
      curvature_[i] =
          weight_[row] * inverse_noise_[row] * inverse_noise_[row] / (log ? y * y : 1.0);
      slope_[i] = curvature_[i] * rest;
    }
    if (!finite) return;
    kernels.gradient(m_, padded, jacobian_.data(), slope_.data(), part.data());
    for (int l : linear) {
      ahead[l] += part[l];
      double column = 0;
      for (int64_t i = 0; i < end - begin; ++i) column += std::abs(jacobian_[l * padded + i]);
      size[l] += column / static_cast<double>(rows_);
    }
    kernels.normal(m_, padded, jacobian_.data(), curvature_.data(), part.data(),
                   row_scratch_.data());
    for (int l : linear) {
      for (int k : linear) {
        if (k <= l) normal[l * m_ + k] += part[l * m_ + k];
      }
    }
  }
  // Solves; a parameter that leaves its bounds is put on them and the others are solved again.
  std::vector<int> open = linear;
  while (!open.empty()) {
    const int n = static_cast<int>(open.size());
    std::vector<double> a(n * n, 0.0);
    std::vector<double> b(n, 0.0);
    std::vector<double> norm(n, 0.0);
    for (int p = 0; p < n; ++p) {
      norm[p] = normal[open[p] * m_ + open[p]];
      if (!(norm[p] > 0) || !std::isfinite(norm[p])) return;
      norm[p] = std::sqrt(norm[p]);
    }
    for (int p = 0; p < n; ++p) {
      b[p] = ahead[open[p]] / norm[p];
      for (int q = 0; q <= p; ++q) {
        a[p * n + q] = normal[open[p] * m_ + open[q]] / (norm[p] * norm[q]);
      }
      a[p * n + p] += 1e-13;
    }
    if (!dense::Cholesky(n, a.data(), 1e-15)) return;
    dense::CholeskySolve(n, a.data(), b.data());
    int worst = -1;
    double worst_value = 0;
    double bound = 0;
    for (int p = 0; p < n; ++p) {
      const int l = open[p];
      const double value = b[p] / norm[p];
      double low = log_[l] ? std::exp(lower_[l]) : lower_[l];
      const double high = log_[l] ? std::exp(upper_[l]) : upper_[l];
      if (log_[l]) low = std::min(std::max(low, kSmallShare * typical / size[l]), high);
      // Violations are compared by their share of the solution's size.
      const double violation = std::max(low - value, value - high) * norm[p];
      if (violation > worst_value) {
        worst = p;
        worst_value = violation;
        bound = value < low ? low : high;
      }
    }
    if (worst < 0) {
      for (int p = 0; p < n; ++p) {
        const double value = b[p] / norm[p];
        (*u)[open[p]] = log_[open[p]] ? std::log(value) : value;
      }
      return;
    }
    const int l = open[worst];
    (*u)[l] = log_[l] ? std::log(bound) : bound;
    open.erase(open.begin() + worst);
    for (int k : open) ahead[k] -= normal[std::max(k, l) * m_ + std::min(k, l)] * bound;
  }
}

Refit LocalSearcher::RunNlopt(absl::Span<const double> start, LocalSearch algorithm) {
  Refit state;
  state.coordinates.assign(start.begin(), start.end());
  Clip(state.coordinates.data());
  state.objective = Objective(state.coordinates);
  if (!std::isfinite(state.objective)) return state;
  nlopt::opt optimizer(algorithm == LocalSearch::kNloptSlsqp ? nlopt::LD_SLSQP : nlopt::LD_LBFGS,
                       m_);
  optimizer.set_lower_bounds(lower_);
  optimizer.set_upper_bounds(upper_);
  optimizer.set_ftol_rel(tolerance_ * 1e-3);
  optimizer.set_maxeval(max_iterations_ * 4);
  struct Context {
    LocalSearcher* searcher;
    int evaluations;
  } context = {this, 0};
  const auto objective = [](const std::vector<double>& x, std::vector<double>& gradient,
                            void* data) -> double {
    auto* c = static_cast<Context*>(data);
    ++c->evaluations;
    if (gradient.empty()) return c->searcher->Objective(x);
    const double value = c->searcher->ObjectiveAndGradient(x, gradient.data());
    if (std::isfinite(value)) return value;
    // NLopt's line searches want a number: a wall.
    std::fill(gradient.begin(), gradient.end(), 0.0);
    return 1e300;
  };
  optimizer.set_min_objective(objective, &context);
  std::vector<double> x = state.coordinates;
  double value = state.objective;
  try {
    const nlopt::result result = optimizer.optimize(x, value);
    state.converged = result > 0 && result != nlopt::MAXEVAL_REACHED;
  } catch (const std::exception&) {
    // Its line search gives up near an optimum at times; what it reached is kept, as not converged.
  }
  state.iterations = context.evaluations;
  value = Objective(x);
  if (value <= state.objective) {
    state.objective = value;
    state.coordinates = x;
  }
  return state;
}

}  // namespace qatlas::fit
