#include "sdk/conformance/torch/quantizer_gradient.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "sdk/conformance/torch/cases.h"
#include "sdk/conformance/torch/stored.h"
#include "sdk/conformance/torch/values.h"

namespace qatlas::conformance {
namespace {

constexpr int kInputs = 3;    // that share one factor
constexpr int kEntries = 10;  // of each parameter
constexpr double kShrink = 0.6;

// Moves parameters off their initial values, so that elements are clipped and nothing is zero.
// Returns how.
std::string MoveParameters(const Instance& instance, uint64_t seed) {
  const at::NoGradGuard no_grad;
  for (const NamedParameter& parameter : instance.state().Parameters()) {
    at::Tensor tensor = parameter.tensor;
    const at::Tensor noise = Normal(tensor.sizes(), seed++).to(tensor.device());
    if (LargestMagnitude(tensor) == 0) {
      tensor.copy_(noise * 0.05);
    } else {
      tensor.mul_(kShrink).mul_(noise.mul(0.1).add(1));
    }
  }
  return absl::StrCat("each parameter p = ", kShrink,
                      " p (1 + 0.1 torch.randn), or 0.05 torch.randn where it was 0");
}

// Scales, offsets and the unrounded values, [rows, features] FP64.
struct Smooth {
  at::Tensor scales, offsets, unrounded;
};

struct Point {
  Smooth smooth;
  at::Tensor positions;
  GradientMask mask;
};

absl::StatusOr<Stored> Read(const Instance& instance, const at::Tensor& x) {
  QATLAS_ASSIGN_OR_RETURN(const Encoded encoded, instance.Encode(x));
  if (!Readable(encoded)) {
    return absl::UnimplementedError(
        absl::StrCat("layout '", encoded.layout, "' is the plugin's own"));
  }
  return ReadStored(encoded, instance.state().Claimed());
}

absl::StatusOr<Smooth> SmoothOf(const QuantizerCase& one, const Instance& instance,
                                const at::Tensor& x, const Stored& stored) {
  Smooth smooth;
  smooth.scales = stored.scales.to(at::kDouble);
  smooth.offsets = stored.offsets.to(at::kDouble);
  if (!one.whole) {
    const at::Tensor wide = x.detach().to(at::kDouble).reshape({-1, one.in});
    smooth.unrounded = (wide - smooth.offsets) / smooth.scales;
    return smooth;
  }
  const at::Tensor unrounded = instance.whole->UnroundedWeight();
  if (!unrounded.defined()) return absl::UnimplementedError("UnroundedWeight() is not given");
  smooth.unrounded = unrounded.detach().to(at::kDouble);
  return smooth;
}

absl::StatusOr<Point> PointOf(const QuantizerCase& one, const Instance& instance,
                              const at::Tensor& x) {
  const at::NoGradGuard no_grad;
  QATLAS_ASSIGN_OR_RETURN(const Stored stored, Read(instance, x));
  Point point;
  QATLAS_ASSIGN_OR_RETURN(point.smooth, SmoothOf(one, instance, x, stored));
  point.positions = stored.positions.to(at::kDouble);
  point.mask = MaskOf(instance.state().Claimed().gradient, point.smooth.unrounded,
                      stored.levels.to(at::kDouble));
  return point;
}

// Gradient of the loss with respect to an entry by the surrogate, and how far elements next to a
// boundary of the mask and rounding may move it.
struct Slope {
  double value = 0, doubt = 0;
};

// d x̂ / d p of the surrogate, given the differences of its smooth parts.
Slope Surrogate(const QuantizerCase& one, const Point& point, const Smooth& up, const Smooth& down,
                double twice_step, const at::Tensor& weights) {
  const at::Tensor ds = (up.scales - down.scales) / twice_step;
  const at::Tensor d_offset = (up.offsets - down.offsets) / twice_step;
  at::Tensor inside;
  if (one.whole) {
    const at::Tensor du = (up.unrounded - down.unrounded) / twice_step;
    inside = ds * point.positions + d_offset + point.smooth.scales * du;
  } else {
    inside = ds * (point.positions - point.smooth.unrounded);
  }
  const at::Tensor clipped = ds * point.positions + d_offset;
  const at::Tensor each = weights * at::where(point.mask.passes, inside, clipped);
  Slope slope;
  slope.value = each.sum().item<double>();
  slope.doubt =
      (weights * (inside - clipped)).abs().masked_fill(point.mask.sure, 0).sum().item<double>();
  if (one.whole) {
    // The differences are of values in FP32, each off by some units in its last place.
    const at::Tensor rounding = point.smooth.unrounded * std::ldexp(1.0, -23) / twice_step;
    slope.doubt += 4 * (weights * point.smooth.scales * rounding).norm().item<double>();
  }
  return slope;
}

// What a parameter's gradient is by autograd and by the surrogate, over entries and inputs.
struct Compared {
  std::string name;
  std::vector<double> autograd;
  std::vector<Slope> surrogate;
};

void Judge(const Compared& compared, Probe& probe) {
  double product = 0, square = 0, largest = 0, largest_autograd = 0;
  for (size_t i = 0; i < compared.autograd.size(); ++i) {
    const double slope = compared.surrogate[i].value;
    product += slope * compared.autograd[i];
    square += slope * slope;
    largest = std::max(largest, std::abs(slope));
    largest_autograd = std::max(largest_autograd, std::abs(compared.autograd[i]));
  }
  if (square == 0) {
    if (largest_autograd > 0) {
      probe.Fail(absl::StrCat("parameter ", compared.name, " has a gradient of up to ",
                              largest_autograd, ", but no stored scale depends on it"));
    }
    return;
  }
  const double factor = product / square;
  if (!(factor > 0)) {
    probe.Fail(absl::StrCat("the gradient of parameter ", compared.name,
                            " points against that of the surrogate (factor ", factor, ")"));
    return;
  }
  for (size_t i = 0; i < compared.autograd.size(); ++i) {
    const Slope& slope = compared.surrogate[i];
    const double gap = std::abs(compared.autograd[i] - factor * slope.value);
    if (gap <= factor * (5e-3 * largest + slope.doubt)) continue;
    probe.Fail(absl::StrCat("the gradient of parameter ", compared.name,
                            " is not proportional to that of the surrogate: ", compared.autograd[i],
                            " for ", factor * slope.value, " (factor ", factor,
                            " over all entries and inputs)"));
    return;
  }
}

}  // namespace

void CheckInputGradient(const Subject& subject, Probe& probe) {
  bool stated = false;
  auto check = [&](const QuantizerCase& one, const Instance& instance, at::ScalarType dtype,
                   const std::string& how) {
    const std::vector<int64_t> shape =
        one.whole ? std::vector<int64_t>{QuantizerCase::kTokens, one.in} : one.Shape();
    const Input input = NormalInput(shape, probe.seed() + 43, dtype);
    at::Tensor x = input.x.detach().requires_grad_();
    const at::Tensor y = instance.Forward(x);
    const Input weights = NormalInput(y.sizes(), probe.seed() + 47, y.scalar_type());
    probe.Trying(absl::StrCat(one.Words(), how, "; ", input.words,
                              "; the gradient of the result is g (", weights.words, ")"));
    y.backward(weights.x);
    ClearGradients(instance);
    const at::Tensor gradient = x.grad();
    if (!gradient.defined()) {
      probe.Fail("the input gets no gradient");
      return;
    }
    if (gradient.scalar_type() != dtype || gradient.sizes() != x.sizes() || !AllFinite(gradient)) {
      probe.Fail(absl::StrCat("the gradient of the input has shape ", ShapeText(gradient.sizes()),
                              ", dtype ", DtypeText(gradient.scalar_type()),
                              AllFinite(gradient) ? "" : " and is not finite"));
      return;
    }
    const InputGradient rule = instance.state().Claimed().gradient;
    if (one.whole) {
      if (one.owns_input) return;  // its own quantizer of the input has a rule of its own
      stated = true;
      const at::Tensor expected = at::matmul(
          weights.x.to(at::kDouble), instance.whole->EffectiveWeight().detach().to(at::kDouble));
      const std::string difference =
          Difference(gradient, expected, dtype == at::kFloat ? 1e-5 : 2e-2);
      if (!difference.empty()) {
        probe.Fail(
            absl::StrCat("the gradient of the input and g times EffectiveWeight(): ", difference));
      }
      return;
    }
    if (rule == InputGradient::kUnstated) return;
    stated = true;
    at::Tensor expected = weights.x;
    at::Tensor sure = at::ones_like(gradient, at::kBool);
    if (rule != InputGradient::kEverywhere) {
      const absl::StatusOr<Point> point = PointOf(one, instance, x);
      if (!point.ok()) {
        probe.Fail(absl::StrCat(
            "a masked gradient is claimed, but the mask cannot be told from the codes: ",
            point.status().message()));
        return;
      }
      expected = weights.x * point->mask.passes.view(x.sizes()).to(dtype);
      sure = point->mask.sure.view(x.sizes());
    }
    const std::string difference = Difference(gradient.masked_fill(sure.logical_not(), 0),
                                              expected.masked_fill(sure.logical_not(), 0), 1e-6);
    if (!difference.empty()) {
      probe.Fail(
          absl::StrCat("the gradient of the input and the claimed mask times g: ", difference));
    }
  };
  ForEachInstance(subject, probe, [&](const QuantizerCase& one, const Instance& instance) {
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) check(one, instance, dtype, "");
    if (instance.state().Parameters().empty()) return;
    const std::string how = absl::StrCat("; ", MoveParameters(instance, probe.seed() + 53));
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) check(one, instance, dtype, how);
  });
  if (!stated) probe.Skip("Claimed() states no rule of the gradient under any options");
}

