// Losses at points, and how to spend compute: N against D, full precision against QAT.
#ifndef QATLAS_FRAMEWORK_PLAN_ALLOCATE_H_
#define QATLAS_FRAMEWORK_PLAN_ALLOCATE_H_

#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "framework/plan/world.h"

namespace qatlas::plan {

struct AskOptions {
  double level = .95;
  bool allow_unidentified = false;
};

// Loss, full-precision loss, δ (those that the world has), effective parameters and perplexity's
// factor e^δ at every point.
absl::StatusOr<Answer> LossAt(const World& world, const std::vector<Point>& points,
                              const AskOptions& options = {});

// FLOPs of a training are per_nd · N · D, and QAT costs `overhead` more as a share (.3: 1.3 times).
struct Cost {
  double per_nd = 6;
  double overhead = 0;
};

// The N and D of least loss with per_nd (1 + overhead) N D = flops, with and without QAT; without
// overhead for full precision. `at` gives G, bits and categories. Laws of the loss that know
// precision work as well as pairs of laws. OutOfRange where the least loss lies at an end of the
// searched sizes (1e4 parameters, and 1e4 tokens, at least).
absl::StatusOr<Answer> ComputeOptimal(const World& world, const Point& at, double flops,
                                      const Cost& cost = {}, const AskOptions& options = {});

// The share of N·e of a full-precision model with the loss of the quantized one at the same D
// (effective parameters): L_FP(N e, D) = L_FP(N, D) + δ. Infinite where no size has that loss.
double EffectiveShare(BoundWorld& world, double n, int draw);

// The share of D_total = D to train quantized. A law of `optimal_fraction` answers itself; a law of
// the loss that reads the fraction (qat_fraction, or D_qat and D_fp) is minimized over it.
// `compare_with`: a fixed share whose loss is held against it (where the law gives losses).
absl::StatusOr<Answer> QatSplit(const Law& law, const Point& at, double compare_with = .1,
                                const AskOptions& options = {});

}  // namespace qatlas::plan

#endif  // QATLAS_FRAMEWORK_PLAN_ALLOCATE_H_
