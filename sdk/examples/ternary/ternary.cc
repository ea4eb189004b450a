// Ternary weights as in BitNet b1.58 (Ma et al. 2024, arXiv 2402.17764): s = mean |W|, codes -1,
// 0, 1.
#include <memory>
#include <string_view>

#include "ATen/ATen.h"
#include "absl/status/statusor.h"
#include "qatlas/component.h"
#include "qatlas/gradient.h"
#include "qatlas/int_format.h"
#include "qatlas/quantizer.h"

namespace {

constexpr qatlas::IntFormat kFormat = {.bits = 2, .granularity = qatlas::Granularity::kTensor};

class TernaryWeight final : public qatlas::OperandQuantizer {
 public:
  at::Tensor FakeQuantize(const at::Tensor& w) override {
    return qatlas::StraightThrough(w, *Decode(*Encode(w)));
  }
  absl::StatusOr<qatlas::Encoded> Encode(const at::Tensor& w) override {
    const at::NoGradGuard no_grad;
    const at::Tensor wide = w.to(at::kFloat);
    // The paper adds a small epsilon to s; a tensor of zeros gives zeros without one. The mean of
    // no elements is NaN, and so is that of a tensor with a NaN or Inf, which stays visible.
    // Row by row and in double: large values do not overflow the sum, and s is the same with any
    // number of threads.
    const at::Tensor s =
        wide.abs().mean(-1, /*keepdim=*/false, at::kDouble).mean().to(at::kFloat).view({1, 1});
    const at::Tensor codes = (wide / s).nan_to_num(0, 1, -1).round().clamp(-1, 1).to(at::kChar);
    return qatlas::MakeIntEncoded(kFormat, codes, s, w.scalar_type());
  }
  absl::StatusOr<at::Tensor> Decode(const qatlas::Encoded& encoded) override {
    return qatlas::DecodeInt(encoded);
  }
  double BitsPerElement(int64_t rows, int64_t features) const override {
    return 2 + 32.0 / static_cast<double>(rows * features);
  }
  qatlas::Claims Claimed() const override {
    qatlas::Claims claims;
    claims.region = qatlas::Region::kTensor;
    claims.gradient = qatlas::InputGradient::kEverywhere;
    claims.q_min = -1;
    claims.q_max = 1;
    claims.nearest = true;
    return claims;
  }
};

class Ternary final : public qatlas::Quantizer {
 public:
  static constexpr const char* kAbilities[] = {"weight", "bits:1.585", "granularity:tensor",
                                               nullptr};
  static constexpr qatlas::ComponentInfo kInfo = {
      "ternary", "Weights -1, 0, 1 times the tensor's mean magnitude",
      "Ma et al. 2024, arXiv 2402.17764, equations 1-3", /*numerics_version=*/1, kAbilities};

  static absl::StatusOr<std::unique_ptr<qatlas::Quantizer>> Create(const qatlas::Options&) {
    return std::make_unique<Ternary>();
  }
  absl::Status Check(const char* operand, int64_t, int64_t) const override {
    if (std::string_view(operand) == qatlas::kWeight) return absl::OkStatus();
    return absl::InvalidArgumentError("ternary quantizes weights only; give inputs to 'int'");
  }
  absl::StatusOr<std::unique_ptr<qatlas::OperandQuantizer>> AttachOperand(
      const char* operand, const qatlas::AttachContext& context) const override {
    if (auto status = Check(operand, context.in_features, context.out_features); !status.ok()) {
      return status;
    }
    return std::make_unique<TernaryWeight>();
  }
  double NominalBits() const override { return 1.585; }  // log2(3)
  int64_t NominalGroup() const override { return 0; }
};

}  // namespace

QATLAS_PLUGIN("ternary", "1.0.0", qatlas::Component<Ternary>())
