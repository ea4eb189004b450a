// Spreads a kernel over the rows of a tensor with LibTorch's own thread pool.
#ifndef QATLAS_KERNELS_TORCH_PARALLEL_H_
#define QATLAS_KERNELS_TORCH_PARALLEL_H_

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <qatlas/kernels/types.h>

#include <algorithm>
#include <cstdint>

namespace qatlas::kernels {

// Elements below which a second thread costs more than it brings.
inline constexpr std::int64_t kParallelElements = 16384;

// f(RowRange) for ranges that cover [0, rows), each with about kParallelElements elements or more.
template <typename F>
void ParallelRows(std::int64_t rows, std::int64_t elements_per_row, const F& f) {
  const std::int64_t grain =
      std::max<std::int64_t>(1, kParallelElements / std::max<std::int64_t>(1, elements_per_row));
  at::parallel_for(0, rows, grain, [&](std::int64_t begin, std::int64_t end) {
    f(RowRange{begin, end});
  });
}

// f(RowRange, float* partial) for each block of kRowsPerBlock rows, with a zeroed partial sum
// [cols] of its own; returns their sum [cols]. The result does not depend on the number of threads.
template <typename F>
at::Tensor SumOverBlocks(std::int64_t rows, std::int64_t elements_per_row, std::int64_t cols,
                         const F& f) {
  const std::int64_t blocks = BlocksOf(rows);
  at::Tensor partials = at::zeros({blocks, cols}, at::kFloat);
  float* partial = partials.data_ptr<float>();
  const std::int64_t block_elements = kRowsPerBlock * std::max<std::int64_t>(1, elements_per_row);
  const std::int64_t grain = std::max<std::int64_t>(1, kParallelElements / block_elements);
  at::parallel_for(0, blocks, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t block = begin; block < end; ++block) {
      const std::int64_t first = block * kRowsPerBlock;
      f(RowRange{first, std::min(rows, first + kRowsPerBlock)}, partial + block * cols);
    }
  });
  at::Tensor sum = at::empty({cols}, at::kFloat);
  SumBlocks(partial, blocks, cols, sum.data_ptr<float>());
  return sum;
}

}  // namespace qatlas::kernels

#endif  // QATLAS_KERNELS_TORCH_PARALLEL_H_
