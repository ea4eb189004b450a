// Times training steps of a segment without writing anything.
#ifndef QATLAS_FRAMEWORK_TRAIN_BENCH_STEP_H_
#define QATLAS_FRAMEWORK_TRAIN_BENCH_STEP_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "framework/data/token_store.h"
#include "framework/recipe/segment.h"
#include "framework/train/components.h"
#include "nlohmann/json.hpp"

namespace qatlas::train {

// Trains `steps` steps from initial values after two that warm up. `train`, where null, is replaced
// by random tokens of the model's vocabulary. {steps, tokens_per_step, tokens_per_second,
// ms_per_step (median), ms_per_step_mean, achieved_gflops, gemm_gflops, peak_memory_bytes (of the
// process), tensor_bytes: {start_peak, state, step_peak} (tensor_memory.h: while starting, between
// steps without gradients, in a step; zeros for tensors on a GPU), threads, loss}.
absl::StatusOr<nlohmann::ordered_json> BenchSteps(const recipe::SegmentSpec& spec,
                                                  Components& components,
                                                  const data::TokenStore* train, int64_t steps);

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_BENCH_STEP_H_
