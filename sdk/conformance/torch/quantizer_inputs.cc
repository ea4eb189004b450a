#include "sdk/conformance/torch/quantizer_inputs.h"

#include <cmath>
#include <limits>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "sdk/conformance/torch/cases.h"
#include "sdk/conformance/torch/values.h"

namespace qatlas::conformance {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Odd {
  const char* words;
  bool whole;  // all elements have the value, else the one in the middle of normal ones
  double value;
  bool finite() const { return std::isfinite(value); }
};
constexpr Odd kOdd[] = {
    {"all of it 0", true, 0},
    {"all of it -0.0", true, -0.0},
    {"all of it 0.75", true, 0.75},
    {"all of it -0.75", true, -0.75},
    {"all of it 1e-40 (denormal)", true, 1e-40},
    {"all of it 1e-45 (the smallest denormal)", true, 1e-45},
    {"all of it 1e37", true, 1e37},
    {"one element 1e37", false, 1e37},
    {"one element -1e37", false, -1e37},
    {"one element NaN", false, kNan},
    {"one element infinity", false, kInfinity},
    {"one element -infinity", false, -kInfinity},
    {"all of it NaN", true, kNan},
    {"all of it infinity", true, kInfinity},
};

at::Tensor Make(const Odd& odd, at::IntArrayRef shape, uint64_t seed, at::ScalarType dtype) {
  at::Tensor x = Normal(shape, seed);
  if (odd.whole) {
    x.fill_(odd.value);
  } else {
    x.view({-1})[x.numel() / 2] = odd.value;
  }
  return x.to(dtype);
}

void CheckOddValue(const Odd& odd, const at::Tensor& x, const absl::StatusOr<Instance>& instance,
                   Probe& probe) {
  if (!instance.ok()) {
    // A weight that is not finite, or whose sums overflow, may be refused.
    if (odd.finite() && std::abs(odd.value) < 1e30) CouldAttach(instance, probe);
    if (instance.status().message().empty()) probe.Fail("it is refused without a message");
    return;
  }
  const at::Tensor y = instance->Quantized(x);
  if (y.sizes() != x.sizes() || y.scalar_type() != x.scalar_type()) {
    probe.Fail(absl::StrCat("the result has shape ", ShapeText(y.sizes()), " and dtype ",
                            DtypeText(y.scalar_type())));
    return;
  }
  if (odd.finite() && !AllFinite(y)) {
    const at::Tensor bad = y.isfinite().logical_not();
    probe.Fail(absl::StrCat("finite values give ", ValueAtFirst(y, bad), ", ", FirstOf(bad)));
  }
  if (odd.whole && odd.value == 0 && LargestMagnitude(y) != 0) {
    probe.Fail(absl::StrCat("zeros give values up to ", LargestMagnitude(y)));
  }
  const at::Tensor hidden = x.isnan().logical_and(y.isnan().logical_not());
  if (hidden.any().item<bool>()) {
    probe.Fail(absl::StrCat("NaN becomes ", ValueAtFirst(y, hidden), ", ", FirstOf(hidden),
                            ": a training that has gone wrong would not be seen"));
  }
  const absl::StatusOr<Encoded> encoded = instance->Encode(x);
  if (!encoded.ok()) {
    if (odd.finite()) {
      probe.Fail(absl::StrCat("Encode failed: ", encoded.status().message()));
    } else if (encoded.status().message().empty()) {
      probe.Fail("Encode fails without a message");
    }
    return;
  }
  const absl::StatusOr<at::Tensor> decoded = instance->Decode(*encoded);
  if (!decoded.ok()) {
    probe.Fail(absl::StrCat("Encode took it, but Decode failed: ", decoded.status().message()));
    return;
  }
  const std::string difference = BitDifference(*decoded, y);
  if (!difference.empty()) {
    probe.Fail(absl::StrCat("Encode took it, but decoded and fake-quantized values: ", difference));
  }
}

// Tensors of the same values in other memory: [rows, features] FP32.
std::vector<Input> OtherLayouts(const Input& input) {
  const at::Tensor& x = input.x;
  std::vector<Input> layouts;
  layouts.push_back({x.t().contiguous().t(), input.words + ", column by column in memory"});
  at::Tensor wide = at::full({x.size(0), 2 * x.size(1)}, 7.0, x.options());
  wide.slice(1, 0, {}, 2).copy_(x);
  layouts.push_back(
      {wide.slice(1, 0, {}, 2), input.words + ", every second column of a wider tensor"});
  at::Tensor tall = at::full({x.size(0) + 2, x.size(1)}, 7.0, x.options());
  tall.narrow(0, 1, x.size(0)).copy_(x);
  layouts.push_back(
      {tall.narrow(0, 1, x.size(0)), input.words + ", rows in the middle of a taller tensor"});
  return layouts;
}

}  // namespace

