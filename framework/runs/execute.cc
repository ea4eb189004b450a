#include "framework/runs/execute.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "framework/runs/describe.h"
#include "framework/runs/machine.h"
#include "framework/runs/source.h"
#include "framework/runs/study.h"
#include "framework/runs/sweep.h"
#include "qatlas/check.h"

namespace qatlas::runs {
namespace {

// Memory needs of the segments to train, largest first.
std::vector<int64_t> Memories(const Plan& plan) {
  std::vector<int64_t> memories;
  for (const PlannedSegment& segment : plan.segments) {
    if (segment.state == SegmentState::kTrain) {
      memories.push_back(segment.description.memory_bytes);
    }
  }
  std::sort(memories.begin(), memories.end(), std::greater<>());
  return memories;
}

}  // namespace

int ExecuteReport::ExitCode() const {
  if (signal != 0 || stopped > 0) return 75;
  return failed + blocked > 0 ? 5 : 0;
}

absl::StatusOr<int> Workers(const Plan& plan, const ExecuteOptions& options) {
  const std::vector<int64_t> memories = Memories(plan);
  if (memories.empty()) return 1;
  const int threads = std::max(1, plan.recipe.training.threads);
  int64_t jobs = options.jobs;
  if (options.jobs <= 0) {
    jobs = plan.machine.device == "cuda" ? 1 : std::max(1, UsableCores() / threads);
  }
  jobs = std::min<int64_t>(jobs, static_cast<int64_t>(memories.size()));
  const int64_t available = AvailableMemory();
  if (available == 0) return static_cast<int>(jobs);
  const int64_t allowed =
      static_cast<int64_t>(static_cast<double>(available) * (1 - options.memory_margin));
  // The largest segments may run side by side.
  int64_t needed = 0;
  int64_t fitting = 0;
  while (fitting < jobs && needed + memories[fitting] <= allowed) needed += memories[fitting++];
  if (fitting == jobs) return static_cast<int>(jobs);
  if (fitting == 0) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the largest worker needs about ", ShowBytes(memories[0]), " of memory, but only ",
        ShowBytes(available), " are available (", ShowBytes(available - allowed),
        " are left free); use a smaller model, or a smaller micro_batch_sequences"));
  }
  if (options.jobs > 0) {
    int64_t all = 0;
    for (int64_t i = 0; i < jobs; ++i) all += memories[i];
    return absl::ResourceExhaustedError(absl::StrCat(
        jobs, " workers need about ", ShowBytes(all), " of memory, but only ", ShowBytes(available),
        " are available; use --jobs ", fitting, " or --jobs auto"));
  }
  return static_cast<int>(fitting);
}

absl::Status CheckDisk(const Plan& plan, const Store& store, const ExecuteOptions& options) {
  QATLAS_ASSIGN_OR_RETURN(const int64_t available, FreeDisk(store.root()));
  // A worker has its last checkpoint and the next one at once for a moment.
  int64_t largest = 0;
  for (const PlannedSegment& segment : plan.segments) {
    if (segment.state == SegmentState::kTrain) {
      largest = std::max(largest, segment.description.checkpoint_bytes);
    }
  }
  const int64_t jobs = options.jobs > 0 ? options.jobs : UsableCores();
  const int64_t needed = plan.totals.disk_bytes +
                         2 * largest * std::min<int64_t>(jobs, plan.totals.segments) +
                         options.disk_margin_bytes;
  if (needed <= available) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      plan.totals.segments, " segments need about ", ShowBytes(needed), " on the disk of ",
      store.root().string(), ", but only ", ShowBytes(available),
      " are free; free some space (`qatlas store gc` frees checkpoints), or use another store"));
}

absl::StatusOr<ExecuteReport> Execute(const Plan& plan, const Store& store,
                                      const ExecuteOptions& options, Watcher* watcher) {
  QATLAS_RETURN_IF_ERROR(store.Create());
  QATLAS_RETURN_IF_ERROR(WriteStudyPlan(plan, store));
  std::string worker;
  std::filesystem::path data_folder = plan.data.folder;
  int jobs = 1;
  if (plan.totals.segments > 0) {
    QATLAS_ASSIGN_OR_RETURN(worker, FindWorker(options.worker));
    QATLAS_ASSIGN_OR_RETURN(jobs, Workers(plan, options));
    QATLAS_RETURN_IF_ERROR(CheckDisk(plan, store, options));
    const auto progress = [&](const data::Progress& stage) {
      if (watcher == nullptr) return;
      Event event;
      event.kind = Event::Kind::kData;
      event.message = std::string(stage.stage);
      event.done = stage.done;
      event.total = stage.total;
      watcher->On(event, plan);
    };
    QATLAS_ASSIGN_OR_RETURN(const DataFacts facts, PrepareData(plan.recipe.data, store, progress));
    if (facts.identity != plan.data.identity) {
      return absl::FailedPreconditionError(
          "the data's files changed between planning and training; run again");
    }
    QATLAS_RETURN_IF_ERROR(CheckData(plan.recipe, *facts.info));
    data_folder = facts.folder;
  }
  Sweep sweep(plan, store, options, worker, std::filesystem::absolute(data_folder).string(), jobs,
              watcher);
  ExecuteReport report = sweep.Run();
  QATLAS_RETURN_IF_ERROR(WriteStudyResults(plan, store));
  return report;
}

}  // namespace qatlas::runs
