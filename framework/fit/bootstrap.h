// Bootstrap intervals of fitted parameters and predictions.
#ifndef QATLAS_FRAMEWORK_FIT_BOOTSTRAP_H_
#define QATLAS_FRAMEWORK_FIT_BOOTSTRAP_H_

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "framework/fit/fit.h"

namespace qatlas::fit {

enum class Resampling {  // What is drawn.
  kPairs,                // rows with replacement
  kResiduals,            // residuals with replacement, inflated for leverage, added to the fit
  kGroups,  // whole groups of rows that agree in a column (all rows of one run, of one seed)
};

struct BootstrapOptions {                      // How runs are resampled.
  Resampling resampling = Resampling::kPairs;  // what is drawn
  std::vector<std::string> groups;  // group label of each row of the problem, for kGroups
  int replicates = 1000;            // resamples
  uint64_t seed = 1;                // of the draws
  double level = .95;               // of intervals
  int threads = 0;                  // 0: all
  FitOptions fit;                   // of the refits, which start at the fit's own optimum
};

struct BootstrapInterval {    // Of one parameter, natural units.
  std::string name;           // of the parameter
  double standard_error = 0;  // natural units
  double bias = 0;            // mean of the replicates minus the estimate
  Interval percentile;        // quantiles of the replicates
  // Reflected about the estimate, in search coordinates (so that a positive parameter stays
  // positive).
  Interval basic;
};

struct BootstrapResult {                      // What Bootstrap() found.
  std::vector<BootstrapInterval> parameters;  // of problem.parameters()
  // [replicates that converged][coordinates], as searched; the order does not depend on threads.
  std::vector<std::vector<double>> coordinates;
  int failed = 0;  // replicates without a finite optimum or of too few distinct rows; left out
};

// Deterministic in the seed whatever the threads. InvalidArgument: groups missing or of another
// length, fewer than two groups, replicates < 2.
absl::StatusOr<BootstrapResult> Bootstrap(const FitResult& fit, const BootstrapOptions& options);

// Quantile of sorted values by linear interpolation (type 7). values must not be empty.
double Quantile(const std::vector<double>& sorted, double p);

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_BOOTSTRAP_H_
