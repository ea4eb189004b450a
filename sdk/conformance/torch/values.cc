#include "sdk/conformance/torch/values.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "ATen/CPUGeneratorImpl.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace qatlas::conformance {
namespace {

std::string Place(const at::Tensor& mask, int64_t flat) {
  std::vector<int64_t> place(mask.dim());
  for (int64_t d = mask.dim() - 1; d >= 0; --d) {
    place[d] = flat % mask.size(d);
    flat /= mask.size(d);
  }
  return ShapeText(place);
}

int64_t FirstTrue(const at::Tensor& mask) {
  return mask.reshape({-1}).to(at::kByte).argmax().item<int64_t>();
}

// Nine digits tell any two FP32 values apart.
std::string Exactly(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.9g", value);
  return text;
}

std::string Summary(const at::Tensor& a, const at::Tensor& b, const at::Tensor& differs) {
  return absl::StrCat(differs.sum().item<int64_t>(), " of ", a.numel(), " elements differ, ",
                      FirstOf(differs), ": ", Exactly(ValueAtFirst(a, differs)), " and ",
                      Exactly(ValueAtFirst(b, differs)));
}

std::string KindDifference(const at::Tensor& a, const at::Tensor& b) {
  if (!a.defined() || !b.defined()) {
    return a.defined() == b.defined() ? "" : "one of the tensors is undefined";
  }
  if (a.scalar_type() != b.scalar_type()) {
    return absl::StrCat("dtype ", DtypeText(a.scalar_type()), " and ", DtypeText(b.scalar_type()));
  }
  if (a.sizes() != b.sizes()) {
    return absl::StrCat("shape ", ShapeText(a.sizes()), " and ", ShapeText(b.sizes()));
  }
  return "";
}

}  // namespace

at::Tensor Normal(at::IntArrayRef shape, uint64_t seed, at::ScalarType dtype) {
  // ATen's generator takes 32 bits of its seed.
  at::Generator generator = at::detail::createCPUGenerator(seed & 0xffffffffu);
  return at::empty(shape, at::TensorOptions(at::kFloat)).normal_(0, 1, generator).to(dtype);
}

Input NormalInput(at::IntArrayRef shape, uint64_t seed, at::ScalarType dtype) {
  return {Normal(shape, seed, dtype),
          absl::StrCat("x = torch.randn(", ShapeText(shape), ") of seed ", seed & 0xffffffffu, ", ",
                       DtypeText(dtype))};
}

std::vector<Input> OrdinaryInputs(at::IntArrayRef shape, uint64_t seed, at::ScalarType dtype) {
  const Input normal = NormalInput(shape, seed);
  const std::string as = absl::StrCat(" as ", DtypeText(dtype));
  const int64_t features = shape.back();
  std::vector<Input> inputs = {{normal.x.to(dtype), normal.words + as}};
  at::Tensor outlier = normal.x.clone();
  outlier.select(-1, features / 2).mul_(20);
  inputs.push_back({outlier.to(dtype),
                    absl::StrCat(normal.words, ", then x[..., ", features / 2, "] *= 20,", as)});
  at::Tensor zeros = normal.x.clone();
  zeros.view({-1}).slice(0, 0, {}, 3).zero_();
  zeros.view({-1}).slice(0, 1, {}, 3).fill_(-0.0);
  inputs.push_back(
      {zeros.to(dtype),
       absl::StrCat(normal.words, ", then x.view(-1)[0::3] = 0, x.view(-1)[1::3] = -0.0,", as)});
  const at::Tensor ramp =
      at::linspace(-3, 3, std::max<int64_t>(normal.x.numel(), 1), at::TensorOptions(at::kFloat))
          .reshape(shape);
  inputs.push_back({ramp.to(dtype), absl::StrCat("x = torch.linspace(-3, 3, ", ramp.numel(),
                                                 ").view(", ShapeText(shape), ")", as)});
  for (const double factor : {1e-6, 1e6}) {
    inputs.push_back(
        {normal.x.mul(factor).to(dtype), absl::StrCat(normal.words, ", times ", factor, as)});
  }
  return inputs;
}

std::string ShapeText(at::IntArrayRef shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

std::string DtypeText(at::ScalarType dtype) {
  if (dtype == at::kFloat) return "float32";
  if (dtype == at::kBFloat16) return "bfloat16";
  return c10::toString(dtype);
}

std::string BitDifference(const at::Tensor& a, const at::Tensor& b) {
  if (std::string kind = KindDifference(a, b); !kind.empty() || !a.defined()) return kind;
  const at::NoGradGuard no_grad;
  const at::Tensor left = a.detach().to(at::kCPU).contiguous();
  const at::Tensor right = b.detach().to(at::kCPU).contiguous();
  at::Tensor differs;
  if (!left.is_floating_point()) {
    differs = left.ne(right);
  } else {
    const at::ScalarType bits = left.element_size() == 2   ? at::kShort
                                : left.element_size() == 4 ? at::kInt
                                : left.element_size() == 8 ? at::kLong
                                                           : at::kByte;
    differs = left.view(bits).ne(right.view(bits));
    differs = differs.logical_and(left.isnan().logical_and(right.isnan()).logical_not());
  }
  if (!differs.any().item<bool>()) return "";
  return Summary(left, right, differs);
}

std::string Difference(const at::Tensor& a, const at::Tensor& b, double tolerance) {
  if (!a.defined() || !b.defined() || a.sizes() != b.sizes()) return KindDifference(a, b);
  const at::NoGradGuard no_grad;
  const at::Tensor left = a.detach().to(at::kCPU).to(at::kDouble);
  const at::Tensor right = b.detach().to(at::kCPU).to(at::kDouble);
  // Negated, so that NaN differs.
  const at::Tensor differs =
      (left - right).abs().le(tolerance * LargestMagnitude(right)).logical_not();
  if (!differs.any().item<bool>()) return "";
  return Summary(left, right, differs);
}

std::string FirstOf(const at::Tensor& mask) {
  return absl::StrCat("first at ", Place(mask, FirstTrue(mask)));
}

double ValueAtFirst(const at::Tensor& values, const at::Tensor& mask) {
  return values.detach().reshape({-1})[FirstTrue(mask)].item<double>();
}

double LargestMagnitude(const at::Tensor& x) {
  return x.numel() == 0 ? 0 : x.detach().to(at::kDouble).abs().max().item<double>();
}

bool AllFinite(const at::Tensor& x) { return x.detach().isfinite().all().item<bool>(); }

}  // namespace qatlas::conformance
