// What a worker says on its standard output: JSON lines, at most about four a second.
#ifndef QATLAS_FRAMEWORK_TRAIN_REPORTER_H_
#define QATLAS_FRAMEWORK_TRAIN_REPORTER_H_

#include <chrono>
#include <cstdint>
#include <functional>

#include "framework/train/run_log.h"
#include "nlohmann/json.hpp"

namespace qatlas::train {

using EventSink = std::function<void(const nlohmann::ordered_json&)>;

class Reporter {
 public:
  // A null sink reports nothing.
  Reporter(EventSink sink, int64_t begin_step, int64_t end_step, int64_t tokens_per_step)
      : sink_(std::move(sink)),
        begin_step_(begin_step),
        end_step_(end_step),
        tokens_per_step_(tokens_per_step),
        started_(Clock::now()) {}

  void Start(int64_t parameters) {
    Emit({{"event", "start"},
          {"step", begin_step_},
          {"end_step", end_step_},
          {"tokens", begin_step_ * tokens_per_step_},
          {"parameters", parameters}});
  }
  // Every step is given; most are not reported.
  void Progress(const StepRecord& record, double smoothed_loss) {
    const Clock::time_point now = Clock::now();
    if (now - last_ < std::chrono::milliseconds(250) && record.step != end_step_) return;
    last_ = now;
    const double seconds = std::chrono::duration<double>(now - started_).count();
    const int64_t done = record.step - begin_step_;
    const double rate = static_cast<double>(done * tokens_per_step_) / seconds;
    Emit({{"event", "progress"},
          {"step", record.step},
          {"end_step", end_step_},
          {"tokens", record.tokens},
          {"loss", smoothed_loss},
          {"tokens_per_second", rate},
          {"learning_rate", record.learning_rate},
          {"seconds_left",
           seconds / static_cast<double>(done) * static_cast<double>(end_step_ - record.step)}});
  }
  void Checkpoint(int64_t step) {
    Emit({{"event", "checkpoint"}, {"step", step}, {"end_step", end_step_}});
  }
  void Emit(const nlohmann::ordered_json& event) {
    if (sink_) sink_(event);
  }

 private:
  using Clock = std::chrono::steady_clock;
  EventSink sink_;
  int64_t begin_step_;
  int64_t end_step_;
  int64_t tokens_per_step_;
  Clock::time_point started_;
  Clock::time_point last_ = {};
};

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_REPORTER_H_
