// Fake quantization and encoding on CUDA, one warp per group; the arithmetic is element.h's.
#include <qatlas/kernels/cuda.h>

#include "groups.cuh"

namespace qatlas::kernels::cuda {
namespace {

template <typename T>
__global__ void ForwardKernel(Shape shape, bool absmax, const T* x, const float* entries, T* out) {
  const int lane = threadIdx.x % kWarp;
  for (std::int64_t rg = FirstGroup(); rg < shape.rows * shape.groups; rg += GroupStride()) {
    const Group group = GroupAt(shape, rg);
    float unit;
    const float s = GroupScale(shape, absmax, x, group, entries, lane, &unit);
    for (std::int64_t i = lane; i < group.size; i += kWarp) {
      const float value = element::ToFloat(x[group.offset + i]);
      out[group.offset + i] =
          element::FromFloat<T>(element::FakeQuant(value, s, shape.q_min, shape.q_max));
    }
  }
}

template <typename T>
__global__ void EncodeKernel(Shape shape, bool absmax, const T* x, const float* entries,
                             std::int8_t* codes, float* scales, unsigned long long* nan_count) {
  const int lane = threadIdx.x % kWarp;
  unsigned long long nans = 0;
  for (std::int64_t rg = FirstGroup(); rg < shape.rows * shape.groups; rg += GroupStride()) {
    const Group group = GroupAt(shape, rg);
    float unit;
    const float s = GroupScale(shape, absmax, x, group, entries, lane, &unit);
    if (scales != nullptr && lane == 0) scales[rg] = s;
    for (std::int64_t i = lane; i < group.size; i += kWarp) {
      const float value = element::ToFloat(x[group.offset + i]);
      codes[group.offset + i] = element::EncodeOne(value, s, shape.q_min, shape.q_max);
      nans += value != value ? 1 : 0;
    }
  }
  if (nan_count != nullptr && nans > 0) atomicAdd(nan_count, nans);
}

template <typename T>
const char* Forward(const FakeQuantParams& params, bool absmax, const T* x, const float* entries,
                    T* out, void* stream) {
  if (const char* problem = Problem(params)) return problem;
  const Shape shape = ShapeOf(params);
  if (shape.rows == 0) return nullptr;
  ForwardKernel<<<GridFor(shape.rows * shape.groups), BlockOf(), 0,
                  static_cast<cudaStream_t>(stream)>>>(shape, absmax, x, entries, out);
  return LaunchError();
}

template <typename T>
const char* Encode(const FakeQuantParams& params, bool absmax, const T* x, const float* entries,
                   std::int8_t* codes, float* scales, unsigned long long* nan_count, void* stream) {
  if (const char* problem = Problem(params)) return problem;
  const Shape shape = ShapeOf(params);
  if (shape.rows == 0) return nullptr;
  EncodeKernel<<<GridFor(shape.rows * shape.groups), BlockOf(), 0,
                 static_cast<cudaStream_t>(stream)>>>(shape, absmax, x, entries, codes, scales,
                                                      nan_count);
  return LaunchError();
}

}  // namespace

const char* FakeQuantAbsMax(const FakeQuantParams& params, const float* x, const float* gamma,
                            float* out, void* stream) {
  return Forward(params, true, x, gamma, out, stream);
}
const char* FakeQuantAbsMax(const FakeQuantParams& params, const Bf16* x, const float* gamma,
                            Bf16* out, void* stream) {
  return Forward(params, true, x, gamma, out, stream);
}
const char* FakeQuantScale(const FakeQuantParams& params, const float* x, const float* scale,
                           float* out, void* stream) {
  return Forward(params, false, x, scale, out, stream);
}
const char* FakeQuantScale(const FakeQuantParams& params, const Bf16* x, const float* scale,
                           Bf16* out, void* stream) {
  return Forward(params, false, x, scale, out, stream);
}

const char* EncodeAbsMax(const FakeQuantParams& params, const float* x, const float* gamma,
                         std::int8_t* codes, float* scales, void* stream) {
  return Encode(params, true, x, gamma, codes, scales, nullptr, stream);
}
const char* EncodeAbsMax(const FakeQuantParams& params, const Bf16* x, const float* gamma,
                         std::int8_t* codes, float* scales, void* stream) {
  return Encode(params, true, x, gamma, codes, scales, nullptr, stream);
}
const char* EncodeScale(const FakeQuantParams& params, const float* x, const float* scale,
                        std::int8_t* codes, unsigned long long* nan_count, void* stream) {
  return Encode(params, false, x, scale, codes, nullptr, nan_count, stream);
}
const char* EncodeScale(const FakeQuantParams& params, const Bf16* x, const float* scale,
                        std::int8_t* codes, unsigned long long* nan_count, void* stream) {
  return Encode(params, false, x, scale, codes, nullptr, nan_count, stream);
}

}  // namespace qatlas::kernels::cuda
