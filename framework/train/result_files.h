// result.json and machine.json.
#ifndef QATLAS_FRAMEWORK_TRAIN_RESULT_FILES_H_
#define QATLAS_FRAMEWORK_TRAIN_RESULT_FILES_H_

#include <cstdint>
#include <optional>

#include "framework/recipe/segment.h"
#include "framework/train/components.h"
#include "framework/train/evaluate.h"
#include "framework/train/loss_tracker.h"
#include "framework/train/trainee.h"
#include "nlohmann/json.hpp"

namespace qatlas::train {

// Training costs so many times the forward pass: the backward pass has two products for each of
// its.
inline constexpr double kTrainingFlops = 3;

// null for a NaN or an infinity, which JSON has not.
nlohmann::ordered_json NumberOrNull(double value);

// {block_linears, total, embedding, head, other, forward_flops_per_token, flops_per_token (of
// training)}
nlohmann::ordered_json CountsToJson(const ModelCounts& counts);

// [{site, quantizer, bits, nominal_bits, nominal_group}] of the quantized sites, bits as the
// instances state them for operands of [out, in] (weights) and [sequence_length, in] (inputs).
nlohmann::ordered_json QuantizedSitesToJson(const Trainee& trainee,
                                            const recipe::Trajectory& trajectory);

// Results only: the same bytes for the same segment on any day.
nlohmann::ordered_json ResultJson(const recipe::SegmentSpec& spec, const Trainee& trainee,
                                  const LossTracker& losses,
                                  const std::optional<ValidationResult>& validation);

struct Timings {
  int64_t from_step = 0;  // where this process began, after a resume
  int64_t steps = 0;      // trained by this process
  double train_seconds = 0;
  double evaluate_seconds = 0;
  double wall_seconds = 0;
};
nlohmann::ordered_json MachineJson(const recipe::SegmentSpec& spec, const Trainee& trainee,
                                   const Components& components, const Timings& timings);

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_RESULT_FILES_H_