void CheckParameterGradient(const Subject& subject, Probe& probe) {
  bool parameters = false;
  std::string unread;
  bool compared_any = false;
  ForEachInstance(subject, probe, [&](const QuantizerCase& one, const Instance& instance) {
    if (instance.state().Parameters().empty()) return;
    parameters = true;
    const std::string how = MoveParameters(instance, probe.seed() + 53);
    const std::vector<NamedParameter> named = instance.state().Parameters();
    std::vector<Compared> compared(named.size());
    for (int i = 0; i < kInputs; ++i) {
      const std::vector<int64_t> shape =
          one.whole ? std::vector<int64_t>{QuantizerCase::kTokens, one.in} : one.Shape();
      const Input input = NormalInput(shape, probe.seed() + 59 + 2 * i);
      ClearGradients(instance);
      const at::Tensor y = instance.Forward(input.x);
      const Input weights = NormalInput(y.sizes(), probe.seed() + 60 + 2 * i);
      probe.Trying(absl::StrCat(one.Words(), "; ", how, "; ", input.words,
                                "; the gradient of the result is g (", weights.words, ")"));
      y.backward(weights.x);
      const absl::StatusOr<Point> point = PointOf(one, instance, input.x);
      const bool comparable =
          point.ok() && instance.state().Claimed().gradient != InputGradient::kUnstated;
      if (!point.ok() && !absl::IsUnimplemented(point.status())) {
        probe.Fail(std::string(point.status().message()));
        return;
      }
      if (!comparable) {
        unread = point.ok() ? "Claimed() states no rule of the gradient"
                            : std::string(point.status().message());
      }
      // Of an operator: with respect to its weight.
      const at::Tensor wide = (one.whole ? at::matmul(weights.x.t(), input.x) : weights.x)
                                  .to(at::kDouble)
                                  .reshape({-1, one.in});
      for (size_t p = 0; p < named.size(); ++p) {
        const at::Tensor gradient = named[p].tensor.grad();
        compared[p].name = named[p].name;
        if (!gradient.defined() || !AllFinite(gradient)) {
          probe.Fail(absl::StrCat(
              "parameter ", named[p].name,
              gradient.defined() ? " has a gradient that is not finite" : " gets no gradient"));
          return;
        }
        if (!comparable) continue;
        const at::NoGradGuard no_grad;
        const at::Tensor values = named[p].tensor.detach().view({-1});
        const int64_t stride = std::max<int64_t>(1, values.numel() / kEntries);
        for (int64_t k = 0; k < values.numel(); k += stride) {
          const float before = values[k].item<float>();
          const double step = 1e-2 * std::max(std::abs(static_cast<double>(before)),
                                              0.1 * LargestMagnitude(values));
          Smooth moved[2];
          bool ok = true;
          for (const int side : {0, 1}) {
            values[k] = before + (side == 0 ? step : -step);
            const absl::StatusOr<Point> other = PointOf(one, instance, input.x);
            ok = ok && other.ok();
            if (other.ok()) moved[side] = other->smooth;
          }
          values[k] = before;
          if (!ok) continue;
          compared[p].autograd.push_back(gradient.view({-1})[k].item<double>());
          compared[p].surrogate.push_back(
              Surrogate(one, *point, moved[0], moved[1], 2 * step, wide));
        }
      }
    }
    for (const Compared& each : compared) {
      compared_any = compared_any || !each.autograd.empty();
      Judge(each, probe);
    }
  });
  if (!parameters) {
    probe.Skip("there are no trained parameters under any options");
  } else if (!compared_any) {
    probe.Skip(
        absl::StrCat("gradients are there and finite; they cannot be compared, since ", unread));
  }
}

}  // namespace qatlas::conformance
