#include "framework/train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace qatlas::train {

TrainedParameter Decide(const std::string& prefix, const NamedParameter& parameter,
                        const recipe::Trajectory& trajectory) {
  TrainedParameter result;
  result.name = absl::StrCat(prefix, parameter.name);
  result.tensor = parameter.tensor;
  result.peak_learning_rate =
      std::isnan(parameter.learning_rate) ? trajectory.peak_learning_rate : parameter.learning_rate;
  bool decays = parameter.weight_decay;
  if (auto group = trajectory.groups.find(parameter.group); group != trajectory.groups.end()) {
    result.peak_learning_rate = group->second.learning_rate.value_or(result.peak_learning_rate);
    decays = group->second.weight_decay.value_or(decays);
  }
  result.weight_decay = decays ? trajectory.optimizer.weight_decay : 0;
  return result;
}

AdamW::AdamW(std::vector<TrainedParameter> parameters, const recipe::OptimizerSettings& settings)
    : settings_(settings), parameters_(std::move(parameters)) {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const TrainedParameter& parameter = parameters_[i];
    first_.push_back(at::zeros_like(parameter.tensor, at::MemoryFormat::Contiguous).detach());
    second_.push_back(at::zeros_like(parameter.tensor, at::MemoryFormat::Contiguous).detach());
    counts_.push_back(0);
    auto group = std::find_if(groups_.begin(), groups_.end(), [&](const Group& g) {
      return g.peak_learning_rate == parameter.peak_learning_rate &&
             g.weight_decay == parameter.weight_decay;
    });
    if (group == groups_.end()) {
      groups_.push_back({parameter.peak_learning_rate, parameter.weight_decay, {}});
      group = groups_.end() - 1;
    }
    group->members.push_back(i);
  }
}

void AdamW::ClearGradients() {
  for (TrainedParameter& parameter : parameters_) parameter.tensor.mutable_grad() = at::Tensor();
}

at::Tensor AdamW::GradientNorm() const {
  at::NoGradGuard no_grad;
  std::vector<at::Tensor> gradients;
  for (const TrainedParameter& parameter : parameters_) {
    if (parameter.tensor.grad().defined()) gradients.push_back(parameter.tensor.grad());
  }
  if (gradients.empty()) return at::zeros({}, at::kFloat);
  return at::stack(at::_foreach_norm(gradients)).norm();
}

void AdamW::Step(double schedule, const at::Tensor& norm) {
  at::NoGradGuard no_grad;
  std::optional<at::Tensor> scale;
  if (settings_.clip > 0) {
    // The kernel divides gradients by its scale; the small number is that of clip_grad_norm_.
    if (norm.is_cpu()) {
      const double excess = (norm.item<float>() + 1e-6) / settings_.clip;
      if (excess > 1) scale = at::scalar_tensor(excess, at::kFloat);
    } else {
      scale = norm.add(1e-6).div_(settings_.clip).clamp_min_(1.0);
    }
  }
  std::map<int64_t, at::Tensor> scalars;
  for (const Group& group : groups_) {
    std::vector<at::Tensor> tensors, gradients, first, second, counts;
    for (size_t i : group.members) {
      const at::Tensor& gradient = parameters_[i].tensor.grad();
      if (!gradient.defined()) continue;
      tensors.push_back(parameters_[i].tensor);
      gradients.push_back(gradient);
      first.push_back(first_[i]);
      second.push_back(second_[i]);
      ++counts_[i];
      // The fused kernel reads counts as FP32 scalars on the device and changes none: parameters
      // that have had as many updates share one.
      at::Tensor& count = scalars[counts_[i]];
      if (!count.defined()) {
        count = at::full({}, static_cast<double>(counts_[i]),
                         parameters_[i].tensor.options().dtype(at::kFloat));
      }
      counts.push_back(count);
    }
    if (tensors.empty()) continue;
    at::_fused_adamw_(tensors, gradients, first, second, /*max_exp_avg_sqs=*/{}, counts,
                      group.peak_learning_rate * schedule, settings_.beta1, settings_.beta2,
                      group.weight_decay, settings_.epsilon, /*amsgrad=*/false, /*maximize=*/false,
                      scale);
  }
}

std::vector<NamedTensor> AdamW::Moments() const {
  std::vector<NamedTensor> result;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    result.push_back({absl::StrCat("adam.m.", parameters_[i].name), first_[i]});
  }
  for (size_t i = 0; i < parameters_.size(); ++i) {
    result.push_back({absl::StrCat("adam.v.", parameters_[i].name), second_[i]});
  }
  return result;
}

std::map<std::string, int64_t> AdamW::UpdateCounts() const {
  std::map<std::string, int64_t> result;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    result[parameters_[i].name] = counts_[i];
  }
  return result;
}

void AdamW::SetUpdateCounts(const std::map<std::string, int64_t>& counts) {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    auto it = counts.find(parameters_[i].name);
    if (it != counts.end()) counts_[i] = it->second;
  }
}

}  // namespace qatlas::train
