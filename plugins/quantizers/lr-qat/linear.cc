#include "linear.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace qatlas::lr_qat {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Calls function(first row, rows) for blocks of rows.
template <typename Function>
void ForBlocks(int64_t rows, int64_t features, Function function) {
  const int64_t block = std::max<int64_t>(kBlockElements / features, 1);
  for (int64_t row = 0; row < rows; row += block) function(row, std::min(block, rows - row));
}

// Rows [row, row + count) of v = Φ0 + (α/r) A B, FP32. Every use of Ŵ comes through here in the
// same blocks, so that all see the same bits.
at::Tensor Values(const FrozenWeight& weight, const at::Tensor& a, const at::Tensor& b, int64_t row,
                  int64_t count) {
  at::Tensor values = at::empty({count, weight.in_features}, b.options().requires_grad(false));
  Upcast(weight.stored.narrow(0, row, count), weight.storage, weight.format.bits, values);
  return values.addmm_(a.narrow(0, row, count), b, /*beta=*/1, /*alpha=*/weight.factor);
}

// Multiplies rows by their scales, [rows, groups], in place.
void MulScales(at::Tensor& values, const at::Tensor& scales, const IntFormat& format) {
  const int64_t features = values.size(1);
  const int64_t groups = scales.size(1);
  const int64_t group = format.GroupSize(features);
  if (groups * group == features) {
    values.view({values.size(0), groups, group}).mul_(scales.unsqueeze(2));
  } else {
    values.mul_(scales.repeat_interleave(group, 1).narrow(1, 0, features));
  }
}

// Sums of rows over their groups, [rows, groups].
at::Tensor GroupSums(const at::Tensor& values, const IntFormat& format) {
  const int64_t features = values.size(1);
  const int64_t group = format.GroupSize(features);
  const int64_t whole = features / group;
  at::Tensor sums =
      values.narrow(1, 0, whole * group).reshape({values.size(0), whole, group}).sum(2);
  if (whole * group == features) return sums;
  return at::cat({sums, values.narrow(1, whole * group, features - whole * group).sum(1, true)}, 1);
}

// Turns values v into those of Ŵ, in place. Adding 0 turns -0 into +0: a code has no signed zero.
void Dequantize(at::Tensor& values, const at::Tensor& scales, const IntFormat& format) {
  RoundToCodes(values, format.bits).add_(0.0);
  MulScales(values, scales, format);
}

// Ŵ, [out, in] of a dtype.
at::Tensor Build(const FrozenWeight& weight, const at::Tensor& a, const at::Tensor& b,
                 const at::Tensor& scale, at::ScalarType dtype) {
  at::Tensor result = at::empty({weight.out_features(), weight.in_features},
                                b.options().dtype(dtype).requires_grad(false));
  ForBlocks(weight.out_features(), weight.in_features, [&](int64_t row, int64_t count) {
    at::Tensor values = Values(weight, a, b, row, count);
    Dequantize(values, scale.narrow(0, row, count), weight.format);
    result.narrow(0, row, count).copy_(values);
  });
  return result;
}

class LinearFunction : public torch::autograd::Function<LinearFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& a,
                            const at::Tensor& b, const at::Tensor& scale,
                            const std::optional<at::Tensor>& bias, const FrozenWeight& weight) {
    const at::Tensor built = Build(weight, a, b, scale, x.scalar_type());
    context->save_for_backward({x, a, b, scale, weight.stored});
    context->saved_data["storage"] = static_cast<int64_t>(weight.storage);
    context->saved_data["bits"] = static_cast<int64_t>(weight.format.bits);
    context->saved_data["granularity"] = static_cast<int64_t>(weight.format.granularity);
    context->saved_data["group"] = weight.format.group;
    context->saved_data["factor"] = weight.factor;
    context->saved_data["bias"] = bias.has_value();
    return at::linear(x, built, bias ? bias->to(x.scalar_type()) : at::Tensor());
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &a = saved[1], &b = saved[2], &scale = saved[3];
    FrozenWeight weight;
    weight.stored = saved[4];
    weight.storage = static_cast<Storage>(context->saved_data["storage"].toInt());
    weight.format.bits = static_cast<int>(context->saved_data["bits"].toInt());
    weight.format.granularity =
        static_cast<Granularity>(context->saved_data["granularity"].toInt());
    weight.format.group = context->saved_data["group"].toInt();
    weight.in_features = b.size(1);
    weight.factor = context->saved_data["factor"].toDouble();
    const int64_t rows = weight.out_features();

    const at::Tensor x = saved[0].reshape({-1, weight.in_features});
    const at::Tensor gradient = gradients[0].reshape({-1, rows});
    variable_list result(6);
    const bool wants_x = context->needs_input_grad(0);
    const bool wants_weight = context->needs_input_grad(1) || context->needs_input_grad(2) ||
                              context->needs_input_grad(3);
    // Without a bias the function has no such input.
    const bool has_bias = context->saved_data["bias"].toBool();
    if (has_bias && context->needs_input_grad(4)) result[4] = gradient.sum(0).to(at::kFloat);

    at::Tensor built;
    if (wants_x) built = at::empty({rows, weight.in_features}, x.options().requires_grad(false));
    if (wants_weight) {
      result[1] = at::empty_like(a);
      result[2] = at::zeros_like(b);
      result[3] = at::empty_like(scale);
    }
    ForBlocks(rows, weight.in_features, [&](int64_t row, int64_t count) {
      const at::Tensor scales = scale.narrow(0, row, count);
      at::Tensor codes = Values(weight, a, b, row, count).round_();
      at::Tensor d_weight;
      if (wants_weight) {
        d_weight = gradient.narrow(1, row, count).t().mm(x).to(at::kFloat);
        const at::Tensor inside =
            codes.ge(weight.format.q_min()).logical_and_(codes.le(weight.format.q_max()));
        codes.clamp_(weight.format.q_min(), weight.format.q_max());
        result[3].narrow(0, row, count).copy_(GroupSums(d_weight * codes, weight.format));
        d_weight.mul_(inside);
        MulScales(d_weight, scales, weight.format);
        at::Tensor d_a = result[1].narrow(0, row, count);
        at::mm_out(d_a, d_weight, b.t());
        result[2].addmm_(a.narrow(0, row, count).t(), d_weight, /*beta=*/1, weight.factor);
      }
      if (wants_x) {
        Dequantize(codes, scales, weight.format);
        built.narrow(0, row, count).copy_(codes);
      }
    });
    if (wants_weight) result[1].mul_(weight.factor);
    if (wants_x) result[0] = gradient.mm(built).view(saved[0].sizes());
    return result;
  }
};

}  // namespace

