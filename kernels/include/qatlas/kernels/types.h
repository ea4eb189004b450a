// Types shared by the kernels' public headers. Nothing here knows tensors, threads or plugins.
#ifndef QATLAS_KERNELS_TYPES_H_
#define QATLAS_KERNELS_TYPES_H_

#include <cstdint>

namespace qatlas::kernels {

// A bfloat16 number as its 16 bits: the upper half of the float of the same value.
struct Bf16 {
  std::uint16_t bits;  // the upper half of a float
};

// A half-open range of rows. Kernels are single-threaded; callers give each thread a range.
// Buffers are always those of the whole matrix: a kernel offsets them by the range itself.
struct RowRange {
  std::int64_t begin;  // first row
  std::int64_t end;    // behind the last
};

// Reductions over rows (gradients of norm weights, of shared steps) are made in blocks of this many
// rows: one partial sum per block, added up in the order of blocks. The result therefore does not
// depend on how blocks are spread over threads.
inline constexpr std::int64_t kRowsPerBlock = 64;

inline constexpr std::int64_t BlocksOf(std::int64_t rows) {  // blocks that so many rows take
  return (rows + kRowsPerBlock - 1) / kRowsPerBlock;
}

// sums[c] = sum over blocks of partials[block * cols + c], accumulated in double in the order of
// blocks. partials: [blocks, cols] float; sums: [cols] float.
void SumBlocks(const float* partials, std::int64_t blocks, std::int64_t cols, float* sums);

}  // namespace qatlas::kernels

#endif  // QATLAS_KERNELS_TYPES_H_
