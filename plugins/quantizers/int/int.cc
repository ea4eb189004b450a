#include "int.h"

#include <qatlas/gradient.h>
#include <qatlas/int_options.h>
#include <qatlas/kernels/torch/fake_quantize.h>

#include <cmath>
#include <cstring>
#include <iterator>
#include <string>
#include <utility>

namespace qatlas::int_quantizer {
namespace {

constexpr const char* kDivisors[] = {"chen", "symmetric", "half", nullptr};
constexpr const char* kClips[] = {"absmax", "learned", nullptr};
constexpr const char* kAbilities[] = {"weight", "input", "stateful", nullptr};

constexpr qatlas_option kOptions[] = {
    IntOption("bits", "4", 2, 8, "Bits of a code."),
    ChoiceOption(
        "granularity", "group", kGranularityChoices,
        "What shares a scale: the tensor; a row (output channel or token); a group in a row."),
    IntOption("group", "64", 1, 1 << 24, "Neighbouring input features that share a scale."),
    BoolOption("short_last_group", "false", "Allows a group that does not divide the features."),
    ChoiceOption(
        "divisor", "chen", kDivisors,
        "What max|x| is divided by: chen 2^(b-1), symmetric 2^(b-1) - 1, half 2^(b-1) - 0.5."),
    ChoiceOption(
        "clip", "absmax", kClips,
        "absmax: the scale is max|x| / divisor; learned: times a trained gamma (LWC, LAC)."),
    FloatOption("clip_lr", "1e-3", 0, 1, "Peak learning rate of gamma, which starts at 1."),
};

float DivisorOf(const std::string& choice, int bits) {
  const float half_range = static_cast<float>(1 << (bits - 1));
  if (choice == "chen") return half_range;
  if (choice == "symmetric") return half_range - 1;
  QATLAS_CHECK(choice == "half", "a divisor that is not among the declared choices");
  return half_range - 0.5f;
}

// index: which gammas there are; it matters only with learned clipping.
kernels::FakeQuantParams Params(const Config& config, int64_t features, kernels::ScaleIndex index) {
  kernels::FakeQuantParams params;
  params.group = config.format.GroupSize(features);
  params.short_last_group = config.format.short_last_group;
  params.q_min = config.format.q_min();
  params.q_max = config.format.q_max();
  params.divisor = config.divisor;
  params.index = index;
  params.range = kernels::RangeTest::kCode;
  return params;
}

}  // namespace

const ComponentInfo IntQuantizer::kInfo = {
    "int",
    "Symmetric integers, AbsMax scales or learned clipping (LWC, LAC)",
    "Chen et al. 2025, Scaling Law for Quantization-Aware Training",
    1,
    kAbilities,
    kOptions,
    std::size(kOptions)};

absl::StatusOr<std::unique_ptr<Quantizer>> IntQuantizer::Create(const Options& options) {
  Config config;
  config.format = ReadIntFormat(options);
  config.divisor = DivisorOf(options.String("divisor"), config.format.bits);
  config.learned = options.String("clip") == "learned";
  config.clip_lr = options.Float("clip_lr");
  return std::make_unique<IntQuantizer>(config);
}

absl::Status IntQuantizer::Check(const char* /*operand*/, int64_t in_features,
                                 int64_t /*out_features*/) const {
  return config_.format.Check(in_features);
}

int64_t IntQuantizer::NominalGroup() const { return NominalGroupOf(config_.format); }

absl::StatusOr<std::unique_ptr<OperandQuantizer>> IntQuantizer::AttachOperand(
    const char* operand, const AttachContext& context) const {
  QATLAS_RETURN_IF_ERROR(Check(operand, context.in_features, context.out_features));
  const bool is_weight = std::strcmp(operand, kWeight) == 0;
  at::Tensor gamma;
  if (config_.learned) {
    // Tokens come and go, so an input has one row of gammas for all of them.
    const int64_t rows = is_weight ? context.out_features : 1;
    gamma = at::ones(config_.format.ScaleShape(rows, context.in_features),
                     context.weight.options().dtype(at::kFloat).requires_grad(false))
                .requires_grad_();
  }
  return std::make_unique<IntOperand>(config_, is_weight, std::move(gamma));
}

IntOperand::IntOperand(const Config& config, bool is_weight, at::Tensor gamma)
    : config_(config), is_weight_(is_weight), gamma_(std::move(gamma)) {}

at::Tensor IntOperand::FakeQuantize(const at::Tensor& x) {
  using kernels::ScaleIndex;
  const int64_t features = x.size(-1);
  const bool whole = config_.format.granularity == Granularity::kTensor;
  if (!gamma_.defined()) {
    if (!whole)
      return kernels::FakeQuantizeAbsMax(x, Params(config_, features, ScaleIndex::kRowGroup));
    return kernels::FakeQuantizeGiven(x, kernels::AbsMaxUnit(x, config_.divisor),
                                      Params(config_, features, ScaleIndex::kTensor));
  }
  const double sharing = static_cast<double>(x.numel()) / static_cast<double>(gamma_.numel());
  const double g = 1 / std::sqrt(std::max(sharing, 1.0) * config_.format.q_max());
  if (whole) {
    const at::Tensor step = gamma_ * kernels::AbsMaxUnit(x, config_.divisor);
    return kernels::FakeQuantizeStep(x, step, g, Params(config_, features, ScaleIndex::kTensor));
  }
  return kernels::FakeQuantizeAbsMaxGamma(x, ScaleGradient(gamma_, g),
                                          Params(config_, features, GammaIndex()));
}

absl::StatusOr<Encoded> IntOperand::Encode(const at::Tensor& x) {
  const at::NoGradGuard no_grad;
  const int64_t features = x.size(-1);
  if (config_.format.granularity != Granularity::kTensor) {
    kernels::Encoded encoded =
        kernels::EncodeAbsMax(x, gamma_, Params(config_, features, GammaIndex()));
    return MakeIntEncoded(config_.format, encoded.codes, encoded.scales, x.scalar_type());
  }
  at::Tensor scale = kernels::AbsMaxUnit(x, config_.divisor).view({1, 1});
  if (gamma_.defined()) scale = gamma_ * scale;
  scale = scale.abs();  // the scale of zeros may be -0, which would give its sign to the values
  // A scale that is not finite makes every value NaN, whatever the codes are; NaN itself has no
  // code.
  at::Tensor codes =
      scale.isfinite().item<bool>()
          ? kernels::EncodeGiven(x, scale, Params(config_, features, kernels::ScaleIndex::kTensor))
          : at::zeros(x.sizes(), x.options().dtype(at::kChar));
  return MakeIntEncoded(config_.format, std::move(codes), std::move(scale), x.scalar_type());
}

kernels::ScaleIndex IntOperand::GammaIndex() const {
  return is_weight_ ? kernels::ScaleIndex::kRowGroup : kernels::ScaleIndex::kGroup;
}

double IntOperand::BitsPerElement(int64_t rows, int64_t features) const {
  const std::vector<int64_t> scales = config_.format.ScaleShape(rows, features);
  return config_.format.bits +
         32.0 * static_cast<double>(scales[0] * scales[1]) / static_cast<double>(rows * features);
}

std::vector<NamedParameter> IntOperand::Parameters() {
  if (!gamma_.defined()) return {};
  return {{"clip.gamma", gamma_, "clip", false, config_.clip_lr}};
}

void IntOperand::AfterStep(const StepInfo&) {
  if (!gamma_.defined()) return;
  const at::NoGradGuard no_grad;
  gamma_.clamp_min_(kClipFloor);
}

Claims IntOperand::Claimed() const {
  Claims claims;
  claims.region = config_.format.ScaleRegion();
  claims.group = config_.format.group;
  claims.gradient = gamma_.defined() ? InputGradient::kCode : InputGradient::kEverywhere;
  claims.nearest = true;
  return claims;
}

}  // namespace qatlas::int_quantizer
