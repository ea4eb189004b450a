// A run as a chain of trajectories.
#ifndef QATLAS_FRAMEWORK_RUNS_LEGS_H_
#define QATLAS_FRAMEWORK_RUNS_LEGS_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "framework/recipe/recipe.h"
#include "framework/runs/machine.h"

namespace qatlas::runs {

// A trunk's constant rate has no end of its own: budgets are not part of its trajectory.
inline constexpr int64_t kOpenEnd = int64_t{1} << 53;

// The part of a run that follows one trajectory: steps [begin, end). It begins where the leg before
// it ends, with that leg's state; trajectory.start_step is `begin`. Empty (begin == end) for
// quantization without training.
struct Leg {
  recipe::Trajectory trajectory;
  std::string identity;  // of the trajectory
  int64_t begin = 0;
  int64_t end = 0;
};

// What legs depend on besides the recipe.
struct LegContext {
  Machine machine;
  std::string data;              // identity of the prepared data
  std::string start_checkpoint;  // SHA-256 of a foreign checkpoint; "": initial values
  // Optimizer groups by GroupsKey: settings of others decide nothing, and are left out. A
  // trajectory that is not in it keeps all.
  std::map<std::string, std::set<std::string>> groups = {};
};

// Model and rules, which decide what optimizer groups there are.
std::string GroupsKey(const recipe::Trajectory& trajectory);

// The legs of a run of recipe.Steps(run) steps, at least one. With a schedule that ends in a
// cooldown (wsd), everything before it is the trunk, whose schedule is warm-up and then constant
// without end, so that runs of all budgets share it; the cooldown is a leg of its own for full
// precision too. Quantization begins a new leg wherever it starts: on the trunk, with the cooldown,
// within it, or at the end; there also with a leg for the tokens that are trained beyond the
// budget. A scheme that starts after another has an empty leg under that one before its first. A
// cosine run without a switch is one leg. InvalidArgument: a budget below one step; quantization
// "with the cooldown" under a schedule that has none; micro batches that do not divide the batch.
absl::StatusOr<std::vector<Leg>> MakeLegs(const recipe::ResolvedRecipe& recipe,
                                          const recipe::RunRequest& run, const LegContext& context);

// "xs-1048576-w4a4_group=32-cooldown-s1": model, D as asked, label of the scheme, where
// quantization starts (left out for full precision), seed. Unique in a recipe.
std::string RunName(const recipe::ResolvedRecipe& recipe, const recipe::RunRequest& run);

}  // namespace qatlas::runs

#endif  // QATLAS_FRAMEWORK_RUNS_LEGS_H_
