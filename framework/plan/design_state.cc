#include "framework/plan/design_state.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <qatlas/check.h>

#include "framework/compare/likelihood.h"
#include "framework/fit/dense.h"

namespace qatlas::plan {

Books::Books(const std::vector<Candidate>& candidates, const std::vector<std::string>& have)
    : candidates_(candidates), have_(have), in_(candidates.size(), 0) {
  for (const std::string& key : have_) uses_[key] = 1;
}

double Books::Adds(size_t candidate) const {
  const Candidate& c = candidates_[candidate];
  const auto uses = uses_.find(c.baseline);
  const bool there = c.baseline.empty() || (uses != uses_.end() && uses->second > 0);
  return c.cost + (there ? 0 : c.baseline_cost);
}

double Books::Frees(size_t candidate) const {
  const Candidate& c = candidates_[candidate];
  const auto uses = uses_.find(c.baseline);
  const bool last = !c.baseline.empty() && uses != uses_.end() && uses->second == 1;
  return c.cost + (last ? c.baseline_cost : 0);
}

double Books::CostAfter(size_t out, size_t in) const {
  if (candidates_[out].baseline == candidates_[in].baseline) {
    return cost_ - candidates_[out].cost + candidates_[in].cost;
  }
  return cost_ - Frees(out) + Adds(in);
}

void Books::Add(size_t candidate) {
  cost_ += Adds(candidate);
  in_[candidate] = 1;
  chosen_.push_back(candidate);
  if (!candidates_[candidate].baseline.empty()) ++uses_[candidates_[candidate].baseline];
}

void Books::Remove(size_t candidate) {
  cost_ -= Frees(candidate);
  in_[candidate] = 0;
  chosen_.erase(std::find(chosen_.begin(), chosen_.end(), candidate));
  if (!candidates_[candidate].baseline.empty()) --uses_[candidates_[candidate].baseline];
}

Duel::Duel(const LogCurve* rival, std::vector<double> truth, std::vector<double> weight,
           std::vector<double> precision, size_t candidates)
    : rival_(rival),
      truth_(std::move(truth)),
      weight_(std::move(weight)),
      precision_(std::move(precision)),
      candidates_(candidates),
      u_(rival->centre()) {}

void Duel::Refit(const Books& books) {
  std::vector<double> weight = weight_;
  for (size_t i = 0; i < candidates_; ++i) {
    if (!books.in(i)) weight[i] = 0;
  }
  Nearest nearest = FindNearest(*rival_, truth_, weight, precision_, &u_);
  if (!std::isfinite(nearest.squares)) {
    u_ = rival_->centre();
    nearest = FindNearest(*rival_, truth_, weight, precision_, &u_);
  }
  lambda_ = std::isfinite(nearest.squares) ? nearest.squares : 0;
  value_ = std::move(nearest.value);
  gradient_ = std::move(nearest.gradient);
  const int p = rival_->free();
  std::vector<double> normal = precision_;
  for (size_t i = 0; i < weight.size(); ++i) {
    if (weight[i] == 0) continue;
    const double* g = &gradient_[i * p];
    for (int a = 0; a < p; ++a) {
      for (int b = 0; b < p; ++b) normal[a * p + b] += weight[i] * g[a] * g[b];
    }
  }
  inverse_.assign(p * p, 0.0);
  if (p > 0 && fit::dense::Cholesky(p, normal.data())) {
    fit::dense::CholeskyInverse(p, normal.data(), inverse_.data());
  }
}

double Duel::LambdaWith(size_t candidate) const {
  const int p = rival_->free();
  const double* g = &gradient_[candidate * p];
  double leverage = 0;
  for (int a = 0; a < p; ++a) {
    for (int b = 0; b < p; ++b) leverage += g[a] * inverse_[a * p + b] * g[b];
  }
  const double r = truth_[candidate] - value_[candidate];
  const double w = weight_[candidate];
  const double gain = w * r * r / (1 + w * std::max(leverage, 0.0));
  return std::isfinite(gain) ? lambda_ + gain : lambda_;
}

double Duel::LambdaExchanged(const Books& books, size_t out, size_t in) const {
  const int p = rival_->free();
  std::vector<double> normal = precision_, right(p, 0.0);
  double squares = 0;
  for (int a = 0; a < p; ++a) {
    double pull = 0;
    for (int b = 0; b < p; ++b) pull += precision_[a * p + b] * (u_[b] - rival_->centre()[b]);
    right[a] = -pull;
    squares += pull * (u_[a] - rival_->centre()[a]);
  }
  const auto take = [&](size_t i) {
    const double* g = &gradient_[i * p];
    const double r = truth_[i] - value_[i], w = weight_[i];
    squares += w * r * r;
    for (int a = 0; a < p; ++a) {
      right[a] += w * r * g[a];
      for (int b = 0; b <= a; ++b) normal[a * p + b] += w * g[a] * g[b];
    }
  };
  for (size_t i : books.chosen()) {
    if (i != out) take(i);
  }
  take(in);
  for (size_t i = candidates_; i < weight_.size(); ++i) take(i);
  std::vector<double> step = right;
  if (p == 0 || !fit::dense::Cholesky(p, normal.data())) return squares;
  fit::dense::CholeskySolve(p, normal.data(), step.data());
  for (int a = 0; a < p; ++a) squares -= step[a] * right[a];
  return std::isfinite(squares) ? std::max(squares, 0.0) : 0;
}

double ProbabilityNamed(double lambda, int truth_parameters, int rival_parameters, int64_t runs,
                        double evidence) {
  const double n = static_cast<double>(runs);
  // The noise scale is a parameter too.
  const double truth_penalty = compare::Aicc(0, truth_parameters + 1, runs);
  const double rival_penalty = compare::Aicc(0, rival_parameters + 1, runs);
  if (!std::isfinite(truth_penalty)) return 0;
  if (!std::isfinite(rival_penalty)) return 0;  // a rival that cannot be judged is not beaten
  const double mean = n * std::log1p(lambda / n) + rival_penalty - truth_penalty;
  const double deviation = 2 * std::sqrt(std::max(lambda, 1e-12)) / (1 + lambda / n);
  return .5 * std::erfc(-(mean - evidence) / (deviation * std::sqrt(2.0)));
}

}  // namespace qatlas::plan
