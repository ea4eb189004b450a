// Gradients of fake quantization on CUDA. Each warp writes the sum of its group; a second kernel
// adds the groups that share a scale in a fixed order, so there are no atomics and results repeat.
#include <qatlas/kernels/cuda.h>

#include "groups.cuh"

namespace qatlas::kernels::cuda {
namespace {

constexpr int kReduceThreads = 256;

template <typename T>
__global__ void BackwardKernel(Shape shape, bool absmax, const T* x, const float* entries,
                               const T* grad_out, T* grad_x, float* partials) {
  const int lane = threadIdx.x % kWarp;
  for (std::int64_t rg = FirstGroup(); rg < shape.rows * shape.groups; rg += GroupStride()) {
    const Group group = GroupAt(shape, rg);
    float unit;
    const float s = GroupScale(shape, absmax, x, group, entries, lane, &unit);
    float sum = 0.0f;
    for (std::int64_t i = lane; i < group.size; i += kWarp) {
      const std::int64_t at = group.offset + i;
      const element::StepGradient d =
          element::Backward(element::ToFloat(x[at]), s, shape.q_min, shape.q_max, shape.by_code);
      const T grad = grad_out[at];
      sum = element::Add(sum, element::Multiply(element::ToFloat(grad), d.per_step));
      if (grad_x != nullptr) grad_x[at] = d.in_range ? grad : element::FromFloat<T>(0.0f);
    }
    if (partials == nullptr) continue;
    sum = s == 0.0f ? 0.0f : WarpSum(sum);
    if (lane == 0) partials[rg] = element::Multiply(sum, unit);
  }
}

// One block per entry: thread t adds the partials t, t + threads, ... in double; then a tree.
__global__ void ReduceKernel(Shape shape, const float* partials, float* grad) {
  __shared__ double sums[kReduceThreads];
  const std::int64_t entry = blockIdx.x;
  std::int64_t first = entry;
  std::int64_t step = 1;
  std::int64_t count = 1;
  if (shape.index == ScaleIndex::kTensor) {
    first = 0;
    count = shape.rows * shape.groups;
  } else if (shape.index == ScaleIndex::kRow) {
    first = entry * shape.groups;
    count = shape.groups;
  } else if (shape.index == ScaleIndex::kGroup) {
    step = shape.groups;
    count = shape.rows;
  }
  double sum = 0.0;
  for (std::int64_t i = threadIdx.x; i < count; i += kReduceThreads) {
    sum += static_cast<double>(partials[first + i * step]);
  }
  sums[threadIdx.x] = sum;
  for (int half = kReduceThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  if (threadIdx.x == 0) grad[entry] = static_cast<float>(sums[0]);
}

template <typename T>
const char* Backward(const FakeQuantParams& params, bool absmax, const T* x, const float* entries,
                     const T* grad_out, T* grad_x, float* partials, void* stream) {
  if (const char* problem = Problem(params)) return problem;
  const Shape shape = ShapeOf(params);
  if (shape.rows == 0 || (grad_x == nullptr && partials == nullptr)) return nullptr;
  BackwardKernel<<<GridFor(shape.rows * shape.groups), BlockOf(), 0,
                   static_cast<cudaStream_t>(stream)>>>(shape, absmax, x, entries, grad_out, grad_x,
                                                        partials);
  return LaunchError();
}

}  // namespace

const char* FakeQuantAbsMaxBackward(const FakeQuantParams& params, const float* x,
                                    const float* gamma, const float* grad_out, float* grad_x,
                                    float* partials, void* stream) {
  return Backward(params, true, x, gamma, grad_out, grad_x, partials, stream);
}
const char* FakeQuantAbsMaxBackward(const FakeQuantParams& params, const Bf16* x,
                                    const float* gamma, const Bf16* grad_out, Bf16* grad_x,
                                    float* partials, void* stream) {
  return Backward(params, true, x, gamma, grad_out, grad_x, partials, stream);
}
const char* FakeQuantScaleBackward(const FakeQuantParams& params, const float* x,
                                   const float* scale, const float* grad_out, float* grad_x,
                                   float* partials, void* stream) {
  return Backward(params, false, x, scale, grad_out, grad_x, partials, stream);
}
const char* FakeQuantScaleBackward(const FakeQuantParams& params, const Bf16* x, const float* scale,
                                   const Bf16* grad_out, Bf16* grad_x, float* partials,
                                   void* stream) {
  return Backward(params, false, x, scale, grad_out, grad_x, partials, stream);
}

const char* ReducePartials(const FakeQuantParams& params, const float* partials, float* grad,
                           void* stream) {
  if (const char* problem = Problem(params)) return problem;
  const Shape shape = ShapeOf(params);
  std::int64_t entries = shape.rows * shape.groups;
  if (shape.index == ScaleIndex::kTensor) entries = 1;
  if (shape.index == ScaleIndex::kRow) entries = shape.rows;
  if (shape.index == ScaleIndex::kGroup) entries = shape.groups;
  if (entries == 0) return nullptr;
  if (entries > 0x7fffffff) return "too many scales for one launch";
  ReduceKernel<<<dim3(static_cast<unsigned>(entries)), kReduceThreads, 0,
                 static_cast<cudaStream_t>(stream)>>>(shape, partials, grad);
  return LaunchError();
}

}  // namespace qatlas::kernels::cuda
