#include "lsq.h"

#include <qatlas/int_options.h>
#include <qatlas/kernels/torch/fake_quantize.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace qatlas::lsq {
namespace {

constexpr const char* kAbilities[] = {"weight",   "input",       "idempotent",
                                      "stateful", "calibration", nullptr};

constexpr qatlas_option kOptions[] = {
    IntOption("bits", "4", 2, 8, "Bits of a code."),
    ChoiceOption(
        "granularity", "group", kGranularityChoices,
        "What shares a step: the tensor; an output channel (weights only); a group in a row."),
    IntOption("group", "64", 1, 1 << 24, "Neighbouring input features that share a step."),
    BoolOption("short_last_group", "false", "Allows a group that does not divide the features."),
    FloatOption("step_lr", "1e-3", 0, 1,
                "Peak learning rate of the steps, as a share of their initial value."),
    IntOption("calibration_tokens", "2048", 1, 1 << 24,
              "Tokens whose inputs set the initial steps of inputs."),
};

bool IsWeight(const char* operand) { return std::strcmp(operand, kWeight) == 0; }

// Mean of `values` [rows, features] over each group, [rows, groups]; a short last group counts
// alone.
at::Tensor GroupMeans(const at::Tensor& values, const IntFormat& format) {
  const int64_t features = values.size(1);
  const int64_t group = format.GroupSize(features);
  const int64_t whole = features / group;
  at::Tensor means =
      values.narrow(1, 0, whole * group).reshape({values.size(0), whole, group}).mean(2);
  if (whole * group == features) return means;
  const at::Tensor rest = values.narrow(1, whole * group, features - whole * group).mean(1, true);
  return at::cat({means, rest}, 1);
}

}  // namespace

const ComponentInfo LsqQuantizer::kInfo = {"lsq",
                                           "Integers with learned steps",
                                           "Esser et al. 2020, arXiv:1902.08153, eqs. 1-4",
                                           2,
                                           kAbilities,
                                           kOptions,
                                           std::size(kOptions)};

absl::StatusOr<std::unique_ptr<Quantizer>> LsqQuantizer::Create(const Options& options) {
  Config config;
  config.format = ReadIntFormat(options);
  config.step_lr = options.Float("step_lr");
  config.calibration_tokens = options.Int("calibration_tokens");
  return std::make_unique<LsqQuantizer>(config);
}

CalibrationNeeds LsqQuantizer::Calibration(const char* operand) const {
  CalibrationNeeds needs;
  if (!IsWeight(operand)) needs.tokens = config_.calibration_tokens;
  return needs;
}

absl::Status LsqQuantizer::Check(const char* operand, int64_t in_features,
                                 int64_t /*out_features*/) const {
  if (!IsWeight(operand) && config_.format.granularity == Granularity::kChannel) {
    return absl::InvalidArgumentError(
        "granularity = \"channel\" needs a step for each row, but the rows of an input are tokens, "
        "which "
        "differ from step to step; use \"tensor\" or \"group\" for inputs");
  }
  return config_.format.Check(in_features);
}

int64_t LsqQuantizer::NominalGroup() const { return NominalGroupOf(config_.format); }

