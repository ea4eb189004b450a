// One warp per group: what the forward and backward kernels share.
#ifndef QATLAS_KERNELS_CUDA_GROUPS_CUH_
#define QATLAS_KERNELS_CUDA_GROUPS_CUH_

#include <cuda_runtime.h>
#include <qatlas/kernels/element.h>
#include <qatlas/kernels/fake_quant.h>

#include <algorithm>
#include <cstdint>

namespace qatlas::kernels::cuda {

inline constexpr int kWarp = 32;
inline constexpr int kWarpsPerBlock = 8;
inline constexpr unsigned kAllLanes = 0xffffffffu;

// What a kernel needs of FakeQuantParams, with floats where it computes with floats.
struct Shape {
  std::int64_t rows;
  std::int64_t cols;
  std::int64_t group;
  std::int64_t groups;
  float q_min;
  float q_max;
  float divisor;
  ScaleIndex index;
  bool by_code;
};

inline Shape ShapeOf(const FakeQuantParams& p) {
  return {p.rows,
          p.cols,
          p.group,
          p.groups(),
          static_cast<float>(p.q_min),
          static_cast<float>(p.q_max),
          p.divisor,
          p.index,
          p.range == RangeTest::kCode};
}

// Where a group lies and which scale it has.
struct Group {
  std::int64_t offset;
  std::int64_t size;
  std::int64_t entry;
};

__device__ inline Group GroupAt(const Shape& shape, std::int64_t row_group) {
  const std::int64_t row = row_group / shape.groups;
  const std::int64_t g = row_group % shape.groups;
  const std::int64_t left = shape.cols - g * shape.group;
  Group group;
  group.offset = row * shape.cols + g * shape.group;
  group.size = left < shape.group ? left : shape.group;
  group.entry = shape.index == ScaleIndex::kTensor  ? 0
                : shape.index == ScaleIndex::kRow   ? row
                : shape.index == ScaleIndex::kGroup ? g
                                                    : row_group;
  return group;
}

__device__ inline std::int32_t WarpMax(std::int32_t value) {
  for (int step = kWarp / 2; step > 0; step /= 2) {
    value = max(value, __shfl_xor_sync(kAllLanes, value, step));
  }
  return value;
}

// The order of additions is fixed, so results repeat.
__device__ inline float WarpSum(float value) {
  for (int step = kWarp / 2; step > 0; step /= 2) {
    value = element::Add(value, __shfl_xor_sync(kAllLanes, value, step));
  }
  return value;
}

// The scale of a group, the same in all lanes; *unit is what gamma is multiplied with.
template <typename T>
__device__ float GroupScale(const Shape& shape, bool absmax, const T* x, const Group& group,
                            const float* entries, int lane, float* unit) {
  *unit = 1.0f;
  if (!absmax) return entries[group.entry];
  std::int32_t bits = 0;
  for (std::int64_t i = lane; i < group.size; i += kWarp) {
    bits = max(bits, element::AbsBits(element::ToFloat(x[group.offset + i])));
  }
  *unit = element::AbsMaxUnit(WarpMax(bits), shape.divisor);
  return entries == nullptr ? *unit : element::AbsMaxScale(*unit, entries[group.entry]);
}

// Enough blocks to fill the device; each warp then strides over the groups.
inline dim3 GridFor(std::int64_t row_groups) {
  const std::int64_t blocks = (row_groups + kWarpsPerBlock - 1) / kWarpsPerBlock;
  return dim3(static_cast<unsigned>(std::clamp<std::int64_t>(blocks, 1, 65535)));
}
inline dim3 BlockOf() { return dim3(kWarp * kWarpsPerBlock); }

__device__ inline std::int64_t FirstGroup() {
  return static_cast<std::int64_t>(blockIdx.x) * kWarpsPerBlock + threadIdx.x / kWarp;
}
__device__ inline std::int64_t GroupStride() {
  return static_cast<std::int64_t>(gridDim.x) * kWarpsPerBlock;
}

// Null, or the runtime's message about the last launch.
inline const char* LaunchError() {
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

}  // namespace qatlas::kernels::cuda

#endif  // QATLAS_KERNELS_CUDA_GROUPS_CUH_
