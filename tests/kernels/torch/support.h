// Tensors and comparisons of the tests of the kernels' autograd.
#ifndef QATLAS_TESTS_KERNELS_TORCH_SUPPORT_H_
#define QATLAS_TESTS_KERNELS_TORCH_SUPPORT_H_

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

namespace qatlas::kernels {

// FP32 of a normal distribution with this standard deviation.
inline at::Tensor Random(at::IntArrayRef sizes, double scale, std::uint64_t seed) {
  at::manual_seed(seed);
  return at::randn(sizes, at::kFloat).mul_(scale);
}

inline at::Tensor Leaf(const at::Tensor& t) { return t.detach().clone().requires_grad_(true); }

// Within `tolerance` of the largest absolute value, or of 1 where that is smaller.
inline void ExpectClose(const at::Tensor& got, const at::Tensor& want, double tolerance) {
  ASSERT_EQ(got.sizes(), want.sizes());
  EXPECT_LE((got - want).abs().max().item<double>(),
            tolerance * std::max(1.0, want.abs().max().item<double>()));
}

}  // namespace qatlas::kernels

#endif  // QATLAS_TESTS_KERNELS_TORCH_SUPPORT_H_
