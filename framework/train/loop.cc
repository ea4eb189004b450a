#include "framework/train/loop.h"

#include <algorithm>
#include <utility>

#include "qatlas/check.h"

namespace qatlas::train {

Stepper::Stepper(Trainee& trainee, const recipe::Trajectory& trajectory, SequenceSource sequences)
    : trainee_(trainee),
      trajectory_(trajectory),
      sequences_(std::move(sequences)),
      device_(trajectory.device == "cuda" ? at::kCUDA : at::kCPU),
      batch_(trajectory.micro_batch_sequences, trajectory.sequence_length, device_),
      end_step_(TrajectoryEnd(trajectory)) {
  const int64_t micro_batches = trajectory.batch_sequences / trajectory.micro_batch_sequences;
  QATLAS_CHECK(micro_batches * trajectory.micro_batch_sequences == trajectory.batch_sequences,
               "micro batches that do not divide the batch");
  share_ = at::full({}, 1.0 / static_cast<double>(micro_batches),
                    at::TensorOptions().dtype(at::kFloat).device(device_));
}

StepRecord Stepper::Step(int64_t step) {
  AdamW& optimizer = *trainee_.optimizer;
  at::manual_seed(SiteSeed(trajectory_.seed, "step") + static_cast<uint64_t>(step));
  optimizer.ClearGradients();
  const int64_t first = step * trajectory_.batch_sequences;
  at::Tensor total;
  for (int64_t done = 0; done < trajectory_.batch_sequences;
       done += trajectory_.micro_batch_sequences) {
    batch_.Fill(sequences_, first + done, trajectory_.micro_batch_sequences);
    const at::Tensor loss =
        trainee_.model->Loss(batch_.tokens(), batch_.targets(), LossReduction::kMean);
    // The gradient of the loss times the share: the same as scaling the loss, without an operation.
    loss.backward(share_);
    const at::Tensor value = loss.detach().to(at::kDouble);
    total = total.defined() ? total.add_(value) : value;
  }
  for (const AttachedSite& site : trainee_.sites) {
    const at::Tensor penalty = site.instance->Penalty();
    if (penalty.defined()) penalty.backward();
  }
  const at::Tensor norm = optimizer.GradientNorm();
  const double schedule = recipe::ScheduleAt(trajectory_.schedule, step);
  optimizer.Step(schedule, norm);

  StepRecord record;
  record.step = step + 1;
  record.tokens = record.step * trajectory_.batch_sequences * trajectory_.sequence_length;
  record.learning_rate = trajectory_.peak_learning_rate * schedule;
  {
    at::NoGradGuard no_grad;
    for (const AttachedSite& site : trainee_.sites) {
      site.instance->AfterStep(
          {step - site.attached_step, site.StepsUntil(end_step_, step), record.learning_rate});
    }
  }
  record.loss = total.item<double>() * trajectory_.micro_batch_sequences /
                static_cast<double>(trajectory_.batch_sequences);
  record.gradient_norm = norm.item<float>();
  return record;
}

absl::Status TrainSteps(Stepper& stepper, LossTracker& losses, int64_t begin, int64_t end,
                        const std::function<absl::Status(const StepRecord&)>& after_step) {
  for (int64_t step = begin; step < end; ++step) {
    const StepRecord record = stepper.Step(step);
    QATLAS_RETURN_IF_ERROR(losses.Add(record.step, record.loss, record.gradient_norm));
    QATLAS_RETURN_IF_ERROR(after_step(record));
  }
  return absl::OkStatus();
}

}  // namespace qatlas::train
