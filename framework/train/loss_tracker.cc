#include "framework/train/loss_tracker.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "framework/train/outcome.h"

namespace qatlas::train {
namespace {

constexpr size_t kRecent = 32;
static_assert(kRecent <= kLossHistory);
constexpr int64_t kFirst = 16;
constexpr double kMargin = 1.0;  // nats
constexpr int64_t kPatience = 100;
constexpr int64_t kHeader = 3;

}  // namespace

LossTracker::LossTracker(int64_t window)
    : window_(static_cast<size_t>(std::max<int64_t>(1, window))) {}

absl::Status LossTracker::Add(int64_t step, double loss, double gradient_norm) {
  if (!std::isfinite(loss)) {
    return TrainingFailed("nan", absl::StrCat("the training loss is ", loss, " at step ", step));
  }
  if (!std::isfinite(gradient_norm)) {
    return TrainingFailed(
        "nan", absl::StrCat("the gradient's norm is ", gradient_norm, " at step ", step));
  }
  losses_.push_back(loss);
  ++steps_;
  if (losses_.size() > kLossHistory) losses_.pop_front();
  if (first_count_ < kFirst) {
    first_sum_ += loss;
    ++first_count_;
  }
  const double start = first_sum_ / static_cast<double>(first_count_);
  const double recent = MeanOfLast(kRecent);
  above_ = recent > start + kMargin ? above_ + 1 : 0;
  if (above_ < kPatience) return absl::OkStatus();
  return TrainingFailed(
      "diverged", absl::StrFormat("at step %d the smoothed training loss is %.3f and has been more "
                                  "than %g nat above its start, %.3f, for %d steps",
                                  step, recent, kMargin, start, kPatience));
}

double LossTracker::MeanOfLast(size_t count) const {
  count = std::min(count, losses_.size());
  double sum = 0;
  for (size_t i = losses_.size() - count; i < losses_.size(); ++i) sum += losses_[i];
  return sum / static_cast<double>(count);
}

double LossTracker::Smoothed() const {
  const size_t wanted = std::min(window_, static_cast<size_t>(steps_));
  if (wanted == 0 || losses_.size() < wanted) return std::numeric_limits<double>::quiet_NaN();
  return MeanOfLast(wanted);
}

at::Tensor LossTracker::State() const {
  at::Tensor state = at::empty({kHeader + static_cast<int64_t>(losses_.size())}, at::kDouble);
  double* out = state.data_ptr<double>();
  *out++ = first_sum_;
  *out++ = static_cast<double>(first_count_);
  *out++ = static_cast<double>(above_);
  std::copy(losses_.begin(), losses_.end(), out);
  return state;
}

std::vector<double> LossTracker::Window() const {
  if (std::isnan(Smoothed())) return {};
  const size_t count = std::min(window_, losses_.size());
  return std::vector<double>(losses_.end() - static_cast<int64_t>(count), losses_.end());
}

absl::Status LossTracker::Restore(const at::Tensor& state, int64_t steps) {
  if (state.scalar_type() != at::kDouble || state.dim() != 1 || state.numel() < kHeader ||
      state.numel() - kHeader > std::min(steps, kLossHistory)) {
    return absl::InvalidArgumentError("the checkpoint's state of the losses cannot be read");
  }
  const at::Tensor flat = state.contiguous();
  const double* in = flat.const_data_ptr<double>();
  first_sum_ = in[0];
  first_count_ = static_cast<int64_t>(in[1]);
  above_ = static_cast<int64_t>(in[2]);
  losses_.assign(in + kHeader, in + flat.numel());
  steps_ = steps;
  return absl::OkStatus();
}

}  // namespace qatlas::train
