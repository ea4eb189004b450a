// The linear of LR-QAT.
#ifndef QATLAS_PLUGINS_QUANTIZERS_LR_QAT_LINEAR_H_
#define QATLAS_PLUGINS_QUANTIZERS_LR_QAT_LINEAR_H_

#include <qatlas/quantizer.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "ATen/ATen.h"
#include "lr_qat.h"

namespace qatlas::lr_qat {

// Elements of a block of rows: Ŵ is built, and its gradient used, a block at a time, so that what
// is FP32 fits the cache and the peak does not grow with the layer.
inline constexpr int64_t kBlockElements = 1 << 16;

// What decides Ŵ besides the trained tensors.
struct FrozenWeight {
  at::Tensor stored;  // Φ0, StoredShape(storage, out, in)
  Storage storage = Storage::kFixed;
  IntFormat format;
  int64_t in_features = 0;
  double factor = 1;  // alpha / rank

  int64_t out_features() const { return stored.size(0); }
};

// y = x Ŵᵀ + bias. Parameters: "adapter.a" A [out, r] (group adapter_a; zeros at the start),
// "adapter.b" B [r, in] (group adapter_b; uniform within ±1/√in, Kaiming's rule as LoRA uses it),
// "scale.value" s [out, groups] (group scale). Buffers: "frozen" Φ0 and "scale.initial" s0.
//
// With v = Φ0 + (α/r) A B, q = clip(round(v)) and the mask m = 1 where round(v) is a code,
//   dL/ds = sum over the group of dL/dŴ q        (s0 is inside Φ0, so no -v as in LSQ)
//   dL/dA = (α/r) (s m dL/dŴ) Bᵀ,  dL/dB = (α/r) Aᵀ (s m dL/dŴ).
// The forward pass keeps x, A, B and s (and refers to Φ0); the backward pass builds Ŵ again in x's
// dtype and dL/dŴ block by block.
class LrQatLinear final : public LinearOperator {
 public:
  // `scale` is s0, [out, groups] FP32.
  LrQatLinear(const Config& config, FrozenWeight weight, at::Tensor scale, at::Tensor b);

  at::Tensor Forward(const at::Tensor& x, const at::Tensor& bias) override;
  bool KeepsMasterWeight() const override { return false; }
  at::Tensor EffectiveWeight() override;
  // v, without a gradient.
  at::Tensor UnroundedWeight() override;
  // Merging: the integer weight that Ŵ is, layout "int-group". Error: values that are NaN.
  absl::StatusOr<Encoded> EncodeWeight() override;
  absl::StatusOr<at::Tensor> Decode(const Encoded& encoded) override { return DecodeInt(encoded); }
  double BitsPerWeight() const override;
  std::vector<NamedParameter> Parameters() override;
  std::vector<NamedTensor> Buffers() override;
  void AfterStep(const StepInfo& step) override;
  absl::Status AfterRestore() override;
  Claims Claimed() const override;

 private:
  Config config_;
  FrozenWeight weight_;
  at::Tensor initial_;  // s0
  at::Tensor scale_;    // s
  at::Tensor a_;
  at::Tensor b_;
};

}  // namespace qatlas::lr_qat

#endif  // QATLAS_PLUGINS_QUANTIZERS_LR_QAT_LINEAR_H_
