// The smoothed training loss, and when a training counts as diverged.
#ifndef QATLAS_FRAMEWORK_TRAIN_LOSS_TRACKER_H_
#define QATLAS_FRAMEWORK_TRAIN_LOSS_TRACKER_H_

#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "absl/status/status.h"

namespace qatlas::train {

// Steps whose losses a checkpoint keeps, whatever window its recipe smooths over: another recipe
// may go on from it with another window, and its result must not depend on whose checkpoint it
// found.
inline constexpr int64_t kLossHistory = int64_t{1} << 16;

// Losses of the steps of one trajectory, since it began or left its parent. The smoothed loss is
// the mean over the last `window` steps, or over all of them while they are fewer. The state is
// saved whole, so that a resumed training reports and ends exactly as one that was not interrupted.
//
// Diverged is a training whose mean loss stands above the limit: 1 nat above where the training
// began, or half a nat above both that and the loss of a uniform guess. It ends as soon as the mean
// of its last 32 losses has stood there for 100 steps on end; and at the end of a run, where the
// mean of the last quarter of the trajectory's steps, at most 32, counts, so that short budgets
// count too. A spike that has gone by then does not.
//
// Where it began is the loss of the first step, before any update. A trajectory that goes on from
// another's state keeps that one's beginning; it begins higher where its own first loss is higher,
// as under a quantizer that was just attached, unless the state that it found stood above the limit
// itself.
class LossTracker {
 public:
  // `window`: at most kLossHistory steps.
  explicit LossTracker(int64_t window);

  // The loss of a uniform guess, ln of the vocabulary, nats; until then the first nat counts alone.
  void SetUniformLoss(double loss) { uniform_ = loss; }

  // Errors: "nan" for a loss or gradient norm that is not finite, "diverged"; see TrainingFailed().
  absl::Status Add(int64_t step, double loss, double gradient_norm);
  // "diverged" where a run that ends here, at `step`, has; OK before the first step.
  absl::Status CheckEnd(int64_t step) const;
  // NaN before the first step, and where a restored state kept fewer losses than the window wants.
  double Smoothed() const;
  // The losses that Smoothed() is the mean of, oldest first; empty where it is NaN.
  std::vector<double> Window() const;

  // FP64, 1-dimensional.
  at::Tensor State() const;
  // `steps`: that the trajectory has taken up to this state.
  absl::Status Restore(const at::Tensor& state, int64_t steps);
  // For a trajectory that begins with the state of another one: takes over where that one began.
  absl::Status Follow(const at::Tensor& parent);

 private:
  double MeanOfLast(size_t count) const;
  double Limit() const;
  absl::Status Diverged(int64_t step, double mean, const std::string& since) const;

  size_t window_;
  double uniform_ = std::numeric_limits<double>::infinity();
  std::deque<double> losses_;  // the last kLossHistory
  int64_t steps_ = 0;
  std::optional<double> began_;
  int64_t above_ = 0;  // steps on end above the limit; 1 before the first: so it was found
};

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_LOSS_TRACKER_H_
