// Quantizers in plain ATen that hold every check. Faulty ones override one part of them.
#ifndef QATLAS_TESTS_SDK_CONFORMANCE_TORCH_SOUND_QUANTIZERS_H_
#define QATLAS_TESTS_SDK_CONFORMANCE_TORCH_SOUND_QUANTIZERS_H_

#include <memory>
#include <vector>

#include "qatlas/component.h"
#include "qatlas/gradient.h"
#include "qatlas/int_format.h"
#include "qatlas/quantizer.h"
#include "tests/sdk/conformance/torch/defect.h"

namespace qatlas::conformance::testing {

// Integers of 4 bits with the scale max|x| / 7 of each row. Stateless; the gradient passes
// everywhere.
class RowMax : public OperandQuantizer {
 public:
  explicit RowMax(const AttachContext& = {}) {}

  at::Tensor FakeQuantize(const at::Tensor& x) override {
    at::Tensor value;
    {
      const at::NoGradGuard no_grad;
      value = *DecodeInt(EncodeRows(x));
    }
    return StraightThrough(x, value);
  }
  absl::StatusOr<Encoded> Encode(const at::Tensor& x) override {
    const at::NoGradGuard no_grad;
    return EncodeRows(x);
  }
  absl::StatusOr<at::Tensor> Decode(const Encoded& encoded) override { return DecodeInt(encoded); }
  double BitsPerElement(int64_t, int64_t features) const override {
    return 4 + 32.0 / static_cast<double>(features);
  }
  Claims Claimed() const override {
    Claims claims;
    claims.region = Region::kRow;
    claims.gradient = InputGradient::kEverywhere;
    claims.nearest = true;
    claims.max_error = 0.5 / 7;
    return claims;
  }

 protected:
  // [rows, features] FP32 → [rows, 1].
  virtual at::Tensor Scale(const at::Tensor& rows) const { return rows.abs().amax(1, true) / 7; }
  virtual at::Tensor Codes(const at::Tensor& v) const { return v.round().clamp(-8, 7); }

  Encoded EncodeRows(const at::Tensor& x) const {
    const at::Tensor rows = x.to(at::kFloat).reshape({-1, x.size(-1)});
    const at::Tensor scale = Scale(rows);
    // A scale of 0 gives zeros; one that is not finite makes its row NaN whatever the codes are.
    const at::Tensor usable = scale.gt(0).logical_and(scale.isfinite());
    const at::Tensor v = at::where(usable, rows / scale, at::zeros_like(rows));
    const IntFormat format{.bits = 4, .granularity = Granularity::kChannel};
    return MakeIntEncoded(format, Codes(v).to(at::kChar).view(x.sizes()), scale, x.scalar_type());
  }
};

// One trained step for the whole operand, as LSQ has it, by automatic differentiation.
class LearnedStep : public OperandQuantizer {
 public:
  explicit LearnedStep(const AttachContext& context)
      : step_(at::full({1, 1}, 0.3, context.weight.options().dtype(at::kFloat).requires_grad(false))
                  .requires_grad_()) {}

  at::Tensor FakeQuantize(const at::Tensor& x) override {
    const at::Tensor step = Step().view({1});
    const at::Tensor v = (x.to(at::kFloat) / step).clamp(-8, 7);
    // Adding 0 makes -0 an ordinary zero, which is all that a code can say.
    return (step * StraightThrough(v, v.detach().round()) + 0.0).to(x.scalar_type());
  }
  absl::StatusOr<Encoded> Encode(const at::Tensor& x) override {
    const at::NoGradGuard no_grad;
    if (x.isnan().any().item<bool>()) return absl::InvalidArgumentError("NaN has no code");
    const IntFormat format{.bits = 4, .granularity = Granularity::kTensor};
    const at::Tensor step = Step();
    const at::Tensor codes = (x.to(at::kFloat) / step.view({1})).clamp(-8, 7).round();
    return MakeIntEncoded(format, codes.to(at::kChar), step, x.scalar_type());
  }
  absl::StatusOr<at::Tensor> Decode(const Encoded& encoded) override { return DecodeInt(encoded); }
  double BitsPerElement(int64_t rows, int64_t features) const override {
    return 4 + 32.0 / static_cast<double>(rows * features);
  }
  std::vector<NamedParameter> Parameters() override {
    return {{"step", step_, "step", false, 1e-3}};
  }
  void AfterStep(const StepInfo&) override {
    const at::NoGradGuard no_grad;
    step_.clamp_min_(1e-3);
  }
  Claims Claimed() const override {
    Claims claims;
    claims.region = Region::kElement;
    claims.gradient = InputGradient::kValue;
    claims.nearest = true;
    return claims;
  }

