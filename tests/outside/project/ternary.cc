// Ternary weights as in BitNet b1.58 (Ma et al. 2024, arXiv 2402.17764): s = mean |W|, codes -1, 0, 1.
#include <memory>

#include "ATen/ATen.h"
#include "absl/status/statusor.h"
#include "qatlas/component.h"
#include "qatlas/gradient.h"
#include "qatlas/int_format.h"
#include "qatlas/quantizer.h"

namespace {

using qatlas::Encoded;

class TernaryWeight final : public qatlas::OperandQuantizer {
 public:
  at::Tensor FakeQuantize(const at::Tensor& w) override {
    return qatlas::StraightThrough(w, *Decode(*Encode(w)));
  }
  absl::StatusOr<Encoded> Encode(const at::Tensor& w) override {
    const at::Tensor wide = w.detach().to(at::kFloat);
    const at::Tensor s = wide.abs().mean().clamp_min(1e-5);
    const qatlas::IntFormat format{.bits = 2, .granularity = qatlas::Granularity::kTensor};
    return qatlas::MakeIntEncoded(format, (wide / s).round().clamp(-1, 1).to(at::kChar), s.view({1, 1}),
                                  w.scalar_type());
  }
  absl::StatusOr<at::Tensor> Decode(const Encoded& encoded) override {
    return qatlas::DecodeInt(encoded);
  }
  double BitsPerElement(int64_t rows, int64_t features) const override {
    return 2 + 32.0 / static_cast<double>(rows * features);
  }
};

class Ternary final : public qatlas::Quantizer {
 public:
  static constexpr const char* kAbilities[] = {"weight", "bits:1.585", "granularity:tensor", nullptr};
  static constexpr qatlas::ComponentInfo kInfo = {
      "ternary", "Weights -1, 0, 1 times the tensor's mean magnitude", "Ma et al. 2024, arXiv 2402.17764", 1,
      kAbilities, nullptr, 0};

  static absl::StatusOr<std::unique_ptr<qatlas::Quantizer>> Create(const qatlas::Options&) {
    return std::make_unique<Ternary>();
  }
  absl::Status Check(const char* operand, int64_t, int64_t) const override {
    if (std::string_view(operand) == "weight") return absl::OkStatus();
    return absl::InvalidArgumentError("ternary quantizes weights only");
  }
  absl::StatusOr<std::unique_ptr<qatlas::OperandQuantizer>> AttachOperand(
      const char*, const qatlas::AttachContext&) const override {
    return std::make_unique<TernaryWeight>();
  }
  double NominalBits() const override { return 1.585; }
  int64_t NominalGroup() const override { return 0; }
};

}  // namespace

QATLAS_PLUGIN("ternary", "1.0.0", qatlas::Component<Ternary>())
