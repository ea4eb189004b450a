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
#include "framework/train/site_plan.h"
#include "nlohmann/json.hpp"

namespace qatlas::train {

// {id, model, counts, forward_flops_per_token, flops_per_token (training), vocabulary,
//  sites: [{site, block, role, operand, in_features, out_features, quantizer, nominal_bits,
//  nominal_group,
//           bits, check}], quantizer_parameters, memory_bytes, memory: {...}, checkpoint_bytes}.
// `quantizer`, `bits` and the like are null in full precision; `check` is null where the
// quantizer's check passes, else what it says; such problems are also appended to `problems`, and
// so is what is wrong with the foreign checkpoint that the spec names. Errors: components or rules
// that make no plan at all (ProblemsOf() tells which).
absl::StatusOr<nlohmann::ordered_json> Describe(const recipe::SegmentSpec& spec,
                                                Components& components,
                                                std::vector<SiteProblem>* problems);

// A problem of one segment among several.
struct SegmentProblem {
  size_t segment = 0;
  SiteProblem problem;
};

// The same for a JSON text with one spec (an object) or several (an array): an object or an array.
// Specs that name the same model and rules are worked out once, and their problems are told of the
// first. What is wrong with a segment is no error but among `problems`, so that all are said at
// once; its answer is null where it makes no plan. Errors: a text that is none of these, a plugin
// that cannot be used.
absl::StatusOr<nlohmann::ordered_json> DescribeText(
    const std::string& text,
    const std::function<Components&(const recipe::SegmentSpec&)>& components,
    std::vector<SegmentProblem>* problems);

// {"problems": [{"segment", "rule", "site", "what"}]}; `rule` is null where it is not known.
nlohmann::ordered_json ToJson(const std::vector<SegmentProblem>& problems);

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_DESCRIBE_H_
