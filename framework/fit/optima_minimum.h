// Where a noisy curve has its minimum, with an interval: the local fit behind optima.h.
#ifndef QATLAS_FRAMEWORK_FIT_OPTIMA_MINIMUM_H_
#define QATLAS_FRAMEWORK_FIT_OPTIMA_MINIMUM_H_

#include <cstdint>
#include <string>
#include <vector>

#include <absl/types/span.h>

#include "framework/fit/fit.h"

namespace qatlas::fit {

struct MinimumOptions {  // How a minimum is sought.
  double level = .95;    // of intervals
  // Points within so much of the lowest point are used, in units of x; 0: all.
  double window = 0;
  int degree = 0;         // of the polynomial, 2 or 3; 0: as many as the levels allow
  int replicates = 1000;  // of the bootstrap; 0: none
  uint64_t seed = 1;      // of resamples
  // Residual variance known from elsewhere (other cells, replicates), with its degrees of freedom;
  // 0: estimated from this curve alone.
  double variance = 0;
  double degrees = 0;  // of freedom
};

struct Minimum {              // Of one curve.
  bool found = false;         // or reason says
  std::string reason;         // why not: an edge, no curvature, too few points
  double x = 0;               // of the minimum
  double standard_error = 0;  // of x, by the delta method
  Interval interval;          // all x at which a slope of 0 is not rejected (Fieller's, exact for
                              // Gaussian noise about the polynomial)
  Interval delta;             // x ± t · standard error
  Interval bootstrap;   // percentiles of residual resamples; NaN where it was not made or more
                        // than 1% of the resamples have no minimum
  double value = 0;     // of the curve at x
  double value_se = 0;  // of value
  int points = 0;       // used
  int levels = 0;       // of them, different x
  int degree = 2;       // of the polynomial
  // A further term is clear of noise: the curve bends more than the fit follows, and the interval
  // may be off. A smaller window helps.
  bool bends_more = false;
  double residual_variance = 0;  // about the curve
  double degrees = 0;            // of freedom behind the intervals; infinity where noise is given
  std::vector<size_t> used;      // indices of points
};

// Least squares of y by a polynomial in x: a cubic from five levels of x on, else a parabola. A
// parabola alone is biased where the curve is not symmetric about its minimum, and choosing between
// the two by the data makes the intervals too narrow (docs/observations.md has figures). noise:
// standard errors of y, or empty; with them points are weighed and intervals use the normal
// distribution.
// Not found: fewer than 4 levels (3 with known noise or variance); the lowest level (mean of its y)
// at an end of x, or the polynomial's minimum beyond it: an edge; curvature that is not above 0 at
// `level`. Deterministic in the seed.
Minimum FitMinimum(absl::Span<const double> x, absl::Span<const double> y,
                   absl::Span<const double> noise, const MinimumOptions& options);

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_OPTIMA_MINIMUM_H_
