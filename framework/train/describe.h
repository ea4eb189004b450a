// What is known of a segment before it is trained: counts, FLOPs, sites, bits, memory. On the meta
// device, so that a model of any size is described in milliseconds.
#ifndef QATLAS_FRAMEWORK_TRAIN_DESCRIBE_H_
#define QATLAS_FRAMEWORK_TRAIN_DESCRIBE_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "framework/recipe/segment.h"
#include "framework/train/components.h"
#include "nlohmann/json.hpp"

namespace qatlas::train {

// {id, model, counts, forward_flops_per_token, flops_per_token (training), vocabulary,
//  sites: [{site, block, role, operand, in_features, out_features, quantizer, nominal_bits,
//  nominal_group,
//           bits, check}], quantizer_parameters, memory_bytes, memory: {...}, checkpoint_bytes}.
// `quantizer`, `bits` and the like are null in full precision; `check` is null where the
// quantizer's check passes, else what it says; such problems are also appended to `problems` ("site
// 0.fc2.weight: quantizer 'int': ..."). Errors: components or rules that make no plan at all.
absl::StatusOr<nlohmann::ordered_json> Describe(const recipe::SegmentSpec& spec,
                                                Components& components,
                                                std::vector<std::string>* problems);

// The same for a JSON text with one spec (an object) or several (an array): an object or an array.
// Specs that name the same model and rules are worked out once.
absl::StatusOr<nlohmann::ordered_json> DescribeText(
    const std::string& text,
    const std::function<Components&(const recipe::SegmentSpec&)>& components,
    std::vector<std::string>* problems);

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_DESCRIBE_H_
