// LSQ: integer fake quantization with learned steps.
#ifndef QATLAS_PLUGINS_QUANTIZERS_LSQ_LSQ_H_
#define QATLAS_PLUGINS_QUANTIZERS_LSQ_LSQ_H_

#include <qatlas/component.h>
#include <qatlas/int_format.h>
#include <qatlas/kernels/fake_quant.h>
#include <qatlas/options.h>
#include <qatlas/quantizer.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "ATen/ATen.h"

namespace qatlas::lsq {

struct Config {
  IntFormat format;
  double step_lr = 1e-3;  // peak learning rate of the steps, in units of the initial step
  int64_t calibration_tokens = 2048;  // for inputs
};

// The trained step never falls below this share of its initial value, so that it cannot cross zero.
inline constexpr double kStepFloor = 1e-3;
// Initial steps are at least this (ParetoQ's floor), so that a weight of zeros can be learned out
// of.
inline constexpr double kUnitFloor = 1e-5;

// x̂ = s round(clip(x / s, -2^(b-1), 2^(b-1) - 1)) with s trained (Esser et al. 2020, arXiv
// 1902.08153).
class LsqQuantizer final : public Quantizer {
 public:
  static const ComponentInfo kInfo;
  static absl::StatusOr<std::unique_ptr<Quantizer>> Create(const Options& options);

  explicit LsqQuantizer(Config config) : config_(config) {}

  CalibrationNeeds Calibration(const char* operand) const override;
  absl::Status Check(const char* operand, int64_t in_features, int64_t out_features) const override;
  // Inputs need calibration->feature_mean_abs, unless the instance is restored or lies on the meta
  // device.
  absl::StatusOr<std::unique_ptr<OperandQuantizer>> AttachOperand(
      const char* operand, const AttachContext& context) const override;
  double NominalBits() const override { return config_.format.bits; }
  int64_t NominalGroup() const override;

  const Config& config() const { return config_; }

 private:
  Config config_;
};

// One operand of one linear. The step is s = unit * step: the buffer "step.unit" holds the initial
// values 2 mean|x| / sqrt(q_max), and the parameter "step.value" (group "step", no weight decay)
// starts at 1. AdamW moves a parameter by about the learning rate whatever its gradient, so this
// makes one rate fit steps of every size. Both have shape [1 or rows, groups]; of an input [1,
// groups], shared by all tokens.
//
// With v = x / s: dL/dx = dL/dx̂ where -2^(b-1) <= v <= 2^(b-1) - 1, else 0; dL/ds = g * sum dL/dx̂ *
// (round(v) - v there, else the clipped code), g = 1 / sqrt(elements that share s * q_max).
class LsqOperand final : public OperandQuantizer {
 public:
  LsqOperand(const Config& config, bool is_weight, at::Tensor unit);

  at::Tensor FakeQuantize(const at::Tensor& x) override;
  // Error: x holds NaN, which has no code.
  absl::StatusOr<Encoded> Encode(const at::Tensor& x) override;
  absl::StatusOr<at::Tensor> Decode(const Encoded& encoded) override { return DecodeInt(encoded); }
  double BitsPerElement(int64_t rows, int64_t features) const override;
  std::vector<NamedParameter> Parameters() override;
  std::vector<NamedTensor> Buffers() override;
  void AfterStep(const StepInfo& step) override;
  absl::Status AfterRestore() override;
  Claims Claimed() const override;

  // s, [1 or rows, groups], with its gradient.
  at::Tensor Step() const { return value_ * unit_; }

 private:
  kernels::FakeQuantParams Params(int64_t features) const;

  Config config_;
  bool is_weight_;
  at::Tensor unit_;
  at::Tensor value_;
};

}  // namespace qatlas::lsq

#endif  // QATLAS_PLUGINS_QUANTIZERS_LSQ_LSQ_H_
