// The objective and its derivatives at one point: all loops over rows of a local search.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <qatlas/vector_math.h>

#include "framework/fit/local.h"

namespace qatlas::fit {

void LocalSearcher::SetPoint(const double* u) {
  const std::vector<Parameter>& parameters = problem_.parameters();
  for (int i = 0; i < m_; ++i) {
    // scale_ doubles as the natural value of logarithmic coordinates: dθ/du = θ.
    scale_[i] = log_[i] ? vector_math::Exp(u[i]) : 1.0;
  }
  for (size_t p = 0; p < parameters.size(); ++p) {
    const int c = parameters[p].coordinate;
    values_[p] = c < 0 ? parameters[p].value : (log_[c] ? scale_[c] : u[c]);
  }
}

void LocalSearcher::MakeWhole() {
  if (!Tiled()) return;
  tile_ = padded_;
  for (std::vector<double>* rows : {&prediction_, &slope_, &curvature_, &row_scratch_}) {
    rows->assign(tile_, 0.0);
  }
  jacobian_.assign(tile_ * m_, 0.0);
  squares_ = {};
}

void LocalSearcher::EvaluateTile(int64_t begin, int64_t end, bool derivatives) {
  const int64_t padded = inner::Padded(end - begin);
  problem_.EvaluateRows(values_, begin, end, prediction_.data(),
                        derivatives ? jacobian_.data() : nullptr, padded, &scratch_);
  // The padding of the last tile holds what the tile before had there.
  for (int64_t i = end - begin; Tiled() && i < padded; ++i) {
    slope_[i] = curvature_[i] = row_scratch_[i] = 0;
    for (int a = 0; derivatives && a < m_; ++a) jacobian_[a * padded + i] = 0;
  }
}

inner::TermsInput LocalSearcher::TermsOf(int64_t begin, int64_t end,
                                         const double* prediction) const {
  return {problem_.loss(),
          end - begin,
          prediction,
          target_.data() + begin,
          weight_.data() + begin,
          inverse_noise_.data() + begin};
}

double LocalSearcher::Terms(const double* prediction, double* slope, double* curvature) {
  return inner::HostKernels().terms(TermsOf(0, rows_, prediction), slope, curvature,
                                    row_scratch_.data());
}

double LocalSearcher::AssessTiles(bool derivatives) {
  const inner::Kernels& kernels = inner::HostKernels();
  const bool student = problem_.loss().shape == Shape::kStudentT;
  double objective = 0;
  inner::StudentScale scale;
  if (student) {
    // The scale of Student's t needs all residuals before the first term: a pass of its own, which
    // costs less than keeping a Jacobian.
    for (int64_t begin = 0; begin < rows_; begin = TileEnd(begin)) {
      EvaluateTile(begin, TileEnd(begin), false);
      kernels.residuals(TermsOf(begin, TileEnd(begin), prediction_.data()), slope_.data(),
                        curvature_.data(), squares_.data() + begin);
    }
    scale = kernels.student_scale(TermsOf(0, rows_, nullptr), squares_.data());
    objective = scale.objective;
    if (!derivatives || !(scale.factor > 0)) return objective;
  }
  std::fill(gradient_sum_.begin(), gradient_sum_.end(), 0.0);
  std::fill(hessian_sum_.begin(), hessian_sum_.end(), 0.0);
  has_hessian_ = derivatives && wants_hessian_;
  std::vector<double> part(m_ * m_);
  for (int64_t begin = 0; begin < rows_; begin = TileEnd(begin)) {
    const int64_t end = TileEnd(begin);
    const int64_t padded = inner::Padded(end - begin);
    EvaluateTile(begin, end, derivatives);
    const inner::TermsInput input = TermsOf(begin, end, prediction_.data());
    if (student) {
      kernels.residuals(input, slope_.data(), curvature_.data(), row_scratch_.data());
      kernels.student_slopes(end - begin, input.weight, scale, slope_.data(), curvature_.data());
    } else {
      objective += kernels.terms(input, slope_.data(), curvature_.data(), row_scratch_.data());
      if (!std::isfinite(objective)) return std::numeric_limits<double>::infinity();
    }
    if (!derivatives) continue;
    kernels.gradient(m_, padded, jacobian_.data(), slope_.data(), part.data());
    for (int a = 0; a < m_; ++a) gradient_sum_[a] += part[a];
    if (!has_hessian_) continue;
    kernels.normal(m_, padded, jacobian_.data(), curvature_.data(), part.data(),
                   row_scratch_.data());
    for (int a = 0; a < m_; ++a) {
      for (int b = 0; b <= a; ++b) hessian_sum_[a * m_ + b] += part[a * m_ + b];
    }
  }
  return objective;
}

double LocalSearcher::Assess(const double* u, bool derivatives) {
  SetPoint(u);
  double objective;
  if (Tiled()) {
    objective = AssessTiles(derivatives);
  } else {
    EvaluateTile(0, rows_, derivatives);
    objective = Terms(prediction_.data(), slope_.data(), curvature_.data());
  }
  if (tether_ != nullptr) {
    tether_gradient_.assign(m_, 0.0);
    const double value = tether_->quantity(u, tether_gradient_.data());
    tether_residual_ = (value - tether_->goal) / tether_->width;
    for (double& x : tether_gradient_) x /= tether_->width;
    objective += 0.5 * tether_residual_ * tether_residual_;
    if (!std::isfinite(objective)) return std::numeric_limits<double>::infinity();
  }
  return objective;
}

void LocalSearcher::Gradient(double* g) {
  if (Tiled()) {
    std::copy(gradient_sum_.begin(), gradient_sum_.end(), g);
  } else {
    inner::HostKernels().gradient(m_, padded_, jacobian_.data(), slope_.data(), g);
  }
  for (int i = 0; i < m_; ++i) g[i] *= scale_[i];
  if (tether_ == nullptr) return;
  for (int i = 0; i < m_; ++i) g[i] += tether_residual_ * tether_gradient_[i];
}

void LocalSearcher::Hessian(double* h) {
  if (Tiled()) {
    if (!has_hessian_) {
      const bool wanted = std::exchange(wants_hessian_, true);
      AssessTiles(true);
      wants_hessian_ = wanted;
    }
    std::copy(hessian_sum_.begin(), hessian_sum_.end(), h);
  } else {
    inner::HostKernels().normal(m_, padded_, jacobian_.data(), curvature_.data(), h,
                                row_scratch_.data());
  }
  for (int a = 0; a < m_; ++a) {
    for (int b = 0; b <= a; ++b) {
      h[a * m_ + b] *= scale_[a] * scale_[b];
      if (tether_ != nullptr) h[a * m_ + b] += tether_gradient_[a] * tether_gradient_[b];
      h[b * m_ + a] = h[a * m_ + b];
    }
  }
}

double LocalSearcher::Objective(absl::Span<const double> u) { return Assess(u.data(), false); }

double LocalSearcher::ObjectiveAndGradient(absl::Span<const double> u, double* gradient) {
  const double objective = Assess(u.data(), true);
  Gradient(gradient);
  return objective;
}

LocalSearcher::Linearization LocalSearcher::Linearize(absl::Span<const double> u) {
  MakeWhole();
  const double objective = Assess(u.data(), true);
  for (int a = 0; a < m_; ++a) {
    for (int64_t i = 0; i < rows_; ++i) jacobian_[a * padded_ + i] *= scale_[a];
  }
  return {objective, prediction_.data(), jacobian_.data(), slope_.data(), curvature_.data()};
}

}  // namespace qatlas::fit
