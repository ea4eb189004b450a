// AdamW (Loshchilov and Hutter, arXiv 1711.05101) over groups of parameters, by ATen's fused
// kernel.
#ifndef QATLAS_FRAMEWORK_TRAIN_OPTIMIZER_H_
#define QATLAS_FRAMEWORK_TRAIN_OPTIMIZER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "framework/recipe/segment.h"
#include "qatlas/tensors.h"

namespace qatlas::train {

// A parameter with everything decided: what its owner asked for, overridden by the recipe's group.
struct TrainedParameter {
  std::string name;   // with its prefix, as in a checkpoint: "model.embedding.weight"
  at::Tensor tensor;  // FP32 leaf
  double peak_learning_rate = 0;
  double weight_decay = 0;
};

// Applies the run's own learning rate, the owner's, and the recipe's groups, in rising precedence.
TrainedParameter Decide(const std::string& prefix, const NamedParameter& parameter,
                        const recipe::Trajectory& trajectory);

class AdamW {
 public:
  AdamW(std::vector<TrainedParameter> parameters, const recipe::OptimizerSettings& settings);

  // Drops the gradients, so that the backward pass hands over its own tensors instead of adding to
  // zeros.
  void ClearGradients();
  // Global 2-norm of all gradients, FP32 scalar on the parameters' device.
  at::Tensor GradientNorm() const;
  // One update with every group's peak learning rate times `schedule`. Gradients are scaled down to
  // the global norm `clip` of the settings where `norm` (of GradientNorm) is above. Parameters
  // without a gradient keep their value and moments.
  void Step(double schedule, const at::Tensor& norm);

  const std::vector<TrainedParameter>& parameters() const { return parameters_; }
  // "adam.m.<name>" and "adam.v.<name>" for all parameters.
  std::vector<NamedTensor> Moments() const;
  // Updates that a parameter has had since its moments were zero, for the bias correction.
  std::map<std::string, int64_t> UpdateCounts() const;
  void SetUpdateCounts(const std::map<std::string, int64_t>& counts);

 private:
  struct Group {
    double peak_learning_rate;
    double weight_decay;
    std::vector<size_t> members;
  };

  recipe::OptimizerSettings settings_;
  std::vector<TrainedParameter> parameters_;
  std::vector<at::Tensor> first_;
  std::vector<at::Tensor> second_;
  std::vector<int64_t> counts_;  // updates of each parameter
  std::vector<Group> groups_;
};

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_OPTIMIZER_H_
