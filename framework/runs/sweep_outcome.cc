// How workers end, and what follows from it.
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "framework/runs/sweep.h"

namespace qatlas::runs {
namespace {

// Exit codes of qatlas-train.
constexpr int kUserError = 3;
constexpr int kTrainingFailed = 4;
constexpr int kIo = 5;
constexpr int kPlugin = 6;
constexpr int kStoppedCleanly = 75;

// The last line that is not empty, for a worker that left no other reason.
std::string LastLine(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line, last;
  while (std::getline(file, line)) {
    if (!absl::StripAsciiWhitespace(line).empty()) last = line;
  }
  return last.substr(0, 500);
}

}  // namespace

Failure Sweep::WhyItEnded(const Worker& worker, int status) const {
  const std::string& id = plan_.segments[worker.segment].spec.id;
  if (WIFSIGNALED(status)) {
    const int number = WTERMSIG(status);
    const std::string name = absl::StrCat("signal ", number, " (", strsignal(number), ")");
    switch (number) {
      case SIGKILL:
        return {"killed", name + ", from somebody or from the kernel for want of memory", -1};
      case SIGTERM:
      case SIGINT:
      case SIGHUP:
        return {"killed", name, -1};
      default:
        return {"crashed",
                absl::StrCat(name, "; its log is ", (store_.WorkFolder(id) / kLogFile).string()),
                -1};
    }
  }
  const int code = WEXITSTATUS(status);
  if (std::optional<Failure> said = store_.ReadFailure(id); said.has_value()) return *said;
  if (worker.said.has_value()) return *worker.said;
  const std::string last = LastLine(store_.WorkFolder(id) / kLogFile);
  const std::string message = absl::StrCat("exit code ", code, last.empty() ? "" : ": ", last);
  switch (code) {
    case kUserError:
      return {"user-error", message, -1};
    case kTrainingFailed:
      return {"internal", message, -1};
    case kIo:
      return {"io", message, -1};
    case kPlugin:
      return {"plugin", message, -1};
    default:
      return {"protocol", message, -1};
  }
}

void Sweep::OnExit(Worker& worker, int status) {
  const int segment = worker.segment;
  const std::string& id = plan_.segments[segment].spec.id;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    const absl::Status finished = store_.Finish(id);
    if (finished.ok()) {
      Done(segment, /*here=*/true);
    } else if (absl::IsFailedPrecondition(finished) && store_.Finished(id)) {
      Fail(segment, {"not-reproducible", std::string(finished.message()), -1}, /*record=*/true);
    } else {
      Fail(segment,
           {absl::IsDataLoss(finished) ? "protocol" : "io", std::string(finished.message()), -1},
           /*record=*/true);
    }
    return;
  }
  const bool asked = signals_seen_ > 0 && WIFSIGNALED(status) &&
                     (WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGKILL);
  if (asked || (WIFEXITED(status) && WEXITSTATUS(status) == kStoppedCleanly)) {
    tasks_[segment].stage = Stage::kStopped;
    tasks_[segment].why = "stopped";
    Event event;
    event.kind = Event::Kind::kStopped;
    event.segment = segment;
    Emit(event);
    return;
  }
  const Failure failure = WhyItEnded(worker, status);
  Fail(segment, failure, /*record=*/true);
}

void Sweep::Done(int segment, bool here) {
  Task& task = tasks_[segment];
  task.stage = Stage::kDone;
  task.trained_here = here;
  task.tokens_done = plan_.segments[segment].tokens;
  for (int child : task.children) {
    if (tasks_[child].stage == Stage::kWaits) tasks_[child].stage = Stage::kReady;
  }
  Event event;
  event.kind = Event::Kind::kFinished;
  event.segment = segment;
  event.message = here ? "" : "trained by another process";
  Emit(event);
}

void Sweep::Fail(int segment, const Failure& failure, bool record) {
  Task& task = tasks_[segment];
  const std::string& id = plan_.segments[segment].spec.id;
  task.stage = Stage::kFailed;
  task.why = failure.Show();
  if (record) {
    const absl::Status written = store_.RecordFailure(id, failure);
    if (!written.ok()) absl::StrAppend(&task.why, " (not recorded: ", written.message(), ")");
  }
  Event event;
  event.kind = Event::Kind::kFailed;
  event.segment = segment;
  event.message = task.why;
  Emit(event);
  for (int child : task.children) Block(child, absl::StrCat("blocked by ", id, ": ", task.why));
}

void Sweep::Block(int segment, const std::string& by) {
  Task& task = tasks_[segment];
  task.stage = Stage::kBlocked;
  task.why = by;
  Event event;
  event.kind = Event::Kind::kBlocked;
  event.segment = segment;
  event.message = by;
  Emit(event);
  for (int child : task.children) Block(child, by);
}

double Sweep::SecondsLeft() const {
  double done = 0, left = 0, running = 0;
  for (size_t i = 0; i < tasks_.size(); ++i) {
    const Task& task = tasks_[i];
    const int64_t tokens = plan_.segments[i].tokens;
    const double share = task.stage == Stage::kDone ? 1
                         : tokens > 0
                             ? static_cast<double>(task.tokens_done) / static_cast<double>(tokens)
                             : 0;
    switch (task.stage) {
      case Stage::kDone:
        done += task.trained_here ? task.weight : 0;
        break;
      case Stage::kRuns:
        done += share * task.weight;
        [[fallthrough]];
      case Stage::kWaits:
      case Stage::kReady:
        left += (1 - share) * task.weight;
        running = std::max(running, task.chain - share * task.weight);
        break;
      default:
        break;
    }
  }
  if (left == 0) return 0;
  if (done < .02 * (done + left)) return -1;
  // Cost per second so far, of all workers together; the longest chain has one worker to itself.
  const double rate =
      done /
      std::max(std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count(),
               1e-3);
  return std::max(left / rate, running / (rate / jobs_));
}

void Sweep::Emit(Event event) {
  if (watcher_ == nullptr) return;
  for (size_t i = 0; i < tasks_.size(); ++i) {
    const Task& task = tasks_[i];
    if (plan_.segments[i].state != SegmentState::kTrain) continue;
    event.tokens_total += plan_.segments[i].tokens;
    event.tokens_done += task.tokens_done;
    ++event.segments_total;
    if (task.stage == Stage::kDone || task.stage == Stage::kFailed ||
        task.stage == Stage::kBlocked) {
      ++event.segments_done;
    }
  }
  event.all_seconds_left = SecondsLeft();
  watcher_->On(event, plan_);
}

}  // namespace qatlas::runs
