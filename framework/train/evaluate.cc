#include "framework/train/evaluate.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "framework/train/outcome.h"

namespace qatlas::train {
namespace {

class CompensatedSum {
 public:
  void Add(double x) {
    const double sum = sum_ + x;
    lost_ += std::abs(sum_) >= std::abs(x) ? (sum_ - sum) + x : (x - sum) + sum_;
    sum_ = sum;
  }
  double Total() const { return sum_ + lost_; }

 private:
  double sum_ = 0;
  double lost_ = 0;
};

}  // namespace

ValidationResult Summarize(std::vector<double> per_sequence) {
  ValidationResult result;
  const double count = static_cast<double>(per_sequence.size());
  CompensatedSum sum;
  for (double loss : per_sequence) sum.Add(loss);
  result.loss = sum.Total() / count;
  if (per_sequence.size() > 1) {
    CompensatedSum squares;
    for (double loss : per_sequence) squares.Add((loss - result.loss) * (loss - result.loss));
    result.standard_error = std::sqrt(squares.Total() / (count - 1) / count);
  }
  result.per_sequence = std::move(per_sequence);
  return result;
}

int64_t EvaluationBatch(int64_t sequence_length) {
  return std::max<int64_t>(1, 4096 / sequence_length);
}

absl::StatusOr<ValidationResult> Evaluate(Model& model, const data::ValidationSet& validation,
                                          at::Device device, const std::function<bool()>& stop) {
  at::NoGradGuard no_grad;
  KeepQuantizedWeights keep(model);
  const int64_t batch_size = EvaluationBatch(validation.sequence_length());
  BatchBuffer batch(batch_size, validation.sequence_length(), device);
  std::vector<double> losses;
  losses.reserve(static_cast<size_t>(validation.size()));
  const SequenceSource source = [&](int64_t i, int64_t* out) { validation.Fill(i, out); };
  for (int64_t first = 0; first < validation.size(); first += batch_size) {
    if (stop && stop()) return Stopped();
    const int64_t count = std::min(batch_size, validation.size() - first);
    batch.Fill(source, first, count);
    const at::Tensor loss = model.Loss(batch.tokens(), batch.targets(), LossReduction::kPerSequence)
                                .to(at::kCPU, at::kDouble)
                                .contiguous();
    losses.insert(losses.end(), loss.const_data_ptr<double>(),
                  loss.const_data_ptr<double>() + loss.numel());
  }
  for (size_t i = 0; i < losses.size(); ++i) {
    if (!std::isfinite(losses[i])) {
      return TrainingFailed("nan",
                            absl::StrCat("the loss of validation sequence ", i, " is ", losses[i]));
    }
  }
  return Summarize(std::move(losses));
}

}  // namespace qatlas::train
