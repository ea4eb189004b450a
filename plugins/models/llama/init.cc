#include "init.h"

#include "ATen/CPUGeneratorImpl.h"

namespace qatlas::llama {
namespace {

// FNV-1a over the name, mixed with the seed by the finalizer of SplitMix64. ATen's generator takes
// 32 bits of its seed, hence the fold.
uint64_t StreamSeed(uint64_t seed, std::string_view name) {
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

}  // namespace

at::Tensor NormalParameter(uint64_t seed, std::string_view name, at::IntArrayRef shape, double std,
                           at::Device device) {
  if (device.is_meta()) {
    return at::empty(shape, at::TensorOptions(at::kFloat).device(device)).requires_grad_();
  }
  at::Generator generator = at::detail::createCPUGenerator(StreamSeed(seed, name));
  at::Tensor values = at::empty(shape, at::TensorOptions(at::kFloat)).normal_(0, std, generator);
  return values.to(device).requires_grad_();
}

at::Tensor OnesParameter(at::IntArrayRef shape, at::Device device) {
  return at::ones(shape, at::TensorOptions(at::kFloat).device(device)).requires_grad_();
}

}  // namespace qatlas::llama
