// A δ with the two parts of its error, and ratios of two of them.
#ifndef QATLAS_FRAMEWORK_DECOMPOSE_ESTIMATE_H_
#define QATLAS_FRAMEWORK_DECOMPOSE_ESTIMATE_H_

#include <string>

#include <absl/types/span.h>

#include "framework/observe/number.h"

namespace qatlas::decompose {

using observe::kMissing;

// Which errors a standard error holds.
enum class Basis { kNone, kEvaluation, kTraining, kTotal };
const char* BasisName(Basis basis);  // "none", "evaluation", "training", "total"

// A value in nats/token with standard errors; NaN is unknown, never 0.
struct Estimate {
  double value = kMissing;
  double evaluation_se = kMissing;  // Over validation sequences.
  double training_se = kMissing;    // Over seeds.
  int seeds = 0;

  // sqrt(evaluation² + training²); NaN unless both are known.
  double total_se() const;
  Basis basis() const;
  // total_se, or the one part that is known, or NaN; basis() says which.
  double known_se() const;
};

struct Term {
  double coefficient;
  Estimate estimate;
};

// Sum of coefficient * estimate. How the errors of δs hang together is not known from their
// standard errors (they share baselines, seeds and sequences, so that they rise and fall
// together), and the wider error is taken: terms of equal sign add linearly, the two signs'
// sums in quadrature. A part unknown in one term is unknown in the result; seeds is the fewest.
Estimate Combine(absl::Span<const Term> terms);

enum class RatioMethod { kNone, kDelta, kFieller, kUnbounded };
const char* RatioMethodName(RatioMethod method);  // "none", "delta", "fieller", "unbounded"

struct Ratio {
  double value = kMissing;  // NaN only where the denominator is 0 or unknown.
  double se = kMissing;     // By the delta method; NaN with the others, whose interval is skew.
  double low = kMissing;    // 95% interval; NaN when unbounded or unknown.
  double high = kMissing;
  RatioMethod method = RatioMethod::kNone;
  Basis basis = Basis::kNone;  // The errors that the interval holds.
  std::string note;            // Why something is not known; else empty.
};

// numerator / denominator. With g = (1.96 se_d / d)²: the delta method where g < .05 (Finney,
// Statistical Method in Biological Assay, 1971), Fieller's interval (J. R. Stat. Soc. B 16, 1954)
// where g < 1, and "unbounded" above: the denominator is not clear of zero and no finite interval
// holds the ratio. `covariance` is that of the two errors; 0 widens the interval of positively
// correlated ones.
Ratio RatioOf(const Estimate& numerator, const Estimate& denominator, double covariance = 0);

// 1 − ratio, with its interval turned round.
Ratio OneMinus(Ratio ratio);

}  // namespace qatlas::decompose

#endif  // QATLAS_FRAMEWORK_DECOMPOSE_ESTIMATE_H_
