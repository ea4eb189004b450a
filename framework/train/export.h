// Gives a finished segment's weights away: codes and scales as a deployment stores them, and the
// fake-quantized weights merged into an ordinary model.
#ifndef QATLAS_FRAMEWORK_TRAIN_EXPORT_H_
#define QATLAS_FRAMEWORK_TRAIN_EXPORT_H_

#include <filesystem>

#include "absl/status/statusor.h"
#include "framework/recipe/segment.h"
#include "framework/train/components.h"
#include "nlohmann/json.hpp"

namespace qatlas::train {

// Writes into the folder `out` (made if missing):
//   quantized.safetensors  "<linear>.weight.<codes, scales, ...>" of every quantized weight, and
//   the state
//                          of input quantizers as "<linear>.input.<name>"
//   merged.safetensors     all parameters of the model by their own names, quantized weights
//   replaced by
//                          what the forward pass uses: a full-precision checkpoint that others can
//                          load
//   layout.json            what the tensors mean: layout, attributes, quantizer and options by site
// and returns the content of layout.json. Errors: no finished segment; decode(encode(w)) that
// differs from the fake-quantized weight in any bit (nothing is written then).
absl::StatusOr<nlohmann::ordered_json> Export(const std::filesystem::path& folder,
                                              const std::filesystem::path& out,
                                              const recipe::SegmentSpec& spec,
                                              Components& components);

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_EXPORT_H_
