#include "framework/runs/plan.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "framework/data/files.h"
#include "framework/observe/problems.h"
#include "framework/runs/estimate.h"
#include "framework/runs/legs.h"
#include "framework/runs/match.h"
#include "framework/runs/probe.h"
#include "qatlas/check.h"

namespace qatlas::runs {
namespace {

using StateKey = std::pair<std::string, int64_t>;  // identity of a trajectory, step

// The legs of every run; all problems at once.
absl::StatusOr<std::vector<std::vector<Leg>>> AllLegs(const recipe::ResolvedRecipe& recipe,
                                                      const LegContext& context) {
  observe::Problems problems;
  std::vector<std::vector<Leg>> all;
  std::set<std::string> names;
  for (const recipe::RunRequest& run : recipe.runs) {
    const std::string name = RunName(recipe, run);
    if (!names.insert(name).second) {
      problems.Add(absl::StrCat("two runs are called ", name,
                                "; give their models or schemes names of their own"));
    }
    absl::StatusOr<std::vector<Leg>> legs = MakeLegs(recipe, run, context);
    if (!legs.ok()) {
      problems.Add(std::string(legs.status().message()));
      all.emplace_back();
    } else {
      all.push_back(*std::move(legs));
    }
  }
  QATLAS_RETURN_IF_ERROR(problems.ToStatus());
  return all;
}

// Segments and paths, cut where the recipe's runs fork or end, whatever the store holds.
Forest MakeForest(const recipe::ResolvedRecipe& recipe, const std::vector<std::vector<Leg>>& all,
                  const PlanOptions& options, Plan* plan) {
  struct End {
    const Leg* leg = nullptr;
    bool evaluate = false;
    bool state = false;
  };
  // Ends by trajectory: every step that some run needs.
  std::map<std::string, std::map<int64_t, End>> ends;
  for (const std::vector<Leg>& legs : all) {
    for (size_t i = 0; i < legs.size(); ++i) {
      End& end = ends[legs[i].identity][legs[i].end];
      end.leg = &legs[i];
      (i + 1 == legs.size() ? end.evaluate : end.state) = true;
    }
  }
  Forest forest;
  std::map<StateKey, int> index;
  for (size_t run = 0; run < all.size(); ++run) {
    PlannedRun planned;
    planned.request = recipe.runs[run];
    planned.name = RunName(recipe, planned.request);
    planned.steps = recipe.Steps(planned.request);
    planned.tokens = planned.steps * recipe.TokensPerStep(planned.request.model);
    planned.quantized_from = planned.steps;
    planned.extra_steps = recipe.ExtraSteps(planned.request);
    int origin = -1;
    for (const Leg& leg : all[run]) {
      if (!leg.trajectory.rules.empty()) {
        planned.quantized_from = std::min(planned.quantized_from, leg.begin);
      }
      int previous = -1;
      for (const auto& [step, end] : ends[leg.identity]) {
        if (step > leg.end) break;
        const auto [found, is_new] =
            index.try_emplace({leg.identity, step}, static_cast<int>(plan->segments.size()));
        if (is_new) {
          PlannedSegment segment;
          segment.spec.trajectory = leg.trajectory;
          segment.spec.evaluation = recipe.training.evaluation;
          segment.spec.begin_step =
              previous < 0 ? leg.begin : plan->segments[previous].spec.end_step;
          segment.spec.end_step = step;
          segment.spec.evaluate = end.evaluate;
          segment.spec.plugin_path = options.plugin_path;
          segment.spec.id = recipe::SegmentIdentity(segment.spec);
          segment.trajectory = leg.identity;
          // A trajectory continued by a later piece of itself is continued from its state too.
          segment.state_wanted = end.state || step != ends[leg.identity].rbegin()->first;
          plan->segments.push_back(std::move(segment));
          forest.nodes.push_back({previous, previous < 0 ? origin : -1});
        }
        plan->segments[found->second].runs.push_back(static_cast<int>(run));
        planned.segments.push_back(found->second);
        previous = found->second;
      }
      origin = previous;
    }
    plan->runs.push_back(std::move(planned));
  }
  return forest;
}

// The full-precision run of the same model, D and seed.
void FindBaselines(Plan* plan) {
  std::map<std::tuple<int, int64_t, uint64_t>, int> baselines;
  for (size_t i = 0; i < plan->runs.size(); ++i) {
    const recipe::RunRequest& request = plan->runs[i].request;
    if (plan->recipe.schemes[request.scheme].rules.empty()) {
      baselines.try_emplace({request.model, plan->runs[i].steps, request.seed},
                            static_cast<int>(i));
    }
  }
  for (PlannedRun& run : plan->runs) {
    if (plan->recipe.schemes[run.request.scheme].rules.empty()) continue;
    const auto found = baselines.find({run.request.model, run.steps, run.request.seed});
    if (found != baselines.end()) run.baseline = found->second;
  }
}

absl::Status MarkRestored(const std::vector<std::string>& names, Plan* plan) {
  for (const std::string& name : names) {
    const auto run =
        std::find_if(plan->runs.begin(), plan->runs.end(),
                     [&name](const PlannedRun& candidate) { return candidate.name == name; });
    if (run == plan->runs.end()) {
      return absl::NotFoundError(
          absl::StrCat("there is no run '", name, "'; `qatlas status` lists them"));
    }
    plan->segments[run->segments.back()].restore = true;
  }
  return absl::OkStatus();
}

absl::Status FillSizes(const Store& store, const PlanOptions& options,
                       const std::vector<SegmentRecord>& records, Plan* plan) {
  if (options.describe) {
    QATLAS_RETURN_IF_ERROR(DescribeSegments(store, options.describe_options, plan));
  }
  QATLAS_ASSIGN_OR_RETURN(Estimator estimator, Estimator::Create(store, records));
  std::vector<double> chain(plan->segments.size(), 0);
  PlanTotals& totals = plan->totals;
  for (size_t i = 0; i < plan->segments.size(); ++i) {
    PlannedSegment& segment = plan->segments[i];
    const recipe::Trajectory& trajectory = segment.spec.trajectory;
    segment.tokens = (segment.spec.end_step - segment.spec.begin_step) *
                     trajectory.batch_sequences * trajectory.sequence_length;
    segment.flops = static_cast<double>(segment.tokens) * segment.description.flops_per_token;
    if (segment.state == SegmentState::kFinished) ++totals.finished_segments;
    if (segment.state != SegmentState::kTrain) continue;
    segment.seconds = estimator.Seconds(segment.spec, segment.description);
    chain[i] = segment.seconds + (segment.parent >= 0 ? chain[segment.parent] : 0);
    ++totals.segments;
    totals.tokens += segment.tokens;
    totals.flops += segment.flops;
    totals.seconds += segment.seconds;
    totals.critical_seconds = std::max(totals.critical_seconds, chain[i]);
    totals.disk_bytes += segment.description.checkpoint_bytes + (256 << 10);
    totals.largest_memory_bytes =
        std::max(totals.largest_memory_bytes, segment.description.memory_bytes);
  }
  for (const PlannedRun& run : plan->runs) totals.run_tokens += run.tokens;
  for (std::string& note : estimator.Notes()) plan->notes.push_back(std::move(note));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Plan> MakePlan(const recipe::ResolvedRecipe& recipe, const Store& store,
                              const PlanOptions& options) {
  if (recipe.runs.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(recipe.file.empty() ? recipe.name : recipe.file,
                                                   ": no [[grid]] asks for a run"));
  }
  if (recipe.name.empty() || recipe.name[0] == '.' || recipe.name.find('/') != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat(recipe.file, ": [recipe] name = \"", recipe.name,
                     "\" cannot name a folder: no '/', no '.' at the front, not empty"));
  }
  Plan plan;
  plan.recipe = recipe;
  if (options.machine.has_value()) {
    plan.machine = *options.machine;
  } else {
    QATLAS_ASSIGN_OR_RETURN(plan.machine,
                            ResolveMachine(options.device, recipe.training.precision));
  }
  if (options.data.has_value()) {
    plan.data = *options.data;
  } else {
    QATLAS_ASSIGN_OR_RETURN(plan.data, LookUpData(recipe.data, store));
  }
  if (plan.data.info.has_value()) {
    QATLAS_RETURN_IF_ERROR(CheckData(recipe, *plan.data.info));
  } else {
    plan.notes.push_back(
        "the data is not prepared yet: whether it has tokens enough is checked before training");
  }
  LegContext context{plan.machine, plan.data.identity, "", {}};
  if (recipe.start_checkpoint.has_value()) {
    QATLAS_ASSIGN_OR_RETURN(const data::FileHash hash,
                            data::HashFile(*recipe.start_checkpoint, {}));
    context.start_checkpoint = hash.sha256;
  }
  QATLAS_RETURN_IF_ERROR(
      Settle(recipe, store, options.plugin_path, options.describe_options, &context));
  plan.machine = context.machine;
  QATLAS_ASSIGN_OR_RETURN(const std::vector<std::vector<Leg>> legs, AllLegs(recipe, context));
  const Forest forest = MakeForest(recipe, legs, options, &plan);
  for (const PlannedSegment& segment : plan.segments) {
    plan.totals.unique_tokens += (segment.spec.end_step - segment.spec.begin_step) *
                                 segment.spec.trajectory.batch_sequences *
                                 segment.spec.trajectory.sequence_length;
  }
  FindBaselines(&plan);
  QATLAS_RETURN_IF_ERROR(MarkRestored(options.restore, &plan));
  QATLAS_ASSIGN_OR_RETURN(const std::vector<SegmentRecord> records, store.List(&plan.damaged));
  plan.notes.insert(plan.notes.end(), plan.damaged.begin(), plan.damaged.end());
  QATLAS_RETURN_IF_ERROR(MatchStore(forest, records, store, options.retry_failed, &plan));
  QATLAS_RETURN_IF_ERROR(FillSizes(store, options, records, &plan));
  return plan;
}

}  // namespace qatlas::runs