void CheckOddValues(const Subject& subject, Probe& probe) {
  const at::NoGradGuard no_grad;
  ForEachCase(subject, probe, [&](const QuantizerCase& one) {
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      for (const Odd& odd : kOdd) {
        const at::Tensor weight = Make(odd, {one.out, one.in}, probe.seed() + 61, at::kFloat);
        if (dtype == at::kFloat && one.operand != kInput) {
          probe.Trying(absl::StrCat(one.Words(), "; attached to torch.randn weights of seed ",
                                    probe.seed() + 61, ", ", odd.words));
          CheckOddValue(odd, weight, Attach(one, weight), probe);
        }
        if (one.whole) continue;
        const at::Tensor x = Make(odd, one.Shape(), probe.seed() + 67, dtype);
        probe.Trying(absl::StrCat(one.Words(), "; x = torch.randn(", ShapeText(x.sizes()),
                                  ") of seed ", probe.seed() + 67, ", ", odd.words, ", ",
                                  DtypeText(dtype)));
        CheckOddValue(odd, x, AttachFor(one, x, probe), probe);
      }
    }
  });
}

void CheckOddShapes(const Subject& subject, Probe& probe) {
  ForEachInstance(subject, probe, [&](const QuantizerCase& one, const Instance& instance) {
    const bool weight = one.operand == kWeight && !one.whole;
    const int64_t rows = weight ? one.out : 6;
    const Input input = NormalInput({rows, one.in}, probe.seed() + 71);
    const double tolerance = one.whole ? 1e-5 : 0;  // a matrix product may sum in another order
    auto compare = [&](const Pass& pass, const Pass& expected) {
      for (const auto& [got, want, what] :
           {std::tuple{pass.y, expected.y, "values"},
            std::tuple{pass.gradient, expected.gradient, "gradients"}}) {
        const std::string difference =
            tolerance == 0 ? BitDifference(got, want) : Difference(got, want, tolerance);
        if (difference.empty()) continue;
        probe.Fail(absl::StrCat(
            what, " and those of the contiguous [rows, features] tensor: ", difference));
      }
    };
    probe.Trying(absl::StrCat(one.Words(), "; ", input.words));
    const at::Tensor kept = input.x.clone();
    const Pass expected = RunPass(instance, input.x);
    if (const std::string difference = BitDifference(input.x, kept); !difference.empty()) {
      probe.Fail(absl::StrCat("the argument itself was changed: ", difference));
      return;
    }
    for (const Input& layout : OtherLayouts(input)) {
      probe.Trying(absl::StrCat(one.Words(), "; ", layout.words));
      compare(RunPass(instance, layout.x), expected);
    }
    if (weight) return;  // a weight is always [out, in]
    // Rows are tokens, however many leading dimensions they have.
    for (const std::vector<int64_t>& leading :
         {std::vector<int64_t>{2, 3}, {1, 6}, {6, 1}, {3, 1, 2}}) {
      std::vector<int64_t> shape = leading;
      shape.push_back(one.in);
      const Input other = {input.x.view(shape),
                           absl::StrCat(input.words, ", as ", ShapeText(shape))};
      probe.Trying(absl::StrCat(one.Words(), "; ", other.words));
      Pass pass = RunPass(instance, other.x);
      if (pass.y.dim() != other.x.dim()) {
        probe.Fail(absl::StrCat("the result has shape ", ShapeText(pass.y.sizes())));
        continue;
      }
      pass.y = pass.y.reshape({rows, -1});
      pass.gradient = pass.gradient.reshape({rows, -1});
      compare(pass, expected);
    }
    for (const std::vector<int64_t>& shape :
         {std::vector<int64_t>{one.in}, {1, one.in}, {0, one.in}, {2, 0, one.in}}) {
      const Input few = NormalInput(shape, probe.seed() + 73);
      probe.Trying(absl::StrCat(one.Words(), "; ", few.words));
      const Pass pass = RunPass(instance, few.x);
      std::vector<int64_t> result = shape;
      result.back() = one.whole ? one.out : one.in;
      if (pass.y.sizes() != at::IntArrayRef(result) || pass.gradient.sizes() != few.x.sizes()) {
        probe.Fail(absl::StrCat("the result has shape ", ShapeText(pass.y.sizes()),
                                ", its gradient ", ShapeText(pass.gradient.sizes())));
      }
    }
  });
}

}  // namespace qatlas::conformance
