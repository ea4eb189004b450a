// Initial values of a model's parameters, which depend on the seed and the parameter's name alone:
// a deeper model starts with the same embedding, whatever was created before it. layers.h makes whole
// linears of them.
#ifndef QATLAS_INIT_H_
#define QATLAS_INIT_H_

#include <cstdint>
#include <string_view>

#include "ATen/ATen.h"
#include "ATen/CPUGeneratorImpl.h"

namespace qatlas {
namespace internal {

// FNV-1a over the name, mixed with the seed by the finalizer of SplitMix64. ATen's generator takes
// 32 bits of its seed, hence the fold.
inline uint64_t StreamSeed(uint64_t seed, std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (const char c : name) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  }
  uint64_t z = hash + seed * 0x9e3779b97f4a7c15ull;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  z ^= z >> 31;
  return (z ^ (z >> 32)) & 0xffffffffull;
}

}  // namespace internal

// FP32 leaf of N(0, std²) that requires a gradient. Drawn on the CPU, so that every device starts
// from the same values; on the meta device nothing is drawn.
inline at::Tensor NormalParameter(uint64_t seed, std::string_view name, at::IntArrayRef shape,
                                  double std, at::Device device) {
  if (device.is_meta()) {
    return at::empty(shape, at::TensorOptions(at::kFloat).device(device)).requires_grad_();
  }
  at::Generator generator = at::detail::createCPUGenerator(internal::StreamSeed(seed, name));
  at::Tensor values = at::empty(shape, at::TensorOptions(at::kFloat)).normal_(0, std, generator);
  return values.to(device).requires_grad_();
}

// FP32 leaf of one value (norms: 1, biases: 0) that requires a gradient.
inline at::Tensor ConstantParameter(double value, at::IntArrayRef shape, at::Device device) {
  return at::full(shape, value, at::TensorOptions(at::kFloat).device(device)).requires_grad_();
}

}  // namespace qatlas

#endif  // QATLAS_INIT_H_
