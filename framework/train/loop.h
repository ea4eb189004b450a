// The training loop: batches, gradients, updates. It knows neither files nor where components come
// from.
#ifndef QATLAS_FRAMEWORK_TRAIN_LOOP_H_
#define QATLAS_FRAMEWORK_TRAIN_LOOP_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "framework/recipe/segment.h"
#include "framework/train/loss_tracker.h"
#include "framework/train/run_log.h"
#include "framework/train/tokens.h"
#include "framework/train/trainee.h"

namespace qatlas::train {

// One optimizer step of a trajectory. Step s trains on sequences [s, s + 1) * batch_sequences of
// the order, in micro batches whose gradients add up to that of the mean loss.
class Stepper {
 public:
  // `sequences` gives training sequences. Both must outlive the object.
  Stepper(Trainee& trainee, const recipe::Trajectory& trajectory, SequenceSource sequences);

  // Trains step `step` (0 is the first of a run) and returns what happened. Loss and norm are not
  // checked here. The seed of ATen's generator is set from the step, so that a quantizer that draws
  // from it is resumed exactly.
  StepRecord Step(int64_t step);

 private:
  Trainee& trainee_;
  const recipe::Trajectory& trajectory_;
  SequenceSource sequences_;
  at::Device device_;
  BatchBuffer batch_;
  at::Tensor share_;  // 1 / number of micro batches
  int64_t end_step_;  // of the trajectory; 0: not known
};

// Trains steps [begin, end). After each, `after_step` is called with its record, the losses
// including it; an error that it returns ends the loop. Errors: of the loss tracker, of after_step.
absl::Status TrainSteps(Stepper& stepper, LossTracker& losses, int64_t begin, int64_t end,
                        const std::function<absl::Status(const StepRecord&)>& after_step);

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_LOOP_H_
