// Variable projection: linear parameters at their optimum given the others (Golub and Pereyra 1973,
// SIAM J. Numer. Anal. 10, 413-432), by reweighted least squares where the loss is not quadratic.
#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/fit/dense.h"
#include "framework/fit/local.h"

namespace qatlas::fit {
namespace {

// A positive parameter whose term is wanted gone leaves this share of the typical prediction.
constexpr double kGone = 1e-12;
// Reweightings at one point, and for robust losses, whose searches end in all parameters jointly,
// the relative gain below which they are left to that end.
constexpr int kMostReweightings = 30;
constexpr double kRobustGain = 1e-5;

// Minimizes xᵀ a x/2 - bᵀ x within low <= x <= high, low <= 0 <= high; a [n][n] positive
// semidefinite. Variables that leave the box are put on it, worst first, and let go when the
// gradient points inwards. False where a is singular.
bool SolveBox(int n, const std::vector<double>& a, const std::vector<double>& b,
              const std::vector<double>& low, const std::vector<double>& high,
              std::vector<double>* x) {
  std::vector<double> norm(n);
  for (int i = 0; i < n; ++i) {
    norm[i] = std::sqrt(a[i * n + i]);
    if (!(norm[i] > 0) || !std::isfinite(norm[i])) return false;
  }
  std::vector<char> fixed(n, 0);
  std::vector<int> open;
  std::vector<double> factor(n * n);
  std::vector<double> rhs(n);
  x->assign(n, 0.0);
  for (int round = 0; round < 3 * n + 10; ++round) {
    open.clear();
    for (int i = 0; i < n; ++i) {
      if (!fixed[i]) open.push_back(i);
    }
    const int m = static_cast<int>(open.size());
    for (int p = 0; p < m; ++p) {
      const int i = open[p];
      rhs[p] = b[i];
      for (int j = 0; j < n; ++j) {
        if (fixed[j]) rhs[p] -= a[i * n + j] * (*x)[j];
      }
      rhs[p] /= norm[i];
      for (int q = 0; q <= p; ++q)
        factor[p * m + q] = a[i * n + open[q]] / (norm[i] * norm[open[q]]);
      factor[p * m + p] += 1e-13;
    }
    if (m > 0) {
      if (!dense::Cholesky(m, factor.data(), 1e-15)) return false;
      dense::CholeskySolve(m, factor.data(), rhs.data());
    }
    int worst = -1;
    double violation = 0;
    for (int p = 0; p < m; ++p) {
      const int i = open[p];
      (*x)[i] = rhs[p] / norm[i];
      const double beyond = std::max(low[i] - (*x)[i], (*x)[i] - high[i]) * norm[i];
      if (beyond > violation) {
        worst = i;
        violation = beyond;
      }
    }
    if (worst >= 0) {
      fixed[worst] = 1;
      (*x)[worst] = (*x)[worst] < low[worst] ? low[worst] : high[worst];
      continue;
    }
    // All open ones lie inside: does a fixed one want back?
    double pull = 0;
    for (int i = 0; i < n; ++i) {
      if (!fixed[i]) continue;
      double slope = -b[i];
      double size = std::abs(b[i]);
      for (int j = 0; j < n; ++j) {
        slope += a[i * n + j] * (*x)[j];
        size += std::abs(a[i * n + j] * (*x)[j]);
      }
      const double inwards = ((*x)[i] == low[i] ? -slope : slope) / norm[i];
      if (inwards > pull && inwards * norm[i] > 1e-10 * size) {
        worst = i;
        pull = inwards;
      }
    }
    if (worst < 0) return true;
    fixed[worst] = 0;
  }
  for (int i = 0; i < n; ++i) (*x)[i] = std::clamp((*x)[i], low[i], high[i]);
  return true;
}

}  // namespace

double LocalSearcher::Project(double* u) {
  std::fill(trial_pinned_.begin(), trial_pinned_.end(), 0);
  double objective = Assess(u, true);
  if (!std::isfinite(objective)) {
    // The linear parameters of the point before may not suit these others at all.
    std::vector<double> solved(u, u + m_);
    SolveLinear(&solved);
    std::copy(solved.begin(), solved.end(), u);
    objective = Assess(u, true);
    if (!std::isfinite(objective)) return objective;
  }
  std::vector<int> open;
  for (int i = 0; i < m_; ++i) {
    if (projected_[i] && lower_[i] < upper_[i]) open.push_back(i);
  }
  const int n = static_cast<int>(open.size());
  const bool robust = problem_.loss().shape != Shape::kSquare;
  const bool quadratic = !robust && problem_.loss().space == Space::kLinear;
  std::vector<double> value(n), least(n), low(n), high(n), b(n), a(n * n), step;
  double typical = 0;
  for (int64_t i = 0; i < rows_; ++i) typical += std::abs(prediction_[i]);
  for (int p = 0; p < n; ++p) {
    const int l = open[p];
    value[p] = log_[l] ? scale_[l] : u[l];
    least[p] = log_[l] ? std::exp(lower_[l]) : lower_[l];
    if (!log_[l]) continue;
    double column = 0;
    for (int64_t i = 0; i < rows_; ++i) column += std::abs(jacobian_[l * padded_ + i]);
    // A column that overflows or is gone tells nothing about its parameter.
    if (!(column > 0) || !std::isfinite(column)) return objective;
    least[p] = std::max(least[p], kGone * typical / column);
  }
  bool moved = false;
  std::vector<double> ahead(padded_, 0.0);
  std::vector<double> slope(padded_, 0.0);
  std::vector<double> curvature(padded_, 0.0);
  for (int iteration = 0; iteration < (quadratic ? 1 : kMostReweightings); ++iteration) {
    for (int p = 0; p < n; ++p) {
      const double* x = &jacobian_[open[p] * padded_];
      double sum = 0;
      for (int64_t i = 0; i < rows_; ++i) sum -= x[i] * slope_[i];
      b[p] = sum;
      for (int64_t i = 0; i < rows_; ++i) ahead[i] = x[i] * curvature_[i];
      for (int q = 0; q <= p; ++q) {
        const double* z = &jacobian_[open[q] * padded_];
        double product = 0;
        for (int64_t i = 0; i < rows_; ++i) product += ahead[i] * z[i];
        a[p * n + q] = a[q * n + p] = product;
      }
      const double top = log_[open[p]] ? std::exp(upper_[open[p]]) : upper_[open[p]];
      low[p] = std::min(0.0, least[p] - value[p]);
      high[p] = std::max(0.0, top - value[p]);
    }
    if (!SolveBox(n, a, b, low, high, &step)) break;
    double descent = 0;
    for (int p = 0; p < n; ++p) descent += b[p] * step[p];
    if (!(descent > 1e-15 * objective)) break;
    double share = 1;
    double next = std::numeric_limits<double>::infinity();
    for (int attempt = 0; attempt < 20; ++attempt, share *= 0.5) {
      std::copy(prediction_.begin(), prediction_.end(), ahead.begin());
      for (int p = 0; p < n; ++p) {
        const double* x = &jacobian_[open[p] * padded_];
        const double by = share * step[p];
        for (int64_t i = 0; i < rows_; ++i) ahead[i] += by * x[i];
      }
      next = Terms(ahead.data(), slope.data(), curvature.data());
      if (next <= objective - 1e-4 * share * descent) break;
      next = std::numeric_limits<double>::infinity();
    }
    if (!std::isfinite(next)) break;
    moved = true;
    const double gain = objective - next;
    for (int p = 0; p < n; ++p) value[p] += share * step[p];
    objective = next;
    prediction_.swap(ahead);
    slope_.swap(slope);
    curvature_.swap(curvature);
    if (gain <= (robust ? kRobustGain : 0.01 * tolerance_) * objective) break;
  }
  for (int p = 0; p < n; ++p) {
    const int l = open[p];
    if (log_[l]) {
      trial_pinned_[l] = value[p] <= least[p] * (1 + 1e-9) && least[p] > std::exp(lower_[l]);
      value[p] = std::max(value[p], least[p]);
    }
    if (moved) {
      u[l] = std::clamp(log_[l] ? std::log(value[p]) : value[p], lower_[l], upper_[l]);
    }
  }
  return moved ? Assess(u, true) : objective;
}

}  // namespace qatlas::fit
