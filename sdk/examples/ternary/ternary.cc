// ternary: the weights of BitNet b1.58 (Ma et al. 2024, arXiv 2402.17764, section 2).
//
// With the scale s = mean|W| + epsilon over the whole tensor a weight becomes
//     s · RoundClip(W / s, -1, 1),  RoundClip(x, a, b) = max(a, min(b, round(x))),
// so that a code is -1, 0 or 1: log2(3) = 1.58 bits. The gradient passes straight through. Inputs
// are left to another quantizer (the paper: AbsMax, 8 bits, one scale a token).
//
// The paper divides by mean|W| + epsilon and does not say what a code is multiplied by again. Here
// it is the same number, so that every weight goes to the nearest of -s, 0 and s.
#include <cmath>
#include <cstring>
#include <iterator>
#include <memory>

#include "ATen/ATen.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "qatlas/component.h"
#include "qatlas/gradient.h"
#include "qatlas/int_format.h"
#include "qatlas/quantizer.h"
#include "qatlas/reduce.h"

namespace {

// What is attached to the weight of one linear. Nothing of it is trained or kept: the scale follows
// from the weight in each forward pass.
class TernaryWeight final : public qatlas::OperandQuantizer {
 public:
  explicit TernaryWeight(double epsilon) : epsilon_(epsilon) {}

  // Decoding what was encoded is the forward pass, so that what is trained is what is deployed.
  at::Tensor FakeQuantize(const at::Tensor& w) override {
    return qatlas::StraightThrough(w, *Decode(*Encode(w)));
  }

  absl::StatusOr<qatlas::Encoded> Encode(const at::Tensor& w) override {
    const at::NoGradGuard no_grad;
    const at::Tensor wide = w.to(at::kFloat);
    // The scale is rounded to FP32 before anything is divided by it: it is stored as it was used.
    // A mean of finite weights is at most the largest of them, and so finite in FP32 again; adding
    // epsilon <= 1 cannot change that.
    // OrderedMean is in FP64, so that no sum overflows, and the same with any number of threads.
    const at::Tensor scale = (qatlas::OrderedMean(wide.abs()) + epsilon_).to(at::kFloat);
    // A NaN or an infinity among the weights makes the scale that, and with it every value NaN: a
    // run that has broken is seen at once. Codes are integers, which know no NaN: they become 0,
    // as they do where a scale of 0 (weights of 0 and epsilon = 0) divides.
    const at::Tensor codes = (wide / scale).nan_to_num(0, 0, 0).round().clamp(-1, 1);
    return qatlas::MakeIntEncoded(kFormat, codes.to(at::kChar), scale, w.scalar_type());
  }

  absl::StatusOr<at::Tensor> Decode(const qatlas::Encoded& encoded) override {
    return qatlas::DecodeInt(encoded);
  }

  // What is stored, not what is celebrated: a code takes two bits in this layout, of which it could
  // do with 1.58, and the tensor has one FP32 scale.
  double BitsPerElement(int64_t rows, int64_t features) const override {
    return kFormat.bits + 32.0 / (static_cast<double>(rows) * static_cast<double>(features));
  }

  // What the conformance checks hold us to. "idempotent" is no ability of this quantizer: the mean
  // of what was quantized is another scale.
  qatlas::Claims Claimed() const override {
    qatlas::Claims claims;
    claims.region = qatlas::Region::kTensor;
    claims.gradient = qatlas::InputGradient::kEverywhere;
    claims.q_min = -1;  // of two bits' four codes -2 is never used
    claims.q_max = 1;
    claims.nearest = true;
    return claims;
  }

 private:
  // The stored layout: two bits a code, one scale for the tensor.
  static constexpr qatlas::IntFormat kFormat{.bits = 2,
                                             .granularity = qatlas::Granularity::kTensor};
  double epsilon_;
};

// The configured component: one for each rule of a scheme.
class Ternary final : public qatlas::Quantizer {
 public:
  static constexpr qatlas_option kOptions[] = {
      qatlas::FloatOption("epsilon", "1e-5", 0, 1,
                          "Added to mean|W|, which keeps the scale of a dead weight above 0."),
  };
  // Neither bits nor granularity is an option here, so labels tell them to observations.
  static constexpr const char* kAbilities[] = {"weight", "bits:1.585", "granularity:tensor",
                                               nullptr};
  static constexpr qatlas::ComponentInfo kInfo = {
      "ternary",
      "Weights of -s, 0 and s with s = mean|W| over the tensor (BitNet b1.58)",
      "Ma et al. 2024, arXiv 2402.17764, section 2",
      /*numerics_version=*/1,
      kAbilities,
      kOptions,
      std::size(kOptions)};

  static absl::StatusOr<std::unique_ptr<qatlas::Quantizer>> Create(const qatlas::Options& options) {
    return std::make_unique<Ternary>(options.Float("epsilon"));
  }
  explicit Ternary(double epsilon) : epsilon_(epsilon) {}

  // Every shape will do, but not every operand: the mean over a batch of inputs would let tokens
  // see those that follow them.
  absl::Status Check(const char* operand, int64_t /*in_features*/,
                     int64_t /*out_features*/) const override {
    if (std::strcmp(operand, qatlas::kWeight) == 0) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("ternary quantizes weights and no ", operand,
                     "; give that to `int` with bits = 8 and granularity = \"channel\""));
  }
  absl::StatusOr<std::unique_ptr<qatlas::OperandQuantizer>> AttachOperand(
      const char* operand, const qatlas::AttachContext& context) const override {
    if (absl::Status fits = Check(operand, context.in_features, context.out_features); !fits.ok()) {
      return fits;
    }
    return std::make_unique<TernaryWeight>(epsilon_);
  }
  double NominalBits() const override { return std::log2(3.0); }  // three levels
  int64_t NominalGroup() const override { return 0; }             // no groups in a row

 private:
  double epsilon_;
};

}  // namespace

QATLAS_PLUGIN("ternary", "1.0.0", qatlas::Component<Ternary>())
