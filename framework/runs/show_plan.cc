// A plan as a person and as a program reads it.
#include <algorithm>
#include <map>
#include <queue>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "framework/runs/execute.h"
#include "framework/runs/machine.h"
#include "framework/runs/plan.h"

namespace qatlas::runs {
namespace {

const char* Name(SegmentState state) {
  switch (state) {
    case SegmentState::kFinished:
      return "finished";
    case SegmentState::kTrain:
      return "train";
    case SegmentState::kNotNeeded:
      return "not-needed";
    case SegmentState::kFailed:
      return "failed";
    case SegmentState::kBlocked:
      return "blocked";
  }
  return "";
}

int Jobs(const Plan& plan, int jobs) {
  if (jobs > 0) return jobs;
  const absl::StatusOr<int> workers = Workers(plan, ExecuteOptions());
  return workers.ok() ? *workers : 1;
}

int Count(const Plan& plan, SegmentState state) {
  return static_cast<int>(
      std::count_if(plan.segments.begin(), plan.segments.end(),
                    [&](const PlannedSegment& segment) { return segment.state == state; }));
}

// What a segment is, in a few words: model, scheme, seed.
std::string What(const Plan& plan, const PlannedSegment& segment) {
  const recipe::RunRequest& request = plan.runs[segment.runs.front()].request;
  const bool quantized = !segment.spec.trajectory.rules.empty();
  return absl::StrCat(plan.recipe.models[request.model].name, " ",
                      quantized ? plan.recipe.schemes[request.scheme].label : "fp", " seed ",
                      segment.spec.trajectory.seed);
}

std::string Serves(const Plan& plan, const PlannedSegment& segment) {
  if (segment.runs.size() == 1) return plan.runs[segment.runs.front()].name;
  return absl::StrCat(segment.runs.size(), " runs");
}

// Shared: what runs apart would train beyond what the forest holds.
double SavedShare(const PlanTotals& totals) {
  if (totals.run_tokens == 0) return 0;
  return 1 - static_cast<double>(totals.unique_tokens) / static_cast<double>(totals.run_tokens);
}

void ShowModels(const Plan& plan, std::string* text) {
  struct Sums {
    Description description;
    std::set<int> runs;
    int64_t segments = 0;
    int64_t tokens = 0;
    double flops = 0;
    double seconds = 0;
  };
  std::map<int, Sums> models;
  for (const PlannedSegment& segment : plan.segments) {
    Sums& sums = models[plan.runs[segment.runs.front()].request.model];
    sums.description = segment.description;
    sums.runs.insert(segment.runs.begin(), segment.runs.end());
    if (segment.state != SegmentState::kTrain) continue;
    ++sums.segments;
    sums.tokens += segment.tokens;
    sums.flops += segment.flops;
    sums.seconds += segment.seconds;
  }
  absl::StrAppendFormat(text, "  %-12s %9s %9s %6s %9s %9s %10s %9s\n", "model", "N", "all params",
                        "runs", "to train", "tokens", "FLOPs", "work");
  for (const auto& [model, sums] : models) {
    absl::StrAppendFormat(
        text, "  %-12s %9s %9s %6d %9d %9s %10.2e %9s\n", plan.recipe.models[model].name,
        ShowCount(static_cast<double>(sums.description.block_linears)),
        ShowCount(static_cast<double>(sums.description.total)), sums.runs.size(), sums.segments,
        ShowCount(static_cast<double>(sums.tokens)), sums.flops, ShowSeconds(sums.seconds));
  }
}

}  // namespace

double WallSeconds(const Plan& plan, int jobs) {
  jobs = std::max(1, jobs);
  const size_t count = plan.segments.size();
  std::vector<double> chain(count, 0), longest_child(count, 0);
  std::vector<std::vector<int>> children(count);
  for (size_t i = count; i-- > 0;) {
    const PlannedSegment& segment = plan.segments[i];
    if (segment.state != SegmentState::kTrain) continue;
    chain[i] = segment.seconds + longest_child[i];
    if (segment.parent < 0) continue;
    longest_child[segment.parent] = std::max(longest_child[segment.parent], chain[i]);
    children[segment.parent].push_back(static_cast<int>(i));
  }
  std::priority_queue<std::pair<double, int>> ready;
  std::priority_queue<std::pair<double, int>, std::vector<std::pair<double, int>>, std::greater<>>
      running;  // by end
  for (size_t i = 0; i < count; ++i) {
    if (plan.segments[i].state == SegmentState::kTrain && plan.segments[i].parent < 0) {
      ready.push({chain[i], -static_cast<int>(i)});
    }
  }
  double now = 0;
  while (!ready.empty() || !running.empty()) {
    while (!ready.empty() && static_cast<int>(running.size()) < jobs) {
      const int i = -ready.top().second;
      ready.pop();
      running.push({now + plan.segments[i].seconds, i});
    }
    now = running.top().first;
    const int ended = running.top().second;
    running.pop();
    for (int child : children[ended]) ready.push({chain[child], -child});
  }
  return now;
}

std::string ShowPlan(const Plan& plan, int jobs) {
  jobs = Jobs(plan, jobs);
  const PlanTotals& totals = plan.totals;
  std::string text =
      absl::StrCat(plan.recipe.name, ": ", plan.runs.size(), " runs on ", plan.machine.device, " (",
                   plan.machine.isa, ", ", plan.machine.precision, "), ",
                   plan.recipe.training.threads, " thread(s) a worker\n");
  if (plan.data.info.has_value()) {
    absl::StrAppend(&text, "data: ", plan.data.info->kind, ", prepared, ",
                    ShowCount(static_cast<double>(plan.data.info->train.tokens)),
                    " training tokens\n");
  } else {
    absl::StrAppend(&text, "data: ", plan.recipe.data.kind, ", to be prepared\n");
  }
  absl::StrAppend(&text, "segments: ", Count(plan, SegmentState::kTrain), " to train, ",
                  Count(plan, SegmentState::kFinished), " finished, ",
                  Count(plan, SegmentState::kFailed), " failed before, ",
                  Count(plan, SegmentState::kBlocked), " blocked, ",
                  Count(plan, SegmentState::kNotNeeded), " not needed\n");
  absl::StrAppendFormat(&text,
                        "shared: trained apart, the runs would take %s tokens; their segments hold "
                        "%s (%.0f%% saved)\n",
                        ShowCount(static_cast<double>(totals.run_tokens)),
                        ShowCount(static_cast<double>(totals.unique_tokens)),
                        100 * SavedShare(totals));
  ShowModels(plan, &text);
  if (totals.segments > 0) {
    absl::StrAppendFormat(&text,
                          "to do: %s tokens, %.2e FLOPs; about %s with %d worker(s) at once\n",
                          ShowCount(static_cast<double>(totals.tokens)), totals.flops,
                          ShowSeconds(WallSeconds(plan, jobs)), jobs);
    absl::StrAppend(&text, "needs: ", ShowBytes(totals.disk_bytes), " of disk, up to ",
                    ShowBytes(totals.largest_memory_bytes), " of memory a worker\n");
  }
  for (const std::string& note : plan.notes) absl::StrAppend(&text, "note: ", note, "\n");
  for (const PlannedSegment& segment : plan.segments) {
    if (segment.state == SegmentState::kFinished || segment.state == SegmentState::kNotNeeded) {
      continue;
    }
    absl::StrAppendFormat(
        &text, "  %-8s %.12s  steps %d to %d  %s, for %s: %s%s\n", Name(segment.state),
        segment.spec.id, segment.spec.begin_step, segment.spec.end_step, What(plan, segment),
        Serves(plan, segment), segment.reason,
        segment.seconds > 0 ? absl::StrCat(" (", ShowSeconds(segment.seconds), ")") : "");
  }
  return text;
}

nlohmann::json PlanToJson(const Plan& plan, int jobs) {
  jobs = Jobs(plan, jobs);
  const PlanTotals& totals = plan.totals;
  nlohmann::json segments = nlohmann::json::array();
  for (const PlannedSegment& segment : plan.segments) {
    nlohmann::json runs = nlohmann::json::array();
    for (int run : segment.runs) runs.push_back(plan.runs[run].name);
    segments.push_back({{"id", segment.spec.id},
                        {"trajectory", segment.trajectory},
                        {"what", What(plan, segment)},
                        {"begin_step", segment.spec.begin_step},
                        {"end_step", segment.spec.end_step},
                        {"evaluate", segment.spec.evaluate},
                        {"state", Name(segment.state)},
                        {"reason", segment.reason},
                        {"starts_from", segment.parent >= 0 ? plan.segments[segment.parent].spec.id
                                                            : segment.start_segment},
                        {"runs", std::move(runs)},
                        {"tokens", segment.tokens},
                        {"flops", segment.flops},
                        {"seconds", segment.seconds},
                        {"memory_bytes", segment.description.memory_bytes},
                        {"checkpoint_bytes", segment.description.checkpoint_bytes},
                        {"N", segment.description.block_linears},
                        {"N_total", segment.description.total}});
  }
  return {{"recipe", plan.recipe.name},
          {"device", plan.machine.device},
          {"isa", plan.machine.isa},
          {"precision", plan.machine.precision},
          {"data", plan.data.identity},
          {"data_prepared", plan.data.info.has_value()},
          {"runs", plan.runs.size()},
          {"to_train", totals.segments},
          {"finished", totals.finished_segments},
          {"run_tokens", totals.run_tokens},
          {"unique_tokens", totals.unique_tokens},
          {"tokens", totals.tokens},
          {"flops", totals.flops},
          {"work_seconds", totals.seconds},
          {"wall_seconds", WallSeconds(plan, jobs)},
          {"jobs", jobs},
          {"disk_bytes", totals.disk_bytes},
          {"largest_memory_bytes", totals.largest_memory_bytes},
          {"notes", plan.notes},
          {"segments", std::move(segments)}};
}

}  // namespace qatlas::runs
