// What the worker must say of a recipe's models and schemes before its trajectories have an
// identity.
#ifndef QATLAS_FRAMEWORK_RUNS_PROBE_H_
#define QATLAS_FRAMEWORK_RUNS_PROBE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "framework/recipe/recipe.h"
#include "framework/runs/describe.h"
#include "framework/runs/legs.h"

namespace qatlas::runs {

// From so many features on BF16 is the faster of the two on CPUs that multiply it (docs/benchmarks:
// .96 times FP32's tokens/s at a width of 64, 1.09 at 128, 1.35 at 256): what lies around the
// products is fused for FP32 alone.
inline constexpr int64_t kLeastBf16Features = 128;

// Settles what the machine and the recipe leave open, and asks the worker where that is needed:
//   - precision = "auto" of a CPU that would take bf16 is bf16 only where every linear of every
//     model has kLeastBf16Features inputs and outputs. One precision holds for all models, so that
//     sizes stay comparable.
//   - [training.groups]: context->groups gets the groups that each model has under each scheme.
//     InvalidArgument for a name that none has.
absl::Status Settle(const recipe::ResolvedRecipe& recipe, const Store& store,
                    const std::vector<std::string>& plugin_path, const DescribeOptions& options,
                    LegContext* context);

}  // namespace qatlas::runs

#endif  // QATLAS_FRAMEWORK_RUNS_PROBE_H_
