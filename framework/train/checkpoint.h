// Checkpoints: everything that a training needs to go on, as one safetensors file.
//
//   model.<name>                parameters of the model, FP32
//   merged.<linear>.weight      weights that a quantizer's own parametrization replaced, as an
//   ordinary linear
//                               would need them: what another scheme starts from
//   quantizer.<site>.<name>     parameters and buffers of the quantizers
//   adam.m.<p>, adam.v.<p>      moments; <p> is one of the names above
//   train.losses                state of the loss tracker, FP64
// Metadata: format, step, trajectory, segment, and JSON texts `quantizers` (site → key and step of
// attaching, component and options), `updates` (parameter → optimizer updates) and `logs` (bytes of
// the log files at this step).
#ifndef QATLAS_FRAMEWORK_TRAIN_CHECKPOINT_H_
#define QATLAS_FRAMEWORK_TRAIN_CHECKPOINT_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "framework/train/loss_tracker.h"
#include "framework/train/trainee.h"

namespace qatlas::train {

inline constexpr int kCheckpointFormat = 1;

struct CheckpointInfo {
  int64_t step = 0;
  std::string trajectory;  // Trajectory::Identity()
  std::string segment;     // SegmentSpec::id
  std::map<std::string, SavedSite> quantizers;
  std::map<std::string, int64_t> updates;
  std::map<std::string, int64_t> logs;  // file name → bytes
};

// Reads the metadata. Errors: not one of ours, or of another format version.
absl::StatusOr<CheckpointInfo> ReadCheckpointInfo(const SafetensorsFile& file);

// Writes a checkpoint atomically. `info.quantizers` and `info.updates` are filled in from the
// trainee.
absl::Status WriteCheckpoint(const std::filesystem::path& path, Trainee& trainee,
                             const recipe::Trajectory& trajectory, const LossTracker& losses,
                             CheckpointInfo info);

// Copies parameters of the model from a checkpoint. A weight that is missing under its name is
// looked for among the merged ones. Errors name every tensor that is missing and the shapes of
// those that do not fit. Weights that were put off are left to LoadWeight().
absl::Status LoadModel(const SafetensorsFile& file, Model& model);
// Copies the weight of one linear into `target` [out, in], by the same rules.
absl::Status LoadWeight(const SafetensorsFile& file, const QuantizableLinear& linear,
                        at::Tensor target);
// Restores the quantizers whose state the file has (see AttachRequest::saved).
absl::Status LoadQuantizers(const SafetensorsFile& file, const CheckpointInfo& info,
                            std::vector<AttachedSite>& sites);
// Moments and update counts of parameters that the file has; others keep zeros.
absl::Status LoadMoments(const SafetensorsFile& file, const CheckpointInfo& info, AdamW& optimizer);

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_CHECKPOINT_H_
