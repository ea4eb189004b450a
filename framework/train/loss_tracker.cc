#include "framework/train/loss_tracker.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "framework/train/outcome.h"
#include "qatlas/check.h"

namespace qatlas::train {
namespace {

constexpr size_t kRecent = 32;
static_assert(kRecent <= kLossHistory);
constexpr double kMargin = 1.0;         // nats above where it began
constexpr double kUniformMargin = 0.5;  // nats above a uniform guess
constexpr int64_t kPatience = 100;
// Sum and number of the losses that the trajectory began with, and steps above the limit. The
// number is 0 or 1; older checkpoints have the first 16.
constexpr int64_t kHeader = 3;

absl::Status CheckState(const at::Tensor& state) {
  if (state.scalar_type() == at::kDouble && state.dim() == 1 && state.numel() >= kHeader) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("the checkpoint's state of the losses cannot be read");
}

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
  // What was found above the limit is no beginning.
  if (steps_ == 0 && above_ == 0) began_ = std::max(began_.value_or(loss), loss);
  if (!began_.has_value()) began_ = loss;
  losses_.push_back(loss);
  ++steps_;
  if (losses_.size() > kLossHistory) losses_.pop_front();
  const double recent = MeanOfLast(kRecent);
  above_ = recent > Limit() ? above_ + 1 : 0;
  if (above_ < kPatience) return absl::OkStatus();
  return Diverged(step, recent, absl::StrFormat(" and has been there for %d steps", kPatience));
}

double LossTracker::Limit() const {
  return std::min(*began_ + kMargin, std::max(*began_, uniform_) + kUniformMargin);
}

absl::Status LossTracker::Diverged(int64_t step, double mean, const std::string& since) const {
  return TrainingFailed(
      "diverged",
      absl::StrFormat("at step %d the smoothed training loss is %.3f, above the limit of %.3f%s; "
                      "training began at %.3f. A lower learning_rate or a longer warm-up may help",
                      step, mean, Limit(), since, *began_));
}

absl::Status LossTracker::CheckEnd(int64_t step) const {
  if (losses_.empty()) return absl::OkStatus();
  const size_t quarter = static_cast<size_t>(std::max<int64_t>(1, steps_ / 4));
  const double mean = MeanOfLast(std::min(quarter, kRecent));
  if (mean <= Limit()) return absl::OkStatus();
  return Diverged(step, mean, ", and the run ends there");
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
  *out++ = began_.value_or(0);
  *out++ = began_.has_value() ? 1 : 0;
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
  QATLAS_RETURN_IF_ERROR(CheckState(state));
  if (state.numel() - kHeader > std::min(steps, kLossHistory)) {
    return absl::InvalidArgumentError("the checkpoint has losses of more steps than it has taken");
  }
  const at::Tensor flat = state.contiguous();
  const double* in = flat.const_data_ptr<double>();
  began_.reset();
  if (in[1] > 0) began_ = in[0] / in[1];
  if (!began_.has_value() && flat.numel() > kHeader) {
    return absl::InvalidArgumentError("the checkpoint has losses, but not where they began");
  }
  above_ = static_cast<int64_t>(in[2]);
  losses_.assign(in + kHeader, in + flat.numel());
  steps_ = steps;
  return absl::OkStatus();
}

absl::Status LossTracker::Follow(const at::Tensor& parent) {
  QATLAS_RETURN_IF_ERROR(CheckState(parent));
  QATLAS_RETURN_IF_ERROR(Restore(parent, parent.numel() - kHeader));
  const bool sound = losses_.empty() ? above_ == 0 : MeanOfLast(kRecent) <= Limit();
  above_ = sound ? 0 : 1;
  losses_.clear();
  steps_ = 0;
  return absl::OkStatus();
}

}  // namespace qatlas::train
