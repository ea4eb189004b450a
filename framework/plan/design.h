// Which runs to make next: those that separate rival laws best, or that shrink an interval most,
// for what they cost.
#ifndef QATLAS_FRAMEWORK_PLAN_DESIGN_H_
#define QATLAS_FRAMEWORK_PLAN_DESIGN_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "framework/plan/allocate.h"
#include "framework/plan/world.h"

namespace qatlas::plan {

// A run that could be made.
struct Candidate {
  Point point;
  // FLOPs of the run itself, and of the full-precision run that it is paired with. Runs with the
  // same `baseline` key share that one; a key in DesignOptions::have costs nothing more.
  double cost = 0;
  double baseline_cost = 0;
  std::string baseline;  // empty: no pair is needed
};

// The product of axes as candidates of cost per_nd · N · D (1 + overhead), each paired with the
// full-precision run of its (N, D) where `paired`. InvalidArgument: no N or no D, values that are
// not above 0, more than 20000 points.
absl::StatusOr<std::vector<Candidate>> CandidateGrid(
    const std::map<std::string, std::vector<double>>& axes, const Cost& cost, bool paired);

// What the laws predict has a relative error `relative` (of the logarithm) and an absolute one,
// both standard deviations; the target is compared as its logarithm.
struct RunError {
  double relative = .05;
  double absolute = 0;
};

struct DesignOptions {
  // Where to stop; 0: no bound. One of the three must be given.
  double budget = 0;  // FLOPs
  int runs = 0;       // at most
  double until = 0;   // expected probability of naming the law, in (0, 1)
  RunError error;
  std::vector<Point> existing;    // runs that there are already
  std::vector<std::string> have;  // baselines that there are already
  int draws = 16;                 // of every law's parameters, as truths
  // Parameters of laws without draws (published constants) are unsure by this share of their
  // values. As rivals such laws adapt freely.
  double vague = .1;
  uint64_t seed = 1;
  double evidence = 6;  // difference in AICc at which a law counts as named
};

struct Chosen {
  size_t candidate;
  double cost = 0;       // what it adds, its baseline where that is new
  double criterion = 0;  // after it
  double named = 0;      // expected probability of naming the right law after it (discrimination)
};

struct Design {
  std::vector<Chosen> runs;  // in the order chosen, after exchange
  double cost = 0;
  double criterion = 0, before = 0;  // of the design, and of the existing runs alone
  double named = 0, named_before = 0;
  // The same for all candidates together, for comparison.
  double full_cost = 0, full_criterion = 0, full_named = 0;
  std::vector<std::string> notes;
};

// Discrimination between two or more laws of one target. For a truth drawn from one law, a rival
// is fitted (search coordinates, with what is known of it as a penalty) to the noiseless truth at
// the design's points; the sum of squares λ that is left, over the variance of a run, is what the
// evidence against it grows by. The criterion is the mean over truths of the least λ over rivals,
// capped where naming is all but sure (T-optimality of Atkinson & Fedorov 1975, averaged over a
// prior). Runs are taken greedily by gain over cost, a rival's freedom to adapt accounted for by
// its leverage, then exchanged one for one while the criterion grows within the budget.
//
// `named` is the probability that the truth's AICc is lower by `evidence`: with n runs and the
// noise estimated from them the difference is about n ln(1 + λ/n) plus the difference of the
// penalties, with standard deviation 2 √λ / (1 + λ/n). A truth that a rival holds as a special case
// can never be named so; such pairs are left out and said. Errors: fewer than two laws, targets
// that differ, a law not finite or not positive at a candidate, nothing that says where to stop.
absl::StatusOr<Design> Discriminate(const std::vector<const Law*>& laws,
                                    const std::vector<Candidate>& candidates,
                                    const DesignOptions& options);

// A law for a form without constants of its own: the values nearest (in ln target) to those of
// `truth` over the candidates. Its parameters count as known to `vague`.
absl::StatusOr<Law> LawNear(std::shared_ptr<const LawForm> form, const std::string& name,
                            const Law& truth, const std::vector<Candidate>& candidates);

// What is to become sure: a parameter by name, or (name empty) the law's value at a point, or
// (neither) all parameters together (D-optimality).
struct Wanted {
  std::string parameter;
  Point at;
};

// c-optimal design for one law: the standard error (of the logarithm, where the quantity is
// positive) that the runs leave, averaged over draws of the parameters; for all parameters the
// p-th root of the volume. criterion and before are standard errors, smaller is better.
absl::StatusOr<Design> Shrink(const Law& law, const Wanted& wanted,
                              const std::vector<Candidate>& candidates,
                              const DesignOptions& options);

}  // namespace qatlas::plan

#endif  // QATLAS_FRAMEWORK_PLAN_DESIGN_H_
