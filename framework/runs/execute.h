// Carries a plan out: one worker process a segment, side by side, as the forest allows.
#ifndef QATLAS_FRAMEWORK_RUNS_EXECUTE_H_
#define QATLAS_FRAMEWORK_RUNS_EXECUTE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "framework/runs/plan.h"
#include "framework/runs/store.h"

namespace qatlas::runs {

// Something happened. Fields that do not belong to the kind are empty.
struct Event {
  enum class Kind {
    kData,      // data is being prepared: message is the stage; done, total (0: not known)
    kBegin,     // all is checked; workers start now: jobs
    kStarted,   // a segment's worker runs
    kProgress,  // step, end_step, loss, tokens_per_second, seconds_left of one segment
    kWaiting,   // another process trains the segment: message says who
    kFinished,  // a segment is in the store; also when another process put it there
    kFailed,    // message: why; also of one that failed before and is not tried again
    kBlocked,   // message: which segment it would have started from, whose runs are its own too
    kStopping,  // a signal came; workers write their checkpoints
    kStopped,   // a segment's worker stopped; the next run goes on from there
  };
  Kind kind = Kind::kBegin;
  int segment = -1;  // index into Plan::segments
  std::string message;
  int64_t done = 0;
  int64_t total = 0;
  int64_t step = 0;
  int64_t end_step = 0;
  double loss = 0;
  double tokens_per_second = 0;
  double seconds_left = 0;
  int jobs = 0;

  // Of the whole sweep, with every event.
  int64_t tokens_done = 0;  // of this sweep's segments
  int64_t tokens_total = 0;
  int64_t segments_done = 0;  // finished, failed or blocked
  int64_t segments_total = 0;
  double all_seconds_left = -1;  // -1: not known yet
};

// Called from the thread that called Execute(), never during a signal.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void On(const Event& event, const Plan& plan) = 0;
};

struct ExecuteOptions {
  int jobs = 0;  // workers side by side; 0 ("auto"): cores / threads of a worker, as memory allows
  std::string worker;  // empty: FindWorker()
  std::vector<std::string> plugin_path;
  int64_t checkpoint_every_seconds = 60;
  // SIGINT and SIGTERM stop the sweep cleanly while Execute() runs. Off: the caller has its own.
  bool handle_signals = true;
  double memory_margin = .1;              // of the memory available, left free
  int64_t disk_margin_bytes = 256 << 20;  // left free
  double wait_poll_seconds = .5;          // between looks at a segment of another process
};

struct SegmentOutcome {
  int segment = 0;
  SegmentState state =
      SegmentState::kFinished;  // kFinished, kFailed, kBlocked; kTrain: not reached
  std::string why;
};

struct ExecuteReport {
  int jobs = 0;
  int64_t trained = 0;  // segments trained here
  int64_t reused = 0;   // finished by another process meanwhile
  int64_t failed = 0;
  int64_t blocked = 0;
  int64_t stopped = 0;                   // not reached, or stopped with a checkpoint
  int signal = 0;                        // that stopped the sweep; 0: none
  std::vector<SegmentOutcome> outcomes;  // of segments that were to be trained, in the plan's order
  // 0 all is there, 5 a run failed, 75 stopped by a signal: what a program should exit with.
  int ExitCode() const;
};

// Workers that `jobs` asks for: `jobs` itself, or for 0 as many as cores and memory allow, never
// more than segments to train; 1 on a GPU. ResourceExhausted when the memory does not suffice, with
// what is needed and what there is.
absl::StatusOr<int> Workers(const Plan& plan, const ExecuteOptions& options);
// ResourceExhausted when the new checkpoints would not fit on the store's file system.
absl::Status CheckDisk(const Plan& plan, const Store& store, const ExecuteOptions& options);

// Prepares the data, checks memory and disk, and trains what the plan says, longest remaining chain
// first. A worker that fails is recorded (work/<id>/failed.json), what starts from its state is
// blocked, all else goes on. A segment that another live process has claimed is waited for. On the
// first signal workers are told to stop and write their checkpoints, on the second they are killed.
// An error only where nothing was trained, or the store cannot be written.
absl::StatusOr<ExecuteReport> Execute(const Plan& plan, const Store& store,
                                      const ExecuteOptions& options, Watcher* watcher);

}  // namespace qatlas::runs

#endif  // QATLAS_FRAMEWORK_RUNS_EXECUTE_H_
