// Tensors that checks feed, with words that make them again, and comparison by bits.
#ifndef QATLAS_SDK_CONFORMANCE_TORCH_VALUES_H_
#define QATLAS_SDK_CONFORMANCE_TORCH_VALUES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "ATen/ATen.h"

namespace qatlas::conformance {

// A tensor and the rule that made it: "torch.randn([6, 128]) of seed 7, float32".
struct Input {
  at::Tensor x;
  std::string words;
};

// Standard normal values: what torch.randn gives for a CPU generator with this seed.
at::Tensor Normal(at::IntArrayRef shape, uint64_t seed, at::ScalarType dtype = at::kFloat);
Input NormalInput(at::IntArrayRef shape, uint64_t seed, at::ScalarType dtype = at::kFloat);

// The inputs that a check of values goes through, all finite: normal values; the same with an
// outlier in each row; with zeros of both signs; a ramp through many codes; small and large
// magnitudes.
std::vector<Input> OrdinaryInputs(at::IntArrayRef shape, uint64_t seed, at::ScalarType dtype);

// "[6, 128]".
std::string ShapeText(at::IntArrayRef shape);
// "float32", "bfloat16", else ATen's own name.
std::string DtypeText(at::ScalarType dtype);

// "" where a and b have the same dtype, shape and bits (every NaN equals every NaN); else what
// differs: "3 of 768 elements differ, first at [2, 17]: 0.5 and 0.25".
std::string BitDifference(const at::Tensor& a, const at::Tensor& b);
// "" where |a - b| <= tolerance * (the largest |b|) everywhere; else what differs. NaN differs from
// all.
std::string Difference(const at::Tensor& a, const at::Tensor& b, double tolerance);

// "first at [2, 17]" for the first true of a mask.
std::string FirstOf(const at::Tensor& mask);
// The value at the first true of a mask.
double ValueAtFirst(const at::Tensor& values, const at::Tensor& mask);

// The largest |x|, 0 for an empty tensor.
double LargestMagnitude(const at::Tensor& x);
bool AllFinite(const at::Tensor& x);

}  // namespace qatlas::conformance

#endif  // QATLAS_SDK_CONFORMANCE_TORCH_VALUES_H_
