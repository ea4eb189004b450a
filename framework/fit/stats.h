// Medians, scales and random numbers.
#ifndef QATLAS_FRAMEWORK_FIT_STATS_H_
#define QATLAS_FRAMEWORK_FIT_STATS_H_

#include <cstdint>
#include <limits>
#include <vector>

#include <absl/types/span.h>

namespace qatlas::fit {

// A number that is not known.
inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double Median(std::vector<double> values);  // not empty
// 1.4826 times the median of |x|: the standard deviation of Gaussian residuals about 0.
double NormalizedMad(const std::vector<double>& residuals);

// The scale s at which Student's t with nu degrees of freedom gives the residuals their highest
// likelihood; weights: one a residual, or empty for 1. 0 where more than nu/(nu+1) of the weight
// lies on residuals of 0.
double StudentScale(absl::Span<const double> residuals, absl::Span<const double> weights,
                    double nu);

// Random numbers that depend on the seed and a stream's number alone (SplitMix64).
class Random {
 public:
  Random(uint64_t seed, uint64_t stream);  // streams differ
  uint64_t Next();                         // 64 random bits
  // Uniform in [0, bound).
  uint64_t Below(uint64_t bound);
  double Uniform();  // [0, 1)
  double Normal();   // Box-Muller

 private:
  uint64_t state_;
};

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_STATS_H_
