// Quantiles and distributions.
#ifndef QATLAS_FRAMEWORK_FIT_STATS_H_
#define QATLAS_FRAMEWORK_FIT_STATS_H_

#include <cstdint>
#include <vector>

namespace qatlas::fit {

// Quantile of Student's t for probability p in (0, 1); degrees > 0.
double StudentQuantile(double p, double degrees);
// P(|T| > |t|).
double StudentTwoSided(double t, double degrees);

double Median(std::vector<double> values);  // not empty
// 1.4826 times the median of |x|: the standard deviation of Gaussian residuals about 0.
double NormalizedMad(const std::vector<double>& residuals);

// Random numbers that depend on the seed and a stream's number alone (SplitMix64).
class Random {
 public:
  Random(uint64_t seed, uint64_t stream);
  uint64_t Next();
  // Uniform in [0, bound).
  uint64_t Below(uint64_t bound);
  double Uniform();  // [0, 1)
  double Normal();   // Box-Muller

 private:
  uint64_t state_;
};

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_STATS_H_
