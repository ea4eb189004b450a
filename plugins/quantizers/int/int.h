// Symmetric integer fake quantization with AbsMax scales, plain or with learned clipping (LWC,
// LAC).
#ifndef QATLAS_PLUGINS_QUANTIZERS_INT_INT_H_
#define QATLAS_PLUGINS_QUANTIZERS_INT_INT_H_

#include <qatlas/component.h>
#include <qatlas/int_format.h>
#include <qatlas/kernels/fake_quant.h>
#include <qatlas/options.h>
#include <qatlas/quantizer.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "ATen/ATen.h"

namespace qatlas::int_quantizer {

struct Config {
  IntFormat format;
  float divisor = 8;      // s = gamma * (max|x| / divisor)
  bool learned = false;   // whether gamma is trained; else it is 1
  double clip_lr = 1e-3;  // peak learning rate of gamma
};

// gamma never falls below this, so that no scale crosses zero.
inline constexpr double kClipFloor = 0.01;

// q = clamp(round(x / s), -2^(b-1), 2^(b-1) - 1), x̂ = s q (Chen et al. 2025).
class IntQuantizer final : public Quantizer {
 public:
  static const ComponentInfo kInfo;
  static absl::StatusOr<std::unique_ptr<Quantizer>> Create(const Options& options);

  explicit IntQuantizer(Config config) : config_(config) {}

  absl::Status Check(const char* operand, int64_t in_features, int64_t out_features) const override;
  absl::StatusOr<std::unique_ptr<OperandQuantizer>> AttachOperand(
      const char* operand, const AttachContext& context) const override;
  double NominalBits() const override { return config_.format.bits; }
  int64_t NominalGroup() const override;

  const Config& config() const { return config_; }

 private:
  Config config_;
};

// One operand of one linear. Without learned clipping it has no state, and the gradient passes
// everywhere.
//
// With it, gamma ("clip.gamma", group "clip", no weight decay) has one entry per scale of a weight
// (LWC), or one per group index of an input, shared by all its tokens (LAC). max|x| is detached.
// With v = x / s,
//   dL/dx     = dL/dx̂ where round(v) is a code, else 0
//   dL/dgamma = g * sum dL/dx̂ * (round(v) - v, or the clipped code) * max|x| / divisor,
// where g = 1 / sqrt(elements that share gamma * q_max) as in LSQ (arXiv 1902.08153, section 2.2).
class IntOperand final : public OperandQuantizer {
 public:
  // gamma: FP32 leaf of ones, or undefined.
  IntOperand(const Config& config, bool is_weight, at::Tensor gamma);

  at::Tensor FakeQuantize(const at::Tensor& x) override;
  absl::StatusOr<Encoded> Encode(const at::Tensor& x) override;
  absl::StatusOr<at::Tensor> Decode(const Encoded& encoded) override { return DecodeInt(encoded); }
  double BitsPerElement(int64_t rows, int64_t features) const override;
  std::vector<NamedParameter> Parameters() override;
  void AfterStep(const StepInfo& step) override;
  Claims Claimed() const override;

 private:
  // One gamma for each group of a weight, or for each group index of an input.
  kernels::ScaleIndex GammaIndex() const;

  Config config_;
  bool is_weight_;
  at::Tensor gamma_;
};

}  // namespace qatlas::int_quantizer

#endif  // QATLAS_PLUGINS_QUANTIZERS_INT_INT_H_