absl::StatusOr<std::unique_ptr<OperandQuantizer>> LsqQuantizer::AttachOperand(
    const char* operand, const AttachContext& context) const {
  QATLAS_RETURN_IF_ERROR(Check(operand, context.in_features, context.out_features));
  const at::NoGradGuard no_grad;
  const bool is_weight = IsWeight(operand);
  const IntFormat& format = config_.format;
  const std::vector<int64_t> shape =
      format.ScaleShape(is_weight ? context.out_features : 1, context.in_features);
  const at::TensorOptions fp32 = context.weight.options().dtype(at::kFloat).requires_grad(false);
  if (context.restoring || context.weight.is_meta()) {
    return std::make_unique<LsqOperand>(config_, is_weight, at::ones(shape, fp32));
  }
  at::Tensor magnitudes;
  if (is_weight) {
    magnitudes = context.weight.detach().to(at::kFloat).abs();
  } else if (context.calibration != nullptr && context.calibration->feature_mean_abs.defined()) {
    magnitudes = context.calibration->feature_mean_abs.to(fp32).view({1, -1});
  } else {
    return absl::FailedPreconditionError(absl::StrCat(
        "lsq on ", context.SiteName(operand),
        " needs calibration: the mean of |x| for each feature sets the initial steps"));
  }
  // Row by row first: a sum over everything would depend on the number of threads.
  at::Tensor means = format.granularity == Granularity::kTensor
                         ? magnitudes.mean(1).mean().view({1, 1})
                         : GroupMeans(magnitudes, format);
  at::Tensor unit =
      (means * (2 / std::sqrt(static_cast<double>(format.q_max())))).clamp_min(kUnitFloor);
  if (!unit.isfinite().all().item<bool>()) {
    return absl::InvalidArgumentError(absl::StrCat("lsq on ", context.SiteName(operand),
                                                   ": values that are not finite set no step"));
  }
  return std::make_unique<LsqOperand>(config_, is_weight, unit.contiguous());
}

LsqOperand::LsqOperand(const Config& config, bool is_weight, at::Tensor unit)
    : config_(config), is_weight_(is_weight), unit_(std::move(unit)) {
  value_ = at::ones_like(unit_).requires_grad_();
}

kernels::FakeQuantParams LsqOperand::Params(int64_t features) const {
  kernels::FakeQuantParams params;
  params.group = config_.format.GroupSize(features);
  params.short_last_group = config_.format.short_last_group;
  params.q_min = config_.format.q_min();
  params.q_max = config_.format.q_max();
  params.range = kernels::RangeTest::kValue;
  if (config_.format.granularity == Granularity::kTensor) {
    params.index = kernels::ScaleIndex::kTensor;
  } else {
    params.index = is_weight_ ? kernels::ScaleIndex::kRowGroup : kernels::ScaleIndex::kGroup;
  }
  return params;
}

at::Tensor LsqOperand::FakeQuantize(const at::Tensor& x) {
  const double sharing = static_cast<double>(x.numel()) / static_cast<double>(unit_.numel());
  const double g = 1 / std::sqrt(std::max(sharing, 1.0) * config_.format.q_max());
  return kernels::FakeQuantizeStep(x, Step(), g, Params(x.size(-1)));
}

absl::StatusOr<Encoded> LsqOperand::Encode(const at::Tensor& x) {
  const at::NoGradGuard no_grad;
  if (x.isnan().any().item<bool>()) {
    return absl::InvalidArgumentError("the tensor to encode holds NaN, which has no code");
  }
  at::Tensor step = Step();
  at::Tensor codes = kernels::EncodeGiven(x, step, Params(x.size(-1)));
  return MakeIntEncoded(config_.format, std::move(codes), std::move(step), x.scalar_type());
}

double LsqOperand::BitsPerElement(int64_t rows, int64_t features) const {
  return config_.format.bits +
         32.0 * static_cast<double>(unit_.numel()) / static_cast<double>(rows * features);
}

std::vector<NamedParameter> LsqOperand::Parameters() {
  return {{"step.value", value_, "step", false, config_.step_lr}};
}

std::vector<NamedTensor> LsqOperand::Buffers() { return {{"step.unit", unit_}}; }

void LsqOperand::AfterStep(const StepInfo&) {
  const at::NoGradGuard no_grad;
  value_.clamp_min_(kStepFloor);
}

absl::Status LsqOperand::AfterRestore() {
  const at::NoGradGuard no_grad;
  const at::Tensor step = Step();
  if (step.isfinite().logical_and(step.gt(0)).all().item<bool>()) return absl::OkStatus();
  return absl::DataLossError("restored steps of lsq are not all positive and finite");
}

Claims LsqOperand::Claimed() const {
  Claims claims;
  claims.region = Region::kElement;  // the steps are parameters
  claims.gradient = InputGradient::kValue;
  claims.nearest = true;
  return claims;
}

}  // namespace qatlas::lsq