LrQatLinear::LrQatLinear(const Config& config, FrozenWeight weight, at::Tensor scale, at::Tensor b)
    : config_(config), weight_(std::move(weight)), initial_(std::move(scale)), b_(std::move(b)) {
  const at::NoGradGuard no_grad;
  scale_ = initial_.clone().requires_grad_();
  a_ = at::zeros({weight_.out_features(), config_.rank}, b_.options().requires_grad(false))
           .requires_grad_();
  b_.requires_grad_();
}

at::Tensor LrQatLinear::Forward(const at::Tensor& x, const at::Tensor& bias) {
  const std::optional<at::Tensor> given = bias.defined() ? std::optional(bias) : std::nullopt;
  return LinearFunction::apply(x, a_, b_, scale_, given, weight_);
}

at::Tensor LrQatLinear::EffectiveWeight() {
  const at::NoGradGuard no_grad;
  return Build(weight_, a_, b_, scale_, at::kFloat);
}

at::Tensor LrQatLinear::UnroundedWeight() {
  const at::NoGradGuard no_grad;
  at::Tensor result =
      at::empty({weight_.out_features(), weight_.in_features}, b_.options().requires_grad(false));
  ForBlocks(weight_.out_features(), weight_.in_features, [&](int64_t row, int64_t count) {
    result.narrow(0, row, count).copy_(Values(weight_, a_, b_, row, count));
  });
  return result;
}

absl::StatusOr<Encoded> LrQatLinear::EncodeWeight() {
  const at::NoGradGuard no_grad;
  at::Tensor codes = at::empty({weight_.out_features(), weight_.in_features},
                               b_.options().dtype(at::kChar).requires_grad(false));
  bool finite = true;
  ForBlocks(weight_.out_features(), weight_.in_features, [&](int64_t row, int64_t count) {
    at::Tensor values = Values(weight_, a_, b_, row, count);
    finite = finite && !values.isnan().any().item<bool>();
    codes.narrow(0, row, count).copy_(RoundToCodes(values, weight_.format.bits));
  });
  if (!finite) {
    return absl::InvalidArgumentError("the adapter made weights NaN, which has no code");
  }
  return MakeIntEncoded(weight_.format, std::move(codes), scale_.detach().clone(), at::kFloat);
}

double LrQatLinear::BitsPerWeight() const {
  return config_.format.bits +
         32.0 * static_cast<double>(initial_.numel()) /
             static_cast<double>(weight_.out_features() * weight_.in_features);
}

std::vector<NamedParameter> LrQatLinear::Parameters() {
  return {{"adapter.a", a_, "adapter_a", false, config_.a_lr},
          {"adapter.b", b_, "adapter_b", false, config_.b_lr},
          {"scale.value", scale_, "scale", false, config_.scale_lr}};
}

std::vector<NamedTensor> LrQatLinear::Buffers() {
  return {{"frozen", weight_.stored}, {"scale.initial", initial_}};
}

void LrQatLinear::AfterStep(const StepInfo&) {
  const at::NoGradGuard no_grad;
  scale_.copy_(at::maximum(scale_, initial_ * kScaleShare));
}

Claims LrQatLinear::Claimed() const {
  Claims claims;
  claims.region = config_.format.ScaleRegion();
  claims.group = config_.format.group;
  claims.gradient = InputGradient::kCode;
  claims.nearest = config_.range != Range::kParent;
  return claims;
}

absl::Status LrQatLinear::AfterRestore() {
  const at::NoGradGuard no_grad;
  if (scale_.isfinite().logical_and(scale_.gt(0)).all().item<bool>()) return absl::OkStatus();
  return absl::DataLossError("restored scales of lr-qat are not all positive and finite");
}

}  // namespace qatlas::lr_qat
