#include "framework/fit/scatter.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "framework/fit/stats.h"

namespace qatlas::fit {
namespace {

// Of Student's t with nu degrees of freedom, at r in units of the scale.
double StudentPsi(double nu, double r) { return (nu + 1) * r / (nu + r * r); }
double StudentSlope(double nu, double r) {
  const double core = nu + r * r;
  return (nu + 1) * (nu - r * r) / (core * core);
}

void MeasureStudent(const Loss& loss, const Residuals& residuals, double objective, int p,
                    Scatter* scatter) {
  const double n = static_cast<double>(residuals.r.size());
  const double left = n - p;
  const double s = StudentScale(residuals.r, residuals.weight, loss.nu);
  scatter->scale = s * std::sqrt(n / left);
  if (s == 0) return;
  double weight = 0;
  double psi_squares = 0;
  double slopes = 0;
  double slope_squares = 0;
  for (size_t i = 0; i < residuals.r.size(); ++i) {
    const double w = residuals.weight[i];
    const double psi = StudentPsi(loss.nu, residuals.r[i] / s);
    const double slope = StudentSlope(loss.nu, residuals.r[i] / s);
    weight += w;
    psi_squares += w * psi * psi;
    slopes += w * slope;
    slope_squares += w * slope * slope;
  }
  slopes /= weight;
  slope_squares /= weight;
  // Far more outliers than the model has leave the mean slope without meaning; it is then a quarter
  // of the model's.
  slopes = std::max(slopes, .25 * (loss.nu + 1) / (loss.nu + 3));
  const double spread = std::max(0.0, slope_squares - slopes * slopes);
  const double k = 1 + p / n * spread / (slopes * slopes);
  scatter->variance_factor = k * k * (psi_squares / left) / (slopes * slopes) * s * s;
  // The objective is W/2 exp(2 L/W - 1) of the likelihood's L: this is how much steeper it is.
  scatter->psi_slope = slopes;
  scatter->slope = slopes * 2 * objective / (weight * s * s);
}

void MeasureHuber(const Loss& loss, const Residuals& residuals, int p, Scatter* scatter) {
  const double n = static_cast<double>(residuals.r.size());
  const double left = n - p;
  scatter->scale = NormalizedMad(residuals.r) * std::sqrt(n / left);
  const double window = std::max(loss.delta, 0.8 * scatter->scale * std::pow(n, -0.2));
  double psi_squares = 0;
  double inside = 0;
  for (size_t i = 0; i < residuals.r.size(); ++i) {
    const double psi = std::clamp(residuals.r[i], -loss.delta, loss.delta);
    psi_squares += residuals.weight[i] * psi * psi;
    inside += std::abs(residuals.r[i]) <= window ? 1 : 0;
  }
  // p residuals lie at 0 by construction where the loss is nearly absolute; they tell nothing.
  if (window > loss.delta) inside = std::max(1.0, inside - p) * (n / left);
  const double share = std::clamp(inside / n * (loss.delta / window), 1e-6, 1.0);
  const double k = 1 + p / n * (1 - share) / share * (loss.delta / window);
  scatter->variance_factor = k * k * (psi_squares / left) / (share * share);
  scatter->psi_slope = scatter->slope = share;
}

// Under standard normal residuals.
void ExactHuber(double delta, Scatter* scatter) {
  const double density = std::exp(-0.5 * delta * delta) / std::sqrt(2 * std::numbers::pi);
  const double above = 0.5 * std::erfc(delta / std::numbers::sqrt2);
  const double share = 1 - 2 * above;
  const double psi_squares = share - 2 * delta * density + 2 * delta * delta * above;
  scatter->variance_factor = psi_squares / (share * share);
  scatter->psi_slope = scatter->slope = share;
}

}  // namespace

Residuals ResidualsOf(const FitResult& fit) {
  const Problem& problem = *fit.problem;
  Residuals residuals;
  for (int64_t i = 0; i < problem.rows(); ++i) {
    if (problem.weight()[i] == 0) continue;
    const double y = problem.target()[i];
    const double f = fit.prediction[i];
    const double noise = problem.noise().empty() ? 1.0 : problem.noise()[i];
    residuals.r.push_back(
        (problem.loss().space == Space::kLog ? std::log(f) - std::log(y) : f - y) / noise);
    residuals.weight.push_back(problem.weight()[i]);
    residuals.row.push_back(i);
  }
  return residuals;
}

Scatter MeasureScatter(const FitResult& fit, const Residuals& residuals, int free) {
  const Problem& problem = *fit.problem;
  const Loss& loss = problem.loss();
  Scatter scatter;
  scatter.degrees = static_cast<double>(residuals.r.size()) - free;
  switch (loss.shape) {
    case Shape::kSquare:
      scatter.variance_factor = 2 * fit.objective / scatter.degrees;
      scatter.scale = std::sqrt(scatter.variance_factor);
      break;
    case Shape::kHuber:
      MeasureHuber(loss, residuals, free, &scatter);
      break;
    case Shape::kStudentT:
      MeasureStudent(loss, residuals, fit.objective, free, &scatter);
      break;
  }
  if (problem.options().noise_exact) {
    scatter.degrees = std::numeric_limits<double>::infinity();
    scatter.variance_factor = 1;
    if (loss.shape == Shape::kHuber) ExactHuber(loss.delta, &scatter);
  }
  return scatter;
}

double Psi(const Loss& loss, const Scatter& scatter, double r) {
  switch (loss.shape) {
    case Shape::kHuber:
      return std::clamp(r, -loss.delta, loss.delta);
    case Shape::kStudentT: {
      return scatter.scale > 0 ? scatter.scale * StudentPsi(loss.nu, r / scatter.scale) : 0;
    }
    case Shape::kSquare:
      break;
  }
  return r;
}

}  // namespace qatlas::fit
