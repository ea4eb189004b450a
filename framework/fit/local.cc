#include "framework/fit/local.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <qatlas/vector_math.h>

#include "framework/fit/dense.h"

namespace qatlas::fit {
namespace {

// The longest step in a logarithm: e^4 is far enough for one step. In other coordinates half the
// span of the start values.
constexpr double kLongestLogStep = 4.0;
// Levenberg-Marquardt hands a robust loss over to BFGS once it predicts a relative gain below this,
// or after so many steps.
constexpr double kHandOver = 1e-3;
constexpr double kSmallDamping = 1e-2;
constexpr int kLevenbergSteps = 40;

}  // namespace

LocalSearcher::LocalSearcher(const Problem& problem, const FitOptions& options)
    : problem_(problem),
      tolerance_(options.tolerance),
      max_iterations_(options.max_iterations),
      m_(problem.coordinates()),
      rows_(problem.rows()),
      padded_(inner::Padded(problem.rows())),
      tile_(padded_ < kLeastTiles * kTile ? padded_ : kTile) {
  for (int i = 0; i < m_; ++i) {
    log_.push_back(problem.coordinate(i).log);
    lower_.push_back(problem.LowerCoordinate(i));
    upper_.push_back(problem.UpperCoordinate(i));
    const Parameter& coordinate = problem.coordinate(i);
    const auto& starts = problem.form().Spec().parameters[coordinate.base].starts;
    const auto [low, high] = std::minmax_element(starts.begin(), starts.end());
    double length = coordinate.log ? kLongestLogStep : 0.5 * (*high - *low);
    if (length <= 0) length = std::max(1.0, std::abs(*low));
    length_.push_back(length);
    projected_.push_back(options.projected && coordinate.linear);
  }
  for (std::vector<double>* rows : {&target_, &weight_, &inverse_noise_}) {
    rows->assign(padded_, 0.0);
  }
  for (std::vector<double>* rows : {&prediction_, &slope_, &curvature_, &row_scratch_}) {
    rows->assign(tile_, 0.0);
  }
  jacobian_.assign(tile_ * m_, 0.0);
  if (Tiled() && problem.loss().shape == Shape::kStudentT) squares_.assign(padded_, 0.0);
  gradient_sum_.assign(m_, 0.0);
  hessian_sum_.assign(m_ * m_, 0.0);
  scale_.assign(m_, 1.0);
  values_.assign(problem.parameters().size(), 0.0);
  matrix_.assign(m_ * m_, 0.0);
  trial_.assign(m_, 0.0);
  pinned_.assign(m_, 0);
  trial_pinned_.assign(m_, 0);
  trial_g_.assign(m_, 0.0);
  trial_h_.assign(m_ * m_, 0.0);
  SetWeight(problem.weight());
  SetTarget(problem.target());
  for (int64_t i = 0; i < rows_; ++i) {
    inverse_noise_[i] = problem.noise().empty() ? 1.0 : 1.0 / problem.noise()[i];
  }
}

void LocalSearcher::SetWeight(absl::Span<const double> weight) {
  std::copy(weight.begin(), weight.end(), weight_.begin());
}

void LocalSearcher::SetTarget(absl::Span<const double> target) {
  const bool log = problem_.loss().space == Space::kLog;
  for (int64_t i = 0; i < rows_; ++i) {
    target_[i] = log ? vector_math::Log(target[i]) : target[i];
  }
}

void LocalSearcher::Hold(int i, double value) { lower_[i] = upper_[i] = value; }

void LocalSearcher::Release(int i) {
  lower_[i] = problem_.LowerCoordinate(i);
  upper_[i] = problem_.UpperCoordinate(i);
}

void LocalSearcher::Clip(double* u) const {
  for (int i = 0; i < m_; ++i) u[i] = std::min(std::max(u[i], lower_[i]), upper_[i]);
}

bool LocalSearcher::Held(int i, const double* u, const double* g) const {
  if (pinned_[i] && g[i] > 0) return true;
  return (u[i] <= lower_[i] && (g[i] > 0 || lower_[i] == upper_[i])) ||
         (u[i] >= upper_[i] && g[i] < 0);
}

bool LocalSearcher::Step(const double* u, const double* g, const double* h, double objective,
                         double lambda, double* step) {
  free_.clear();
  for (int i = 0; i < m_; ++i) {
    step[i] = 0;
    if (!Held(i, u, g) && h[i * m_ + i] > 0) free_.push_back(i);
  }
  const int n = static_cast<int>(free_.size());
  if (n == 0) return true;
  double rhs[64];
  for (int a = 0; a < n; ++a) {
    for (int b = 0; b <= a; ++b) matrix_[a * n + b] = h[free_[a] * m_ + free_[b]];
    // Relative damping alone would take giant steps in coordinates that hardly matter here (an
    // exponent so large that its term is gone); damping is at least what makes a step of full
    // length cost F.
    const double length = length_[free_[a]];
    // What is solved for afterwards needs no damping but what keeps the factor regular.
    matrix_[a * n + a] +=
        Projects(free_[a]) ? (1e-10 + 1e-4 * lambda) * matrix_[a * n + a]
                           : lambda * std::max(matrix_[a * n + a], objective / (length * length));
  }
  std::vector<double> large;
  double* x = rhs;
  if (n > 64) {
    large.resize(n);
    x = large.data();
  }
  for (int a = 0; a < n; ++a) x[a] = -g[free_[a]];
  if (!dense::Cholesky(n, matrix_.data(), 1e-15)) return false;
  dense::CholeskySolve(n, matrix_.data(), x);
  for (int a = 0; a < n; ++a) step[free_[a]] = x[a];
  return true;
}

Refit LocalSearcher::Run(absl::Span<const double> start) {
  Refit state;
  state.coordinates.assign(start.begin(), start.end());
  Clip(state.coordinates.data());
  // A tether is not part of what Project solves.
  projects_ =
      tether_ == nullptr && std::find(projected_.begin(), projected_.end(), 1) != projected_.end();
  if (projects_) MakeWhole();
  std::fill(pinned_.begin(), pinned_.end(), 0);
  wants_hessian_ = true;
  state.objective =
      projects_ ? Project(state.coordinates.data()) : Assess(state.coordinates.data(), true);
  if (!std::isfinite(state.objective)) return state;
  pinned_ = trial_pinned_;
  std::vector<double> g(m_);
  std::vector<double> h(m_ * m_);
  Gradient(g.data());
  Hessian(h.data());
  if (!Levenberg(&state, &g, &h)) Bfgs(&state, &g, &h);
  return state;
}

// Returns true when the search has ended, false when BFGS should go on.
bool LocalSearcher::Levenberg(Refit* state, std::vector<double>* g, std::vector<double>* h) {
  const bool robust = problem_.loss().shape != Shape::kSquare;
  const int limit = robust ? std::min(kLevenbergSteps, max_iterations_) : max_iterations_;
  std::vector<double>& u = state->coordinates;
  std::vector<double> step(m_);
  double lambda = 1e-3;
  double growth = 2;
  int quiet = 0;
  while (state->iterations < limit) {
    ++state->iterations;
    bool accepted = false;
    double gain = 0;
    for (int attempt = 0; attempt < 40; ++attempt) {
      if (!Step(u.data(), g->data(), h->data(), state->objective, lambda, step.data())) {
        lambda = std::max(lambda, 1e-12) * 10;
        continue;
      }
      double predicted = 0;
      double cut = 1;
      for (int i = 0; i < m_; ++i) {
        if (Projects(i)) continue;
        if (std::abs(step[i]) * cut > length_[i]) cut = length_[i] / std::abs(step[i]);
      }
      for (int i = 0; i < m_; ++i) {
        step[i] *= cut;
        trial_[i] = u[i] + (Projects(i) ? std::clamp(step[i], -length_[i], length_[i]) : step[i]);
      }
      Clip(trial_.data());
      for (int i = 0; i < m_; ++i) {
        if (!Projects(i)) step[i] = trial_[i] - u[i];
      }
      for (int i = 0; i < m_; ++i) {
        double hs = 0;
        for (int j = 0; j < m_; ++j) hs += (*h)[i * m_ + j] * step[j];
        predicted -= step[i] * ((*g)[i] + 0.5 * hs);
      }
      // Nothing to gain within the model: an optimum, as far as doubles can tell. (Projection onto
      // bounds can turn a long step uphill; a shorter one then helps.)
      if (predicted >= 0 && predicted <= 1e-16 * state->objective) {
        state->converged = true;
        Assess(u.data(), true);
        return true;
      }
      const double objective =
          predicted > 0 ? (projects_ ? Project(trial_.data()) : Assess(trial_.data(), true))
                        : std::numeric_limits<double>::infinity();
      gain = state->objective - objective;
      if (gain > 0) {
        const double ratio = gain / predicted;
        lambda *= std::max(1.0 / 9, 1 - std::pow(2 * ratio - 1, 3));
        growth = 2;
        u = trial_;
        pinned_ = trial_pinned_;
        const double before = state->objective;
        state->objective = objective;
        Gradient(g->data());
        Hessian(h->data());
        accepted = true;
        const double limit_gain = tolerance_ * before;
        quiet = predicted <= limit_gain && gain <= limit_gain ? quiet + 1 : 0;
        if (robust && lambda < kSmallDamping && std::max(predicted, gain) <= kHandOver * before) {
          return false;
        }
        break;
      }
      lambda *= growth;
      growth *= 2;
      if (predicted >= 0 && predicted <= tolerance_ * 1e-2 * state->objective) break;
    }
    if (!accepted || quiet >= 2) {
      state->converged = true;
      if (robust) return false;
      return true;
    }
  }
  return !robust;
}

bool LocalSearcher::ResetInverse(const double* u, const double* g, const double* h,
                                 double objective, std::vector<double>* inverse) {
  free_.clear();
  for (int i = 0; i < m_; ++i) {
    if (!Held(i, u, g)) free_.push_back(i);
  }
  const int n = static_cast<int>(free_.size());
  std::vector<double> factor(n * n);
  std::vector<double> block(n * n);
  std::fill(inverse->begin(), inverse->end(), 0.0);
  for (double damping = 1e-8; damping < 1e3; damping *= 100) {
    for (int a = 0; a < n; ++a) {
      for (int b = 0; b < n; ++b) factor[a * n + b] = h[free_[a] * m_ + free_[b]];
      const double length = length_[free_[a]];
      factor[a * n + a] += damping * std::max(factor[a * n + a], objective / (length * length));
    }
    if (!dense::Cholesky(n, factor.data())) continue;
    dense::CholeskyInverse(n, factor.data(), block.data());
    for (int a = 0; a < n; ++a) {
      for (int b = 0; b < n; ++b) (*inverse)[free_[a] * m_ + free_[b]] = block[a * n + b];
    }
    return true;
  }
  return false;
}

void LocalSearcher::Bfgs(Refit* state, std::vector<double>* g, std::vector<double>* h) {
  std::vector<double>& u = state->coordinates;
  std::vector<double> inverse(m_ * m_);
  std::vector<double> step(m_);
  std::vector<double> change(m_);
  std::vector<double> by(m_);
  std::vector<char> held(m_);
  state->converged = false;
  wants_hessian_ = false;
  bool fresh = ResetInverse(u.data(), g->data(), h->data(), state->objective, &inverse);
  if (!fresh) return;
  for (int i = 0; i < m_; ++i) held[i] = Held(i, u.data(), g->data());
  int quiet = 0;
  while (state->iterations < max_iterations_) {
    ++state->iterations;
    double slope = 0;
    for (int i = 0; i < m_; ++i) {
      step[i] = 0;
      for (int j = 0; j < m_; ++j) step[i] -= inverse[i * m_ + j] * (*g)[j];
    }
    for (int i = 0; i < m_; ++i) slope += step[i] * (*g)[i];
    const double before = state->objective;
    bool accepted = false;
    if (slope < 0) {
      double scale = 1;
      for (int i = 0; i < m_; ++i) {
        if (std::abs(step[i]) * scale > length_[i]) scale = length_[i] / std::abs(step[i]);
      }
      for (int attempt = 0; attempt < 25 && !accepted; ++attempt) {
        for (int i = 0; i < m_; ++i) trial_[i] = u[i] + scale * step[i];
        Clip(trial_.data());
        const double objective = Assess(trial_.data(), true);
        if (objective <= before + 1e-4 * scale * slope) {
          accepted = true;
          state->objective = objective;
        } else {
          // The minimum of the parabola through both values and the slope.
          const double denominator = 2 * (objective - before - scale * slope);
          const double fitted = std::isfinite(objective) ? -slope * scale * scale / denominator : 0;
          scale = std::clamp(fitted, 0.1 * scale, 0.5 * scale);
        }
      }
    }
    if (!accepted) {
      // Rounding, or a stale matrix: once more along the reweighted step, then it is an optimum.
      if (fresh) {
        state->converged = true;
        break;
      }
      Assess(u.data(), true);
      Gradient(g->data());
      Hessian(h->data());
      fresh = ResetInverse(u.data(), g->data(), h->data(), state->objective, &inverse);
      if (!fresh) break;
      for (int i = 0; i < m_; ++i) held[i] = Held(i, u.data(), g->data());
      continue;
    }
    Gradient(trial_g_.data());
    double sy = 0;
    for (int i = 0; i < m_; ++i) {
      step[i] = trial_[i] - u[i];
      change[i] = trial_g_[i] - (*g)[i];
      sy += step[i] * change[i];
    }
    u = trial_;
    *g = trial_g_;
    fresh = false;
    bool same = true;
    for (int i = 0; i < m_; ++i) {
      const char now = Held(i, u.data(), g->data());
      same = same && now == held[i];
      held[i] = now;
    }
    if (!same) {
      Hessian(h->data());
      fresh = ResetInverse(u.data(), g->data(), h->data(), state->objective, &inverse);
    } else {
      double yby = 0;
      double norm = 0;
      for (int i = 0; i < m_; ++i) {
        by[i] = 0;
        for (int j = 0; j < m_; ++j) by[i] += inverse[i * m_ + j] * change[j];
        yby += by[i] * change[i];
        norm += std::abs(step[i] * change[i]);
      }
      if (sy > 1e-12 * norm && sy > 0) {
        const double factor = (1 + yby / sy) / sy;
        for (int i = 0; i < m_; ++i) {
          for (int j = 0; j < m_; ++j) {
            inverse[i * m_ + j] +=
                factor * step[i] * step[j] - (by[i] * step[j] + step[i] * by[j]) / sy;
          }
        }
      }
    }
    quiet = before - state->objective <= tolerance_ * before && -slope <= tolerance_ * before
                ? quiet + 1
                : 0;
    if (quiet >= 2) {
      state->converged = true;
      break;
    }
  }
}

}  // namespace qatlas::fit
