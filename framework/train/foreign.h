// Weights from a checkpoint of somebody else's program.
#ifndef QATLAS_FRAMEWORK_TRAIN_FOREIGN_H_
#define QATLAS_FRAMEWORK_TRAIN_FOREIGN_H_

#include <vector>

#include "absl/status/status.h"
#include "framework/train/safetensors.h"
#include "qatlas/model.h"

namespace qatlas::train {

// Copies the parameters of the model from the file: by the first of the layouts that the file has
// (ForeignLayout), else by the model's own names; one of our own checkpoints will do, whose
// quantizers and moments are left. Floating-point types are converted. Errors name, all at once,
// tensors that are missing, have another shape or no finite numbers, or belong to no parameter. A
// model on the meta device is checked and gets nothing.
// Weights that were put off are left to LoadForeignWeight().
absl::Status LoadForeign(const SafetensorsFile& file, const std::vector<ForeignLayout>& layouts,
                         Model& model);

// Copies the weight of one linear into `target`, by the same rules.
absl::Status LoadForeignWeight(const SafetensorsFile& file,
                               const std::vector<ForeignLayout>& layouts,
                               const QuantizableLinear& linear, at::Tensor target);

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_FOREIGN_H_
