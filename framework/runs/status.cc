#include "framework/runs/status.h"

#include <map>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "framework/runs/claim.h"
#include "framework/runs/machine.h"

namespace qatlas::runs {
namespace {

SegmentStatus OfSegment(const Plan& plan, int index, const Store& store) {
  const PlannedSegment& segment = plan.segments[index];
  SegmentStatus status;
  status.segment = index;
  status.detail = segment.reason;
  if (segment.state == SegmentState::kFinished) {
    status.standing = Standing::kFinished;
    return status;
  }
  if (const std::optional<ClaimHolder> holder = ReadClaim(store, segment.spec.id);
      holder.has_value() && holder->alive) {
    status.standing = Standing::kRunning;
    status.pid = holder->pid;
    status.detail = absl::StrCat("process ", holder->pid, " on ", holder->host);
    return status;
  }
  std::error_code error;
  if (const std::optional<Failure> failure = store.ReadFailure(segment.spec.id);
      failure.has_value()) {
    status.standing = Standing::kFailed;
    status.detail =
        absl::StrCat(failure->Show(), failure->TryAgain() ? " (the next run tries again)"
                                                          : " (--retry-failed tries it again)");
  } else if (segment.state == SegmentState::kBlocked) {
    status.standing = Standing::kBlocked;
  } else if (std::filesystem::exists(store.WorkFolder(segment.spec.id) / kResumeFile, error)) {
    status.standing = Standing::kStopped;
    status.detail = "stopped; the next run goes on from its last checkpoint";
  }
  return status;
}

// A run stands as the first segment of its path that is not finished.
RunStatus OfRun(const Plan& plan, int index, const std::map<int, SegmentStatus>& segments) {
  RunStatus status;
  status.run = index;
  const std::vector<int>& path = plan.runs[index].segments;
  if (plan.segments[path.back()].state == SegmentState::kFinished) {
    status.standing = Standing::kFinished;
    return status;
  }
  bool first = true;
  for (int segment : path) {
    const auto found = segments.find(segment);
    if (found == segments.end() || found->second.standing == Standing::kFinished) continue;
    ++status.segments_left;
    if (!first) continue;
    first = false;
    status.standing = found->second.standing;
    status.detail = found->second.detail;
  }
  return status;
}

}  // namespace

const char* Name(Standing standing) {
  switch (standing) {
    case Standing::kFinished:
      return "finished";
    case Standing::kRunning:
      return "running";
    case Standing::kStopped:
      return "stopped";
    case Standing::kWaiting:
      return "waiting";
    case Standing::kFailed:
      return "failed";
    case Standing::kBlocked:
      return "blocked";
  }
  return "";
}

absl::StatusOr<StudyStatus> GetStatus(const Plan& plan, const Store& store) {
  StudyStatus status;
  std::map<int, SegmentStatus> segments;
  for (size_t i = 0; i < plan.segments.size(); ++i) {
    if (plan.segments[i].state == SegmentState::kNotNeeded) continue;
    status.segments.push_back(OfSegment(plan, static_cast<int>(i), store));
    segments[static_cast<int>(i)] = status.segments.back();
  }
  for (size_t i = 0; i < plan.runs.size(); ++i) {
    status.runs.push_back(OfRun(plan, static_cast<int>(i), segments));
    const Standing standing = status.runs.back().standing;
    if (standing == Standing::kFinished) ++status.finished_runs;
    if (standing == Standing::kFailed || standing == Standing::kBlocked) ++status.failed_runs;
  }
  return status;
}

std::string ShowStatus(const StudyStatus& status, const Plan& plan) {
  std::map<Standing, int> counts;
  for (const SegmentStatus& segment : status.segments) ++counts[segment.standing];
  std::string text = absl::StrCat(plan.recipe.name, ": ", status.finished_runs, " of ",
                                  plan.runs.size(), " runs finished");
  if (status.failed_runs > 0) absl::StrAppend(&text, ", ", status.failed_runs, " failed");
  absl::StrAppend(&text, "\nsegments:");
  const char* separator = " ";
  for (const auto& [standing, count] : counts) {
    absl::StrAppend(&text, separator, count, " ", Name(standing));
    separator = ", ";
  }
  absl::StrAppend(&text, "\n");
  size_t width = 0;
  for (const PlannedRun& run : plan.runs) width = std::max(width, run.name.size());
  for (const RunStatus& run : status.runs) {
    absl::StrAppendFormat(&text, "  %-8s  %-*s", Name(run.standing), static_cast<int>(width),
                          plan.runs[run.run].name);
    if (run.segments_left > 0) {
      absl::StrAppendFormat(&text, "  %d segment(s) left; %s", run.segments_left, run.detail);
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

nlohmann::json StatusToJson(const StudyStatus& status, const Plan& plan) {
  nlohmann::json segments = nlohmann::json::array(), runs = nlohmann::json::array();
  for (const SegmentStatus& segment : status.segments) {
    segments.push_back({{"id", plan.segments[segment.segment].spec.id},
                        {"standing", Name(segment.standing)},
                        {"detail", segment.detail},
                        {"pid", segment.pid}});
  }
  for (const RunStatus& run : status.runs) {
    runs.push_back({{"run", plan.runs[run.run].name},
                    {"standing", Name(run.standing)},
                    {"detail", run.detail},
                    {"segments_left", run.segments_left}});
  }
  return {{"recipe", plan.recipe.name},
          {"finished_runs", status.finished_runs},
          {"failed_runs", status.failed_runs},
          {"runs", std::move(runs)},
          {"segments", std::move(segments)}};
}

}  // namespace qatlas::runs
