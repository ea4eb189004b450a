#include "framework/plan/linearized.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include <absl/strings/str_cat.h>
#include <qatlas/check.h>

#include "framework/fit/dense.h"
#include "framework/fit/stats.h"

namespace qatlas::plan {

absl::StatusOr<LogCurve> LogCurve::Create(const Law& law, const std::vector<Point>& points) {
  LogCurve curve;
  curve.law_ = &law;
  curve.count_ = points.size();
  const bool fitted = std::any_of(law.parameters.begin(), law.parameters.end(),
                                  [](const LawValue& p) { return p.coordinate >= 0; });
  const LawSpec& spec = law.form->Spec();
  for (size_t p = 0; p < law.parameters.size(); ++p) {
    curve.coordinate_.push_back(fitted ? law.parameters[p].coordinate : static_cast<int>(p));
    curve.free_ = std::max(curve.free_, curve.coordinate_.back() + 1);
  }
  for (std::vector<double>* list : {&curve.centre_, &curve.lower_, &curve.upper_}) {
    list->assign(curve.free_, 0.0);
  }
  for (size_t p = 0; p < law.parameters.size(); ++p) {
    const LawValue& parameter = law.parameters[p];
    const int c = curve.coordinate_[p];
    if (c < 0) continue;  // held
    if (curve.first_.size() <= static_cast<size_t>(c)) curve.first_.resize(c + 1, 0);
    curve.first_[c] = p;
    const LawParameter& base = spec.parameters[parameter.base];
    const auto searched = [&](double x) { return parameter.log ? std::log(x) : x; };
    curve.centre_[c] = searched(law.values[p]);
    curve.lower_[c] = searched(base.lower);
    curve.upper_[c] = searched(base.upper);
  }
  std::map<std::vector<int>, size_t> index;
  std::vector<std::vector<std::vector<double>>> columns;
  for (size_t i = 0; i < points.size(); ++i) {
    QATLAS_ASSIGN_OR_RETURN(const BoundLaw bound, BoundLaw::Create(law, points[i]));
    const double value = bound.Value(-1);
    if (!(value > 0) || !std::isfinite(value)) {
      return absl::OutOfRangeError(absl::StrCat(law.name, " is not finite and above 0 at ",
                                                Show(points[i]),
                                                ", so it cannot be compared "
                                                "there; leave the point out"));
    }
    const auto [at, fresh] = index.insert({bound.slots(), curve.groups_.size()});
    if (fresh) {
      curve.groups_.push_back({bound.slots(), {}, {}});
      columns.emplace_back(spec.covariates.size());
    }
    curve.groups_[at->second].rows.push_back(static_cast<int>(i));
    for (size_t c = 0; c < spec.covariates.size(); ++c) {
      columns[at->second][c].push_back(bound.covariates()[c]);
    }
  }
  for (size_t g = 0; g < curve.groups_.size(); ++g) {
    curve.groups_[g].points = LawPoints(std::move(columns[g]));
  }
  return curve;
}

std::vector<double> LogCurve::Values(const std::vector<double>& u) const {
  std::vector<double> values = law_->values;
  for (size_t p = 0; p < values.size(); ++p) {
    if (coordinate_[p] < 0) continue;
    values[p] = law_->parameters[p].log ? std::exp(u[coordinate_[p]]) : u[coordinate_[p]];
  }
  return values;
}

void LogCurve::Clamp(std::vector<double>* u) const {
  for (int c = 0; c < free_; ++c) {
    (*u)[c] = std::clamp((*u)[c], std::max(lower_[c], -700.0), std::min(upper_[c], 700.0));
  }
}

void LogCurve::Evaluate(const std::vector<double>& u, std::vector<double>* value,
                        std::vector<double>* gradient) const {
  const std::vector<double> values = Values(u);
  value->assign(count_, 0.0);
  if (gradient != nullptr) gradient->assign(count_ * free_, 0.0);
  for (const Group& group : groups_) {
    const int64_t n = static_cast<int64_t>(group.rows.size());
    std::vector<double> theta(group.slots.size());
    for (size_t p = 0; p < theta.size(); ++p) theta[p] = values[group.slots[p]];
    std::vector<double> f(n), jacobian(gradient != nullptr ? theta.size() * n : 0);
    law_->form->Evaluate(group.points.Batch(), theta.data(), f.data(),
                         gradient != nullptr ? jacobian.data() : nullptr, n);
    for (int64_t i = 0; i < n; ++i) (*value)[group.rows[i]] = std::log(f[i]);
    if (gradient == nullptr) continue;
    for (size_t p = 0; p < theta.size(); ++p) {
      const int c = coordinate_[group.slots[p]];
      if (c < 0) continue;
      const double scale = law_->parameters[group.slots[p]].log ? theta[p] : 1.0;
      for (int64_t i = 0; i < n; ++i) {
        (*gradient)[group.rows[i] * free_ + c] += scale * jacobian[p * n + i] / f[i];
      }
    }
  }
}

std::vector<double> LogCurve::Precision(double vague) const {
  std::vector<double> covariance(free_ * free_, 0.0);
  const size_t draws = law_->draws.size();
  if (draws < 20) {
    std::vector<double> precision(free_ * free_, 0.0);
    for (int c = 0; c < free_; ++c) precision[c * free_ + c] = 1 / (vague * vague);
    return precision;
  }
  std::vector<std::vector<double>> all;
  std::vector<double> mean(free_, 0.0);
  for (const std::vector<double>& draw : law_->draws) {
    std::vector<double>& u = all.emplace_back(free_, 0.0);
    for (size_t p = 0; p < draw.size(); ++p) {
      if (coordinate_[p] < 0) continue;
      u[coordinate_[p]] = law_->parameters[p].log ? std::log(std::max(draw[p], 1e-300)) : draw[p];
    }
    for (int c = 0; c < free_; ++c) mean[c] += u[c] / static_cast<double>(draws);
  }
  for (const std::vector<double>& u : all) {
    for (int a = 0; a < free_; ++a) {
      for (int b = 0; b < free_; ++b) {
        covariance[a * free_ + b] +=
            (u[a] - mean[a]) * (u[b] - mean[b]) / static_cast<double>(draws - 1);
      }
    }
  }
  // A parameter that never moves (on a bound) is known; keep the matrix invertible.
  for (int c = 0; c < free_; ++c) {
    covariance[c * free_ + c] = covariance[c * free_ + c] * (1 + 1e-9) + 1e-14;
  }
  std::vector<double> inverse(free_ * free_, 0.0);
  QATLAS_CHECK(fit::dense::Cholesky(free_, covariance.data()), "a covariance of draws");
  fit::dense::CholeskyInverse(free_, covariance.data(), inverse.data());
  return inverse;
}

std::vector<double> LogCurve::Truth(int index, double vague, uint64_t seed) const {
  std::vector<double> u = centre_;
  if (index == 0) return u;
  const size_t draws = law_->draws.size();
  if (draws >= 20) {
    const std::vector<double>& draw = law_->draws[static_cast<size_t>(index) % draws];
    for (size_t p = 0; p < draw.size(); ++p) {
      if (coordinate_[p] < 0) continue;
      u[coordinate_[p]] = law_->parameters[p].log ? std::log(std::max(draw[p], 1e-300)) : draw[p];
    }
  } else {
    fit::Random random(seed, static_cast<uint64_t>(index));
    // A share of the value: of its logarithm's argument, or of the exponent itself.
    for (const size_t p : first_) {
      const int c = coordinate_[p];
      u[c] += vague * random.Normal() * (law_->parameters[p].log ? 1.0 : std::abs(u[c]));
    }
  }
  Clamp(&u);
  return u;
}

Nearest FindNearest(const LogCurve& curve, const std::vector<double>& target,
                    const std::vector<double>& weight, const std::vector<double>& precision,
                    std::vector<double>* u, int iterations) {
  const int p = curve.free();
  const auto squares = [&](const std::vector<double>& at, const std::vector<double>& value) {
    double sum = 0;
    for (int i = 0; i < curve.points(); ++i) {
      if (weight[i] == 0) continue;
      const double r = target[i] - value[i];
      sum += weight[i] * r * r;
    }
    for (int a = 0; a < p; ++a) {
      for (int b = 0; b < p; ++b) {
        sum += (at[a] - curve.centre()[a]) * precision[a * p + b] * (at[b] - curve.centre()[b]);
      }
    }
    return sum;
  };
  Nearest best;
  curve.Clamp(u);
  curve.Evaluate(*u, &best.value, &best.gradient);
  best.squares = squares(*u, best.value);
  double damping = 1e-4;
  for (int iteration = 0; iteration < iterations && p > 0; ++iteration) {
    std::vector<double> normal = precision, right(p, 0.0);
    for (int a = 0; a < p; ++a) {
      for (int b = 0; b < p; ++b) {
        right[a] -= precision[a * p + b] * ((*u)[b] - curve.centre()[b]);
      }
    }
    for (int i = 0; i < curve.points(); ++i) {
      if (weight[i] == 0) continue;
      const double* g = &best.gradient[i * p];
      const double r = target[i] - best.value[i];
      for (int a = 0; a < p; ++a) {
        right[a] += weight[i] * r * g[a];
        for (int b = 0; b < p; ++b) normal[a * p + b] += weight[i] * g[a] * g[b];
      }
    }
    bool better = false;
    double decrease = 0;
    for (int attempt = 0; attempt < 12 && !better; ++attempt, damping *= 8) {
      std::vector<double> damped = normal, step = right;
      for (int a = 0; a < p; ++a) damped[a * p + a] *= 1 + damping;
      if (!fit::dense::Cholesky(p, damped.data())) continue;
      fit::dense::CholeskySolve(p, damped.data(), step.data());
      std::vector<double> next = *u;
      for (int a = 0; a < p; ++a) next[a] += step[a];
      curve.Clamp(&next);
      Nearest trial;
      curve.Evaluate(next, &trial.value, &trial.gradient);
      trial.squares = squares(next, trial.value);
      if (!(trial.squares <= best.squares)) continue;
      better = true;
      decrease = best.squares - trial.squares;
      best = std::move(trial);
      *u = std::move(next);
      damping = std::max(damping / 64, 1e-12);
    }
    if (!better || decrease <= 1e-9 * (1e-6 + best.squares)) break;
  }
  return best;
}

}  // namespace qatlas::plan
