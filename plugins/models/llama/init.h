// Initial values that depend on the seed and the parameter's name alone.
#ifndef QATLAS_PLUGINS_MODELS_LLAMA_INIT_H_
#define QATLAS_PLUGINS_MODELS_LLAMA_INIT_H_

#include <cstdint>
#include <string_view>

#include "ATen/ATen.h"

namespace qatlas::llama {

// FP32 leaf of N(0, std²) that requires a gradient. Drawn on the CPU, so that every device starts
// from the same values; on the meta device nothing is drawn.
at::Tensor NormalParameter(uint64_t seed, std::string_view name, at::IntArrayRef shape, double std,
                           at::Device device);

// FP32 leaf of ones that requires a gradient.
at::Tensor OnesParameter(at::IntArrayRef shape, at::Device device);

}  // namespace qatlas::llama

#endif  // QATLAS_PLUGINS_MODELS_LLAMA_INIT_H_