 protected:
  virtual at::Tensor Step() const { return step_ * 1; }
  at::Tensor step_;
};

// A linear with a parametrization of its own: codes of a trained weight under fixed scales of each
// row, which clip what lies beyond.
class OwnedWeight : public LinearOperator {
 public:
  explicit OwnedWeight(const AttachContext& context) {
    const at::NoGradGuard no_grad;
    const at::TensorOptions fp32 = context.weight.options().dtype(at::kFloat).requires_grad(false);
    scale_ = context.weight.is_meta() || context.restoring
                 ? at::ones({context.out_features, 1}, fp32)
                 : context.weight.abs().amax(1, true).div(28).clamp_min(1e-8);
    weight_ = context.weight.detach().clone().requires_grad_();
  }
  at::Tensor Forward(const at::Tensor& x, const at::Tensor& bias) override {
    const at::Tensor given = bias.defined() ? bias.to(x.scalar_type()) : bias;
    return at::linear(x, EffectiveWeight().to(x.scalar_type()), given);
  }
  bool KeepsMasterWeight() const override { return false; }
  at::Tensor EffectiveWeight() override {
    const at::Tensor u = weight_ / scale_;
    // Half a step beyond the outermost codes still rounds to them.
    const at::Tensor passed = u.clamp(-8.5, 7.5);
    return scale_ * StraightThrough(passed, u.detach().round().clamp(-8, 7)) + 0.0;
  }
  at::Tensor UnroundedWeight() override { return weight_ / scale_; }
  absl::StatusOr<Encoded> EncodeWeight() override {
    const at::NoGradGuard no_grad;
    const at::Tensor codes = (weight_ / scale_).round().clamp(-8, 7);
    if (codes.isnan().any().item<bool>()) return absl::InvalidArgumentError("NaN has no code");
    const IntFormat format{.bits = 4, .granularity = Granularity::kChannel};
    return MakeIntEncoded(format, codes.to(at::kChar), scale_, at::kFloat);
  }
  absl::StatusOr<at::Tensor> Decode(const Encoded& encoded) override { return DecodeInt(encoded); }
  double BitsPerWeight() const override { return 4 + 32.0 / static_cast<double>(weight_.size(1)); }
  std::vector<NamedParameter> Parameters() override { return {{"weight", weight_, "owned"}}; }
  std::vector<NamedTensor> Buffers() override { return {{"scale", scale_}}; }
  Claims Claimed() const override {
    Claims claims;
    claims.region = Region::kRow;
    claims.gradient = InputGradient::kCode;
    claims.nearest = true;
    return claims;
  }

 protected:
  at::Tensor scale_;   // [out, 1]
  at::Tensor weight_;  // [out, in]
};

template <typename T>
class QuantizerOf : public Quantizer {
 public:
  absl::Status Check(const char*, int64_t, int64_t) const override { return absl::OkStatus(); }
  absl::StatusOr<std::unique_ptr<OperandQuantizer>> AttachOperand(
      const char* operand, const AttachContext& context) const override {
    if constexpr (std::is_base_of_v<OperandQuantizer, T>) return std::make_unique<T>(context);
    return Quantizer::AttachOperand(operand, context);
  }
  absl::StatusOr<std::unique_ptr<LinearOperator>> AttachLinear(const AttachContext& context,
                                                               bool owns_input) const override {
    if constexpr (std::is_base_of_v<LinearOperator, T>) return std::make_unique<T>(context);
    return Quantizer::AttachLinear(context, owns_input);
  }
  double NominalBits() const override { return 4; }
  int64_t NominalGroup() const override { return 0; }
};

inline constexpr const char* kStateless[] = {"weight", "input", nullptr};
inline constexpr const char* kStateful[] = {"weight", "input", "stateful", nullptr};
inline constexpr const char* kOwner[] = {"weight", "linear", "stateful", nullptr};

// Q: a quantizer without options.
template <typename Q>
Defect MakeDefect(const char* name, const char* const* abilities, std::set<std::string> checks) {
  Factory<Quantizer> factory = [](const Options&) -> absl::StatusOr<std::unique_ptr<Quantizer>> {
    return std::make_unique<Q>();
  };
  return {{QATLAS_KIND_QUANTIZER, 1, name, "", "", abilities, nullptr, 0,
           reinterpret_cast<void (*)()>(factory)},
          std::move(checks)};
}

}  // namespace qatlas::conformance::testing

#endif  // QATLAS_TESTS_SDK_CONFORMANCE_TORCH_SOUND_QUANTIZERS_H_
