// The loop behind Execute(): workers started, watched and buried.
#ifndef QATLAS_FRAMEWORK_RUNS_SWEEP_H_
#define QATLAS_FRAMEWORK_RUNS_SWEEP_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "framework/runs/claim.h"
#include "framework/runs/execute.h"
#include "framework/runs/plan.h"
#include "framework/runs/process.h"
#include "framework/runs/signals.h"
#include "framework/runs/store.h"
#include "framework/runs/worker_host.h"

namespace qatlas::runs {

class Sweep {
 public:
  // `data_folder` holds the prepared data. What is passed by reference must outlive the sweep.
  Sweep(const Plan& plan, const Store& store, const ExecuteOptions& options, std::string worker,
        std::string data_folder, int jobs, Watcher* watcher);

  // Until nothing is left that can be done. Always leaves no worker behind.
  ExecuteReport Run();

 private:
  enum class Stage {
    kNone,   // nothing to do
    kWaits,  // for the segment that it starts from
    kReady,
    kElsewhere,  // another process has claimed it
    kRuns,
    kDone,
    kFailed,
    kBlocked,
    kStopped,
  };
  struct Task {
    Stage stage = Stage::kNone;
    std::vector<int> children;
    double weight = 0;  // expected cost
    double chain = 0;   // cost of the longest chain that begins here
    int64_t tokens_done = 0;
    std::string why;
    bool trained_here = false;
  };
  struct Worker {
    int segment = -1;
    Child child;
    std::optional<Claim> claim;
    std::string line;             // of its output, so far
    std::optional<Failure> said;  // its last word, where it failed
    double seconds_left = -1;
  };

  void TellOldFailures();
  void Start();                // as many workers as are free
  bool StartOne(int segment);  // false: another process has it
  void LookElsewhere();
  void Wait();
  void ReadOutput(Worker& worker);
  void OnLine(Worker& worker, const std::string& line);
  bool Ended(Worker& worker);  // reaps it
  void OnExit(Worker& worker, int status);
  void HandleSignals();
  void Done(int segment, bool here);
  void Fail(int segment, const Failure& failure, bool record);
  void Block(int segment, const std::string& by);
  recipe::SegmentSpec Places(const recipe::SegmentSpec& spec, int segment) const;
  Failure WhyItEnded(const Worker& worker, int status) const;
  void Emit(Event event);
  double SecondsLeft() const;

  const Plan& plan_;
  const Store& store_;
  const ExecuteOptions& options_;
  WorkerHost host_;
  const std::string data_folder_;
  const int jobs_;
  Watcher* const watcher_;
  StopSignals signals_;
  int signals_seen_ = 0;
  std::vector<Task> tasks_;
  std::vector<Worker> workers_;
  std::chrono::steady_clock::time_point began_;
  std::chrono::steady_clock::time_point looked_;
};

}  // namespace qatlas::runs

#endif  // QATLAS_FRAMEWORK_RUNS_SWEEP_H_
