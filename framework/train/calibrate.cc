#include "framework/train/calibrate.h"

#include <algorithm>
#include <utility>

namespace qatlas::train {
namespace {

// Gathers one linear's statistics.
class Observer {
 public:
  Observer(const CalibrationNeeds& needs, int64_t expected_rows)
      : needs_(needs), expected_rows_(expected_rows) {}

  void See(const at::Tensor& x) {
    const at::Tensor rows = x.detach().reshape({-1, x.size(-1)}).to(at::kFloat);
    const int64_t count = rows.size(0);
    if (count == 0) return;
    const at::Tensor magnitude = rows.abs();
    const at::Tensor sum = magnitude.sum(0, /*keepdim=*/false, at::kDouble);
    const at::Tensor largest = magnitude.amax(0);
    if (seen_ == 0) {
      sum_abs_ = sum;
      max_abs_ = largest;
      if (needs_.hessian) hessian_ = at::mm(rows.t(), rows).to(at::kDouble);
    } else {
      sum_abs_.add_(sum);
      max_abs_ = at::maximum(max_abs_, largest);
      if (needs_.hessian) hessian_.add_(at::mm(rows.t(), rows));
    }
    Sample(rows);
    seen_ += count;
  }

  CalibrationStatistics Finish() const {
    CalibrationStatistics result;
    result.tokens = seen_;
    if (seen_ == 0) return result;
    const at::Tensor mean = sum_abs_ / static_cast<double>(seen_);
    result.feature_mean_abs = mean.to(at::kFloat);
    result.mean_abs = mean.mean().to(at::kFloat);
    result.max_abs = max_abs_;
    if (needs_.hessian) {
      result.hessian = (hessian_ * (2.0 / static_cast<double>(seen_))).to(at::kFloat);
    }
    if (!samples_.empty()) result.samples = at::cat(samples_);
    return result;
  }

 private:
  // Row floor(i * expected / wanted) for i = 0 ..: evenly spread, decided without knowing the
  // values.
  void Sample(const at::Tensor& rows) {
    const int64_t wanted = std::min(needs_.sample_rows, expected_rows_);
    std::vector<int64_t> picked;
    while (sampled_ < wanted) {
      const int64_t row = sampled_ * expected_rows_ / wanted;
      if (row >= seen_ + rows.size(0)) break;
      picked.push_back(row - seen_);
      ++sampled_;
    }
    if (picked.empty()) return;
    samples_.push_back(rows.index_select(0, at::tensor(picked, at::kLong).to(rows.device())));
  }

  CalibrationNeeds needs_;
  int64_t expected_rows_;
  int64_t seen_ = 0;
  int64_t sampled_ = 0;
  at::Tensor sum_abs_;
  at::Tensor max_abs_;
  at::Tensor hessian_;  // FP64 sum, so that many batches lose nothing
  std::vector<at::Tensor> samples_;
};

}  // namespace

CalibrationNeeds Combine(const CalibrationNeeds& a, const CalibrationNeeds& b) {
  CalibrationNeeds result;
  result.tokens = std::max(a.tokens, b.tokens);
  result.sample_rows = std::max(a.sample_rows, b.sample_rows);
  result.hessian = a.hessian || b.hessian;
  result.sequential = a.sequential || b.sequential;
  return result;
}

std::map<const QuantizableLinear*, CalibrationStatistics> Calibrate(
    Model& model, const std::map<QuantizableLinear*, CalibrationNeeds>& needs,
    const CalibrationData& data) {
  at::NoGradGuard no_grad;
  std::map<const QuantizableLinear*, Observer> observers;
  std::map<QuantizableLinear*, int64_t> sequences;
  int64_t most = 0;
  for (const auto& [linear, need] : needs) {
    const int64_t count = (need.tokens + data.sequence_length - 1) / data.sequence_length;
    if (count == 0) continue;
    sequences[linear] = count;
    most = std::max(most, count);
    observers.emplace(linear, Observer(need, count * data.sequence_length));
  }
  BatchBuffer batch(data.batch_sequences, data.sequence_length, data.device);
  // A batch ends where a linear has seen enough, so that no linear sees more than it asked for.
  int64_t done = 0;
  while (done < most) {
    int64_t count = std::min(data.batch_sequences, most - done);
    for (const auto& [linear, wanted] : sequences) {
      if (wanted > done) count = std::min(count, wanted - done);
    }
    for (const auto& [linear, wanted] : sequences) {
      if (wanted > done) {
        linear->SetInputObserver([&observers](const QuantizableLinear& seen, const at::Tensor& x) {
          observers.at(&seen).See(x);
        });
      } else {
        linear->SetInputObserver({});
      }
    }
    batch.Fill(data.source, data.first_sequence + done, count);
    model.Loss(batch.tokens(), batch.targets(), LossReduction::kMean);
    done += count;
  }
  std::map<const QuantizableLinear*, CalibrationStatistics> result;
  for (const auto& [linear, wanted] : sequences) linear->SetInputObserver({});
  for (const auto& [linear, observer] : observers) result[linear] = observer.Finish();
  return result;
}

}  // namespace qatlas::train
