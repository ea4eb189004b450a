// Where the runs of a recipe stand right now, other processes included.
#ifndef QATLAS_FRAMEWORK_RUNS_STATUS_H_
#define QATLAS_FRAMEWORK_RUNS_STATUS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "framework/runs/plan.h"
#include "framework/runs/store.h"

namespace qatlas::runs {

enum class Standing {
  kFinished,
  kRunning,  // a live process holds the claim
  kStopped,  // began and can go on from a checkpoint
  kWaiting,  // not begun
  kFailed,
  kBlocked,  // a segment before it failed
};
const char* Name(Standing standing);  // "finished", "running", ...

struct SegmentStatus {
  int segment = 0;  // index into Plan::segments
  Standing standing = Standing::kWaiting;
  std::string detail;  // "process 4711 on host", why it failed, ...
  pid_t pid = 0;       // of the holder, when running
};

struct RunStatus {
  int run = 0;  // index into Plan::runs
  Standing standing = Standing::kWaiting;
  std::string detail;
  int64_t segments_left = 0;  // of its path, still to be trained
};

struct StudyStatus {
  std::vector<SegmentStatus> segments;  // those not kNotNeeded, in the plan's order
  std::vector<RunStatus> runs;
  int64_t finished_runs = 0;
  int64_t failed_runs = 0;  // or blocked
};

// Reads; writes nothing.
absl::StatusOr<StudyStatus> GetStatus(const Plan& plan, const Store& store);

std::string ShowStatus(const StudyStatus& status, const Plan& plan);
nlohmann::json StatusToJson(const StudyStatus& status, const Plan& plan);

}  // namespace qatlas::runs

#endif  // QATLAS_FRAMEWORK_RUNS_STATUS_H_
