// Whether a set of runs names the right law: simulated runs, fitted and ranked.
#ifndef QATLAS_FRAMEWORK_PLAN_NAMING_H_
#define QATLAS_FRAMEWORK_PLAN_NAMING_H_

#include <cstdint>
#include <vector>

#include <absl/status/statusor.h>

#include "framework/plan/design.h"

namespace qatlas::plan {

// Of simulated sets of runs: how often the law that they came from has the lowest AICc by
// `evidence` or more, how often another has, how often neither.
struct Naming {
  int sets = 0;
  int right = 0, wrong = 0, undecided = 0;
  int best = 0;  // the truth has the lowest AICc, by however little
  double Right() const { return sets > 0 ? static_cast<double>(right) / sets : 0; }
};

// Simulates `sets` tables at the points from `truth` at its values (lognormal relative errors and
// Gaussian absolute ones) and fits every law anew by log-least-squares with a multi-start, as
// `qatlas compare` does. A law that cannot be fitted to the runs leaves the set undecided. truth:
// index into laws. Deterministic in the seed whatever the threads.
absl::StatusOr<Naming> SimulateNaming(const std::vector<const Law*>& laws, size_t truth,
                                      const std::vector<Point>& points, const RunError& error,
                                      double evidence, int sets, uint64_t seed, int threads = 0);

}  // namespace qatlas::plan

#endif  // QATLAS_FRAMEWORK_PLAN_NAMING_H_
