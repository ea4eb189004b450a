#include "framework/runs/sweep.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "framework/runs/records.h"
#include "nlohmann/json.hpp"
#include "qatlas/check.h"

namespace qatlas::runs {
namespace {

using Clock = std::chrono::steady_clock;

double Seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

double NumberOr(const nlohmann::json& json, const char* key, double fallback) {
  return json.contains(key) && json[key].is_number() ? json[key].get<double>() : fallback;
}

}  // namespace

Sweep::Sweep(const Plan& plan, const Store& store, const ExecuteOptions& options,
             std::string worker, std::string data_folder, int jobs, Watcher* watcher)
    : plan_(plan),
      store_(store),
      options_(options),
      host_(std::move(worker)),
      data_folder_(std::move(data_folder)),
      jobs_(jobs),
      watcher_(watcher),
      signals_(options.handle_signals),
      tasks_(plan.segments.size()) {
  for (size_t i = 0; i < tasks_.size(); ++i) {
    const PlannedSegment& segment = plan.segments[i];
    Task& task = tasks_[i];
    switch (segment.state) {
      case SegmentState::kTrain:
        task.stage = segment.parent >= 0 ? Stage::kWaits : Stage::kReady;
        task.weight = segment.seconds > 0 ? segment.seconds : 1 + 1e-6 * segment.tokens;
        if (segment.parent >= 0) tasks_[segment.parent].children.push_back(static_cast<int>(i));
        break;
      case SegmentState::kFailed:
        task.stage = Stage::kFailed;
        task.why = segment.reason;
        break;
      case SegmentState::kBlocked:
        task.stage = Stage::kBlocked;
        task.why = segment.reason;
        break;
      default:
        break;
    }
  }
  // Children come after their parents.
  for (size_t i = tasks_.size(); i-- > 0;) {
    double longest = 0;
    for (int child : tasks_[i].children) longest = std::max(longest, tasks_[child].chain);
    tasks_[i].chain = tasks_[i].weight + longest;
  }
}

ExecuteReport Sweep::Run() {
  began_ = looked_ = Clock::now();
  Event begin;
  begin.kind = Event::Kind::kBegin;
  begin.jobs = jobs_;
  Emit(begin);
  TellOldFailures();
  while (true) {
    HandleSignals();
    if (signals_seen_ == 0) {
      LookElsewhere();
      Start();
    }
    const bool waits =
        signals_seen_ == 0 && std::any_of(tasks_.begin(), tasks_.end(), [](const Task& task) {
          return task.stage == Stage::kElsewhere;
        });
    if (workers_.empty() && !waits) break;
    Wait();
    for (size_t i = 0; i < workers_.size();) {
      ReadOutput(workers_[i]);
      if (Ended(workers_[i])) {
        workers_.erase(workers_.begin() + static_cast<int64_t>(i));
      } else {
        ++i;
      }
    }
  }
  ExecuteReport report;
  report.jobs = jobs_;
  report.signal = signals_.last();
  for (size_t i = 0; i < tasks_.size(); ++i) {
    const Task& task = tasks_[i];
    SegmentOutcome outcome{static_cast<int>(i), SegmentState::kTrain, task.why};
    switch (task.stage) {
      case Stage::kNone:
        continue;
      case Stage::kDone:
        outcome.state = SegmentState::kFinished;
        ++(task.trained_here ? report.trained : report.reused);
        break;
      case Stage::kFailed:
        outcome.state = SegmentState::kFailed;
        ++report.failed;
        break;
      case Stage::kBlocked:
        outcome.state = SegmentState::kBlocked;
        ++report.blocked;
        break;
      default:
        ++report.stopped;
        break;
    }
    report.outcomes.push_back(std::move(outcome));
  }
  return report;
}

// What failed before and is left alone; what starts from it is told by its runs.
void Sweep::TellOldFailures() {
  for (size_t i = 0; i < tasks_.size(); ++i) {
    if (tasks_[i].stage != Stage::kFailed) continue;
    Event event;
    event.kind = Event::Kind::kFailed;
    event.segment = static_cast<int>(i);
    event.message = absl::StrCat(absl::StripPrefix(tasks_[i].why, "failed before: "),
                                 " (in an earlier run; --retry-failed tries it again)");
    Emit(event);
  }
}

void Sweep::Start() {
  while (static_cast<int>(workers_.size()) < jobs_) {
    int best = -1;
    for (size_t i = 0; i < tasks_.size(); ++i) {
      if (tasks_[i].stage == Stage::kReady && (best < 0 || tasks_[i].chain > tasks_[best].chain)) {
        best = static_cast<int>(i);
      }
    }
    if (best < 0) return;
    if (StartOne(best)) continue;
    tasks_[best].stage = Stage::kElsewhere;
    Event event;
    event.kind = Event::Kind::kWaiting;
    event.segment = best;
    const std::optional<ClaimHolder> holder = ReadClaim(store_, plan_.segments[best].spec.id);
    event.message = holder.has_value() && holder->pid != 0
                        ? absl::StrCat("process ", holder->pid, " on ", holder->host, " trains it")
                        : "another process trains it";
    Emit(event);
  }
}

// Segments of other processes: finished there, failed there, or given up there.
void Sweep::LookElsewhere() {
  const Clock::time_point now = Clock::now();
  if (Seconds(now - looked_) < options_.wait_poll_seconds) return;
  looked_ = now;
  for (size_t i = 0; i < tasks_.size(); ++i) {
    if (tasks_[i].stage != Stage::kElsewhere) continue;
    const int segment = static_cast<int>(i);
    const std::optional<ClaimHolder> holder = ReadClaim(store_, plan_.segments[i].spec.id);
    if (holder.has_value() && holder->alive) continue;
    const std::optional<Failure> failure = store_.ReadFailure(plan_.segments[i].spec.id);
    if (failure.has_value() && !failure->TryAgain()) {
      Fail(segment, *failure, /*record=*/false);
    } else {
      tasks_[i].stage = Stage::kReady;
    }
  }
}

recipe::SegmentSpec Sweep::Places(const recipe::SegmentSpec& spec, int segment) const {
  const PlannedSegment& planned = plan_.segments[segment];
  recipe::SegmentSpec placed = spec;
  placed.data_folder = data_folder_;
  placed.plugin_path = options_.plugin_path;
  placed.checkpoint_every_seconds = options_.checkpoint_every_seconds;
  const std::string start =
      planned.parent >= 0 ? plan_.segments[planned.parent].spec.id : planned.start_segment;
  if (!start.empty()) {
    placed.start_checkpoint =
        std::filesystem::absolute(store_.SegmentFolder(start) / kCheckpointFile).string();
  } else if (plan_.recipe.start_checkpoint.has_value()) {
    placed.start_checkpoint = std::filesystem::absolute(*plan_.recipe.start_checkpoint).string();
    placed.start_is_foreign = true;
  }
  return placed;
}

bool Sweep::StartOne(int segment) {
  const PlannedSegment& planned = plan_.segments[segment];
  const std::string& id = planned.spec.id;
  absl::StatusOr<std::optional<Claim>> claim = Claim::Try(store_, id);
  if (!claim.ok()) {
    Fail(segment, {"io", std::string(claim.status().message()), -1}, /*record=*/false);
    return true;
  }
  if (!claim->has_value()) return false;
  if (store_.Finished(id) &&
      (!(planned.state_wanted || planned.restore) || store_.HasCheckpoint(id))) {
    Done(segment, /*here=*/false);
    return true;
  }
  const recipe::SegmentSpec spec = Places(planned.spec, segment);
  std::error_code error;
  if (!spec.start_checkpoint.empty() && !std::filesystem::exists(spec.start_checkpoint, error)) {
    Fail(segment,
         {"io",
          absl::StrCat("the state that it starts from, ", spec.start_checkpoint,
                       ", is gone; run again, which plans anew"),
          -1},
         /*record=*/true);
    return true;
  }
  const absl::Status begun = store_.BeginWork(spec);
  if (!begun.ok()) {
    Fail(segment, {"io", std::string(begun.message()), -1}, /*record=*/true);
    return true;
  }
  const std::filesystem::path folder = std::filesystem::absolute(store_.WorkFolder(id));
  absl::StatusOr<Child> child =
      host_.Start(folder.string(), (folder / kLogFile).string(), {(*claim)->fd()});
  if (!child.ok()) {
    Fail(segment, {"io", std::string(child.status().message()), -1}, /*record=*/true);
    return true;
  }
  Worker worker;
  worker.segment = segment;
  worker.child = *child;
  worker.claim = *std::move(claim);
  workers_.push_back(std::move(worker));
  tasks_[segment].stage = Stage::kRuns;
  Event event;
  event.kind = Event::Kind::kStarted;
  event.segment = segment;
  event.step = spec.begin_step;
  event.end_step = spec.end_step;
  Emit(event);
  return true;
}

void Sweep::Wait() {
  std::vector<pollfd> files;
  if (signals_.fd() >= 0) files.push_back({signals_.fd(), POLLIN, 0});
  if (host_.fd() >= 0) files.push_back({host_.fd(), POLLIN, 0});
  for (const Worker& worker : workers_) {
    // A worker's end is told by the host's socket.
    if (worker.child.output >= 0) files.push_back({worker.child.output, POLLIN, 0});
  }
  const int timeout = static_cast<int>(1000 * std::clamp(options_.wait_poll_seconds, .01, .2));
  poll(files.data(), files.size(), timeout);
}

void Sweep::ReadOutput(Worker& worker) {
  char buffer[1 << 14];
  while (worker.child.output >= 0) {
    const ssize_t count = read(worker.child.output, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) {
      close(worker.child.output);
      worker.child.output = -1;
      return;
    }
    for (ssize_t i = 0; i < count; ++i) {
      if (buffer[i] != '\n') {
        if (worker.line.size() < (1 << 16)) worker.line.push_back(buffer[i]);
        continue;
      }
      OnLine(worker, worker.line);
      worker.line.clear();
    }
  }
}

void Sweep::OnLine(Worker& worker, const std::string& line) {
  const nlohmann::json json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  const std::string kind = TextAt(json, "event");
  if (kind == "failed") {
    // Counts where failed.json could not be written, as on a full disk.
    worker.said = Failure{TextAt(json, "kind"), TextAt(json, "message"),
                          static_cast<int64_t>(NumberOr(json, "step", -1))};
  }
  if (kind != "progress") return;
  const PlannedSegment& planned = plan_.segments[worker.segment];
  Event event;
  event.kind = Event::Kind::kProgress;
  event.segment = worker.segment;
  event.step = static_cast<int64_t>(NumberOr(json, "step", 0));
  event.end_step = static_cast<int64_t>(NumberOr(json, "end_step", 0));
  event.loss = NumberOr(json, "loss", 0);
  event.tokens_per_second = NumberOr(json, "tokens_per_second", 0);
  event.seconds_left = worker.seconds_left = NumberOr(json, "seconds_left", -1);
  const int64_t steps = planned.spec.end_step - planned.spec.begin_step;
  if (steps > 0) {
    const int64_t done = std::clamp<int64_t>(event.step - planned.spec.begin_step, 0, steps);
    tasks_[worker.segment].tokens_done = planned.tokens / steps * done;
  }
  Emit(event);
}

bool Sweep::Ended(Worker& worker) {
  const std::optional<int> status = host_.Reap(worker.child);
  if (!status.has_value()) return false;
  ReadOutput(worker);
  if (worker.child.output >= 0) close(worker.child.output);
  if (worker.child.handle >= 0) close(worker.child.handle);
  OnExit(worker, *status);
  return true;
}

void Sweep::HandleSignals() {
  signals_.Drain();
  const int count = signals_.count();
  if (count <= signals_seen_) return;
  const bool first = signals_seen_ == 0;
  signals_seen_ = count;
  // A second signal that came together with the first still means: at once.
  for (const Worker& worker : workers_) {
    kill(count > 1 ? -worker.child.pid : worker.child.pid, count > 1 ? SIGKILL : SIGTERM);
  }
  if (!first && workers_.empty()) return;
  Event event;
  event.kind = Event::Kind::kStopping;
  event.message = count > 1
                      ? "workers are killed; what they had since their last checkpoint is lost"
                      : "workers write their checkpoints; press again to kill them";
  Emit(event);
}

}  // namespace qatlas::runs
