#include "framework/decompose/estimate.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace qatlas::decompose {
namespace {

constexpr double kZ = 1.959963984540054;  // 97.5% quantile of the normal distribution.
constexpr double kDeltaMethodG = .05;

double SumOfErrors(absl::Span<const Term> terms, double Estimate::*error) {
  double positive = 0, negative = 0;
  for (const Term& term : terms) {
    const double size = std::abs(term.coefficient) * term.estimate.*error;
    (term.coefficient >= 0 ? positive : negative) += size;
  }
  return std::hypot(positive, negative);
}

// The errors that both have; total before its parts.
Basis CommonBasis(const Estimate& a, const Estimate& b) {
  const bool evaluation = !std::isnan(a.evaluation_se) && !std::isnan(b.evaluation_se);
  const bool training = !std::isnan(a.training_se) && !std::isnan(b.training_se);
  if (evaluation && training) return Basis::kTotal;
  if (evaluation) return Basis::kEvaluation;
  return training ? Basis::kTraining : Basis::kNone;
}

double ErrorOn(const Estimate& estimate, Basis basis) {
  switch (basis) {
    case Basis::kTotal:
      return estimate.total_se();
    case Basis::kEvaluation:
      return estimate.evaluation_se;
    case Basis::kTraining:
      return estimate.training_se;
    default:
      return kMissing;
  }
}

}  // namespace

const char* BasisName(Basis basis) {
  switch (basis) {
    case Basis::kTotal:
      return "total";
    case Basis::kEvaluation:
      return "evaluation";
    case Basis::kTraining:
      return "training";
    default:
      return "none";
  }
}

const char* RatioMethodName(RatioMethod method) {
  switch (method) {
    case RatioMethod::kDelta:
      return "delta";
    case RatioMethod::kFieller:
      return "fieller";
    case RatioMethod::kUnbounded:
      return "unbounded";
    default:
      return "none";
  }
}

double Estimate::total_se() const {
  // hypot(inf, NaN) is inf in C; no error here is infinite.
  return std::hypot(evaluation_se, training_se);
}

Basis Estimate::basis() const { return CommonBasis(*this, *this); }

double Estimate::known_se() const { return ErrorOn(*this, basis()); }

Estimate Combine(absl::Span<const Term> terms) {
  Estimate result;
  if (terms.empty()) return result;
  result.value = 0;
  result.seeds = terms[0].estimate.seeds;
  for (const Term& term : terms) {
    result.value += term.coefficient * term.estimate.value;
    result.seeds = std::min(result.seeds, term.estimate.seeds);
  }
  result.evaluation_se = SumOfErrors(terms, &Estimate::evaluation_se);
  result.training_se = SumOfErrors(terms, &Estimate::training_se);
  return result;
}

Ratio RatioOf(const Estimate& numerator, const Estimate& denominator, double covariance) {
  Ratio ratio;
  const double a = numerator.value, b = denominator.value;
  if (std::isnan(a) || std::isnan(b)) {
    ratio.note = "a part of the ratio is unknown";
    return ratio;
  }
  ratio.basis = CommonBasis(numerator, denominator);
  if (b == 0) {
    ratio.note = "the denominator is zero";
    ratio.method = ratio.basis == Basis::kNone ? RatioMethod::kNone : RatioMethod::kUnbounded;
    return ratio;
  }
  ratio.value = a / b;
  if (ratio.basis == Basis::kNone) {
    ratio.note = "the two errors are unknown or of different kinds";
    return ratio;
  }
  const double se_a = ErrorOn(numerator, ratio.basis), se_b = ErrorOn(denominator, ratio.basis);
  const double var_a = se_a * se_a, var_b = se_b * se_b;
  // No covariance is larger than the errors allow.
  const double cov = std::clamp(covariance, -se_a * se_b, se_a * se_b);
  const double g = kZ * kZ * var_b / (b * b);
  if (g >= 1) {
    ratio.method = RatioMethod::kUnbounded;
    ratio.note = "the denominator is not clear of zero";
    return ratio;
  }
  if (g < kDeltaMethodG) {
    ratio.method = RatioMethod::kDelta;
    const double r = ratio.value;
    ratio.se = std::sqrt(std::max(0.0, var_a - 2 * r * cov + r * r * var_b)) / std::abs(b);
    ratio.low = r - kZ * ratio.se;
    ratio.high = r + kZ * ratio.se;
    return ratio;
  }
  // The r with (a - r b)² <= z² (var_a - 2 r cov + r² var_b): roots of a quadratic in r whose
  // leading term is positive for g < 1, and which holds at r = a/b.
  const double square = b * b - kZ * kZ * var_b;
  const double half = a * b - kZ * kZ * cov;
  const double constant = a * a - kZ * kZ * var_a;
  const double root = std::sqrt(std::max(0.0, half * half - square * constant));
  ratio.method = RatioMethod::kFieller;
  ratio.low = (half - root) / square;
  ratio.high = (half + root) / square;
  return ratio;
}

Ratio OneMinus(Ratio ratio) {
  ratio.value = 1 - ratio.value;
  std::swap(ratio.low, ratio.high);
  ratio.low = 1 - ratio.low;
  ratio.high = 1 - ratio.high;
  return ratio;
}

}  // namespace qatlas::decompose
