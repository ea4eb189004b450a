// QuantizableLinear: the linear layer that model builders use and the host attaches quantizers to.
#ifndef QATLAS_LINEAR_H_
#define QATLAS_LINEAR_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "ATen/ATen.h"
#include "ATen/core/grad_mode.h"
#include "qatlas/check.h"
#include "qatlas/quantizer.h"
#include "qatlas/site.h"

namespace qatlas {

// y = Qx(x) Qw(W)ᵀ + b, where Qx and Qw are whatever is attached; with nothing attached a plain
// linear.
class QuantizableLinear {
 public:
  // weight: [out, in] FP32 leaf; bias: [out] or undefined.
  QuantizableLinear(int block, std::string role, at::Tensor weight, at::Tensor bias = at::Tensor(),
                    int expert = -1)
      : block_(block),
        role_(std::move(role)),
        expert_(expert),
        weight_(std::move(weight)),
        bias_(std::move(bias)),
        in_features_(weight_.size(1)),
        out_features_(weight_.size(0)) {}

  // The same with a weight that MakeWeight() makes: [out, in] FP32 leaf. Until then there is none.
  using WeightMaker = std::function<at::Tensor()>;
  QuantizableLinear(int block, std::string role, int64_t out_features, int64_t in_features,
                    WeightMaker make, at::Tensor bias = at::Tensor(), int expert = -1)
      : block_(block),
        role_(std::move(role)),
        expert_(expert),
        bias_(std::move(bias)),
        in_features_(in_features),
        out_features_(out_features),
        make_(std::move(make)) {}

  // Makes the weight that was put off; nothing where there is one, or none to be made.
  void MakeWeight() {
    if (!weight_.defined() && make_) weight_ = make_();
    make_ = nullptr;
  }

  // x: [..., in] FP32 or BF16 → [..., out] of the same dtype. The master weight is fake-quantized
  // in FP32 and then cast to the dtype of x.
  at::Tensor Forward(const at::Tensor& x) {
    if (input_observer_) input_observer_(*this, x);
    at::Tensor quantized = input_ ? input_->FakeQuantize(x) : x;
    if (operator_) return operator_->Forward(quantized, bias_);
    at::Tensor weight = QuantizedWeight();
    if (weight.scalar_type() != quantized.scalar_type())
      weight = weight.to(quantized.scalar_type());
    at::Tensor bias = bias_;
    if (bias.defined() && bias.scalar_type() != quantized.scalar_type()) {
      bias = bias.to(quantized.scalar_type());
    }
    return at::linear(quantized, weight, bias);
  }

  // The weight as the forward pass uses it, [out, in] FP32. Without gradients (evaluation) it is
  // computed once and kept until the weight changes or KeepQuantizedWeight(false) is called.
  at::Tensor QuantizedWeight() {
    if (operator_) return operator_->EffectiveWeight();
    if (!weight_quantizer_) return weight_;
    if (!keep_quantized_weight_ || at::GradMode::is_enabled()) {
      return weight_quantizer_->FakeQuantize(weight_);
    }
    if (!kept_weight_.defined()) kept_weight_ = weight_quantizer_->FakeQuantize(weight_);
    return kept_weight_;
  }

  // Brackets an evaluation, in which neither weights nor quantizers change.
  void KeepQuantizedWeight(bool keep) {
    keep_quantized_weight_ = keep;
    kept_weight_ = at::Tensor();
  }

  // Attaching replaces what was there. An operator that does not keep the master weight frees it.
  void SetInputQuantizer(std::shared_ptr<OperandQuantizer> quantizer) {
    input_ = std::move(quantizer);
  }
  void SetWeightQuantizer(std::shared_ptr<OperandQuantizer> quantizer) {
    weight_quantizer_ = std::move(quantizer);
    kept_weight_ = at::Tensor();
  }
  void SetOperator(std::shared_ptr<LinearOperator> op) {
    operator_ = std::move(op);
    if (operator_ && !operator_->KeepsMasterWeight()) weight_ = at::Tensor();
  }
  // Restores an ordinary linear with this weight (merging).
  void SetWeight(at::Tensor weight) {
    QATLAS_CHECK(weight.size(0) == out_features_ && weight.size(1) == in_features_,
                 "a weight of another shape");
    weight_ = std::move(weight);
    make_ = nullptr;
    operator_.reset();
    weight_quantizer_.reset();
    kept_weight_ = at::Tensor();
  }

  // Sees the inputs before they are quantized (calibration, site statistics). Empty: none.
  using InputObserver = std::function<void(const QuantizableLinear&, const at::Tensor&)>;
  void SetInputObserver(InputObserver observer) { input_observer_ = std::move(observer); }

  Site WeightSite() const { return {block_, role_, kWeight, expert_}; }  // of the weight
  Site InputSite() const { return {block_, role_, kInput, expert_}; }    // of the input
  // "3.fc2" or "3.fc2.e5": prefix of the names in a checkpoint.
  std::string Name() const {
    std::string name = InputSite().Name();
    return name.substr(0, name.size() - sizeof(kInput));
  }

  int block() const { return block_; }                    // index
  const std::string& role() const { return role_; }       // "qkv", ...
  int expert() const { return expert_; }                  // -1: none
  int64_t in_features() const { return in_features_; }    // columns of the weight
  int64_t out_features() const { return out_features_; }  // rows of the weight
  // Undefined when an operator freed it, and before MakeWeight() where it was put off.
  const at::Tensor& weight() const { return weight_; }
  const at::Tensor& bias() const { return bias_; }        // [out], or undefined
  OperandQuantizer* input_quantizer() const { return input_.get(); }              // null: none
  OperandQuantizer* weight_quantizer() const { return weight_quantizer_.get(); }  // null: none
  LinearOperator* linear_operator() const { return operator_.get(); }             // null: none

 private:
  int block_;
  std::string role_;
  int expert_;
  at::Tensor weight_;
  at::Tensor bias_;
  int64_t in_features_;
  int64_t out_features_;
  WeightMaker make_;
  std::shared_ptr<OperandQuantizer> input_;
  std::shared_ptr<OperandQuantizer> weight_quantizer_;
  std::shared_ptr<LinearOperator> operator_;
  InputObserver input_observer_;
  bool keep_quantized_weight_ = false;
  at::Tensor kept_weight_;
};

}  // namespace qatlas

#endif  // QATLAS_LINEAR_H_
