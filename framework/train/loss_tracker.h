// The smoothed training loss, and when a training counts as diverged.
#ifndef QATLAS_FRAMEWORK_TRAIN_LOSS_TRACKER_H_
#define QATLAS_FRAMEWORK_TRAIN_LOSS_TRACKER_H_

#include <cstdint>
#include <deque>

#include "ATen/ATen.h"
#include "absl/status/status.h"

namespace qatlas::train {

// Losses of the steps of one trajectory. The smoothed loss is the mean over the last `window` steps
// (fewer at the start). Diverged: the mean of the last 32 losses stays more than 1 nat above the
// mean of the trajectory's first 16 for 100 steps on end. The state is saved whole, so that a
// resumed training reports and ends exactly as one that was not interrupted.
class LossTracker {
 public:
  explicit LossTracker(int64_t window);

  // Errors: "nan" for a loss or gradient norm that is not finite, "diverged"; see TrainingFailed().
  absl::Status Add(int64_t step, double loss, double gradient_norm);
  // NaN before the first step.
  double Smoothed() const;

  // FP64, 1-dimensional.
  at::Tensor State() const;
  absl::Status Restore(const at::Tensor& state);

 private:
  double MeanOfLast(size_t count) const;

  size_t window_;
  std::deque<double> losses_;  // the last max(window, 32)
  double first_sum_ = 0;
  int64_t first_count_ = 0;
  int64_t above_ = 0;
};

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_LOSS_TRACKER_H_
