// The plan: a recipe's runs as paths through a forest of segments, matched with the store.
#ifndef QATLAS_FRAMEWORK_RUNS_PLAN_H_
#define QATLAS_FRAMEWORK_RUNS_PLAN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "framework/recipe/recipe.h"
#include "framework/runs/describe.h"
#include "framework/runs/machine.h"
#include "framework/runs/source.h"
#include "framework/runs/store.h"

namespace qatlas::runs {

enum class SegmentState {
  kFinished,   // in the store
  kTrain,      // to be trained
  kNotNeeded,  // not in the store, and nothing that is still to be trained starts from it
  kFailed,     // failed before in a way that would repeat itself; not tried again
  kBlocked,    // starts from one that failed
};

struct PlannedSegment {
  // Complete but for the places, which Execute() fills: begin_step is where it starts from, given
  // what the store has.
  recipe::SegmentSpec spec;
  std::string trajectory;     // identity
  bool state_wanted = false;  // others start from its end
  bool restore = false;       // PlanOptions::restore asks for the state at its end
  std::vector<int> runs;      // indices of the runs that pass through it
  SegmentState state = SegmentState::kTrain;
  std::string reason;  // "finished", "missing", "stopped; goes on from its last checkpoint", ...
  // Where its first state comes from: a planned segment (index; -1: none) or a finished one of the
  // store (id), else initial values or the recipe's foreign checkpoint.
  int parent = -1;
  std::string start_segment;

  int64_t tokens = 0;  // that this segment trains on
  double flops = 0;
  double seconds = 0;  // estimated
  Description description;
};

struct PlannedRun {
  std::string name;  // RunName()
  recipe::RunRequest request;
  int64_t steps = 0;
  int64_t tokens = 0;          // D as trained: steps · tokens per step
  int64_t extra_steps = 0;     // trained quantized after these steps
  int64_t quantized_from = 0;  // step; == steps for full precision
  std::vector<int> segments;   // its path, in order; the last one has its results
  int baseline = -1;           // the full-precision run of the same model, D and seed; -1: none
};

// Sums over the segments that are to be trained, unless said otherwise.
struct PlanTotals {
  int64_t segments = 0;
  int64_t tokens = 0;
  double flops = 0;
  double seconds = 0;           // of work, on one worker
  double critical_seconds = 0;  // of the longest chain
  int64_t finished_segments = 0;
  int64_t run_tokens = 0;            // of all runs, each trained on its own
  int64_t unique_tokens = 0;         // of all segments of the plan, each once: the rest is shared
  int64_t disk_bytes = 0;            // of new checkpoints and records
  int64_t largest_memory_bytes = 0;  // of one worker
};

struct Plan {
  recipe::ResolvedRecipe recipe;
  Machine machine;
  DataFacts data;
  std::vector<PlannedSegment>
      segments;                  // parents before children; order depends on the recipe alone
  std::vector<PlannedRun> runs;  // as in the recipe
  PlanTotals totals;
  // How the time was estimated, what could not be checked, and what of the store is damaged:
  // sentences for a person.
  std::vector<std::string> notes;
  std::vector<std::string> damaged;  // the last of these alone
};

struct PlanOptions {
  std::string device = "cpu";            // "cpu", "cuda" or "auto"
  std::vector<std::string> plugin_path;  // for the worker, besides its own
  // A failure that would repeat itself is tried again too.
  bool retry_failed = false;
  // Names of runs whose final states are wanted too, where their checkpoints were freed.
  std::vector<std::string> restore;
  // Asks the worker for counts, FLOPs and memory; without it they are 0 and times are not
  // estimated. What identities need it is asked for either way (probe.h).
  bool describe = true;
  DescribeOptions describe_options;
  // What is known of the data; nullopt: LookUpData().
  std::optional<DataFacts> data;
  // What is known of the machine; nullopt: ResolveMachine().
  std::optional<Machine> machine;
};

// Plans the recipe. Reads the store and writes nothing (but for the cache of descriptions where
// describe_options.keep is set).
//
// Segments needed by several runs appear once. A state is its trajectory and step, however the way
// there was cut, so a segment starts from the latest state of its trajectory that the store holds,
// of whatever recipe, or else from the one planned before it. A segment of whose descendants
// nothing is to be trained is not needed even when it is missing. Errors: a bad budget or schedule,
// data too small, what the worker says of a component.
absl::StatusOr<Plan> MakePlan(const recipe::ResolvedRecipe& recipe, const Store& store,
                              const PlanOptions& options);

// Fills in the descriptions of the plan's segments. Errors: as Describe() has them; what the worker
// refuses comes with its place in the recipe, the scheme and the model.
absl::Status DescribeSegments(const Store& store, const DescribeOptions& options, Plan* plan);

// The plan for a person: what would be trained and why, what is shared, sizes, FLOPs, estimated
// time with `jobs` workers (0: as many as --jobs auto would take). As text and as JSON.
std::string ShowPlan(const Plan& plan, int jobs);
nlohmann::json PlanToJson(const Plan& plan, int jobs);

// Wall-clock seconds of a list schedule on `jobs` workers, longest chain first.
double WallSeconds(const Plan& plan, int jobs);

}  // namespace qatlas::runs

#endif  // QATLAS_FRAMEWORK_RUNS_PLAN_H_
