// Weights from a checkpoint of somebody else's program.
#ifndef QATLAS_FRAMEWORK_TRAIN_FOREIGN_H_
#define QATLAS_FRAMEWORK_TRAIN_FOREIGN_H_

#include <vector>

#include "absl/status/status.h"
#include "framework/train/safetensors.h"
#include "qatlas/model.h"

namespace qatlas::train {

// Copies the parameters of the model from the file: by the first of the layouts that the file has
// (ForeignLayout), else by the model's own names. Floating-point types are converted. Errors name
// every tensor that is missing, has another shape, or is in the file and belongs to no parameter.
// Weights that were put off are left to LoadForeignWeight().
absl::Status LoadForeign(const SafetensorsFile& file, const std::vector<ForeignLayout>& layouts,
                         Model& model);

// Copies the weight of one linear into `target`, by the same rules.
absl::Status LoadForeignWeight(const SafetensorsFile& file,
                               const std::vector<ForeignLayout>& layouts,
                               const QuantizableLinear& linear, at::Tensor target);

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_FOREIGN_H_
