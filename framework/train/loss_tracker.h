// The smoothed training loss, and when a training counts as diverged.
#ifndef QATLAS_FRAMEWORK_TRAIN_LOSS_TRACKER_H_
#define QATLAS_FRAMEWORK_TRAIN_LOSS_TRACKER_H_

#include <cstdint>
#include <deque>
#include <vector>

#include "ATen/ATen.h"
#include "absl/status/status.h"

namespace qatlas::train {

// Steps whose losses a checkpoint keeps, whatever window its recipe smooths over: another recipe
// may go on from it with another window, and its result must not depend on whose checkpoint it
// found.
inline constexpr int64_t kLossHistory = int64_t{1} << 16;

// Losses of the steps of one trajectory, since it began or left its parent. The smoothed loss is
// the mean over the last `window` steps, or over all of them while they are fewer. Diverged: the
// mean of the last 32 losses stays more than 1 nat above the mean of the trajectory's first 16 for
// 100 steps on end. The state is saved whole, so that a resumed training reports and ends exactly
// as one that was not interrupted.
class LossTracker {
 public:
  // At most kLossHistory steps.
  explicit LossTracker(int64_t window);

  // Errors: "nan" for a loss or gradient norm that is not finite, "diverged"; see TrainingFailed().
  absl::Status Add(int64_t step, double loss, double gradient_norm);
  // NaN before the first step, and where a restored state kept fewer losses than the window wants.
  double Smoothed() const;
  // The losses that Smoothed() is the mean of, oldest first; empty where it is NaN.
  std::vector<double> Window() const;

  // FP64, 1-dimensional.
  at::Tensor State() const;
  // `steps`: that the trajectory has taken up to this state.
  absl::Status Restore(const at::Tensor& state, int64_t steps);

 private:
  double MeanOfLast(size_t count) const;

  size_t window_;
  std::deque<double> losses_;  // the last kLossHistory
  int64_t steps_ = 0;
  double first_sum_ = 0;
  int64_t first_count_ = 0;
  int64_t above_ = 0;
};

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_LOSS_TRACKER_H_
