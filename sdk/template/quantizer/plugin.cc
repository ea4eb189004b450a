// @plugin@: symmetric integers with one scale for each row (an output channel of a weight, a token of an
// input), in plain ATen.
#include <iterator>
#include <memory>

#include "ATen/ATen.h"
#include "absl/status/statusor.h"
#include "qatlas/component.h"
#include "qatlas/gradient.h"
#include "qatlas/int_format.h"
#include "qatlas/quantizer.h"

namespace {

// What is attached to one operand of one linear. It has no state; one that is trained or kept comes
// out of Parameters() and Buffers().
class @type@Operand final : public qatlas::OperandQuantizer {
 public:
  explicit @type@Operand(qatlas::IntFormat format) : format_(format) {}

  // Decoding what was encoded is the forward pass, so that trained equals deployed by construction;
  // the gradient passes unchanged.
  at::Tensor FakeQuantize(const at::Tensor& x) override {
    return qatlas::StraightThrough(x, *Decode(*Encode(x)));
  }

  absl::StatusOr<qatlas::Encoded> Encode(const at::Tensor& x) override {
    const at::NoGradGuard no_grad;
    const at::Tensor rows = x.to(at::kFloat).reshape({-1, x.size(-1)});
    const at::Tensor scales = rows.abs().amax(1, /*keepdim=*/true) / format_.q_max();
    // A row of zeros has the scale 0 and the codes 0. A NaN or Inf makes the row's scale that, and
    // so stays visible.
    const at::Tensor codes = (rows / scales)
                                 .nan_to_num(0, 0, 0)
                                 .round()
                                 .clamp(-format_.q_max(), format_.q_max())
                                 .to(at::kChar)
                                 .view(x.sizes());
    return qatlas::MakeIntEncoded(format_, codes, scales, x.scalar_type());
  }

  absl::StatusOr<at::Tensor> Decode(const qatlas::Encoded& encoded) override {
    return qatlas::DecodeInt(encoded);
  }

  double BitsPerElement(int64_t /*rows*/, int64_t features) const override {
    return format_.bits + 32.0 / static_cast<double>(features);
  }

  // What the conformance checks hold us to.
  qatlas::Claims Claimed() const override {
    qatlas::Claims claims;
    claims.region = qatlas::Region::kRow;
    claims.gradient = qatlas::InputGradient::kEverywhere;
    claims.q_min = -format_.q_max();
    claims.q_max = format_.q_max();
    claims.nearest = true;
    return claims;
  }

 private:
  qatlas::IntFormat format_;
};

// The configured component: one for each rule of a scheme.
class @type@ final : public qatlas::Quantizer {
 public:
  static constexpr qatlas_option kOptions[] = {
      qatlas::IntOption("bits", "4", 2, 8, "Bits of a code."),
  };
  static constexpr const char* kAbilities[] = {"weight", "input", "granularity:channel", nullptr};
  static constexpr qatlas::ComponentInfo kInfo = {
      "@plugin@", "Symmetric integers, one AbsMax scale for each row", /*citation=*/"",
      /*numerics_version=*/1, kAbilities, kOptions, std::size(kOptions)};

  static absl::StatusOr<std::unique_ptr<qatlas::Quantizer>> Create(const qatlas::Options& options) {
    return std::make_unique<@type@>(static_cast<int>(options.Int("bits")));
  }
  explicit @type@(int bits)
      : format_{.bits = bits, .granularity = qatlas::Granularity::kChannel} {}

  // Every shape will do. Else: "group = 48 does not divide the 128 input features".
  absl::Status Check(const char* /*operand*/, int64_t /*in_features*/,
                     int64_t /*out_features*/) const override {
    return absl::OkStatus();
  }
  absl::StatusOr<std::unique_ptr<qatlas::OperandQuantizer>> AttachOperand(
      const char* /*operand*/, const qatlas::AttachContext& /*context*/) const override {
    return std::make_unique<@type@Operand>(format_);
  }
  double NominalBits() const override { return format_.bits; }
  int64_t NominalGroup() const override { return 0; }  // the whole row

 private:
  qatlas::IntFormat format_;
};

}  // namespace

QATLAS_PLUGIN("@plugin@", "1.0.0", qatlas::Component<@type@>())
