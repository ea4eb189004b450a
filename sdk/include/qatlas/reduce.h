// Sums and means of whole tensors that are the same bits with any number of threads.
#ifndef QATLAS_REDUCE_H_
#define QATLAS_REDUCE_H_

#include <cstdint>

#include "ATen/ATen.h"

namespace qatlas {

// The sum of all elements in FP64, a scalar; 0 of none. It has a gradient, and sums of FP32 values
// do not overflow.
//
// ATen cuts the sum of 32,768 and more elements to a single number into pieces, one for each
// thread, so that its last bits depend on their number. Sums of short rows are cut between rows
// only: rows of a fixed length are summed, then rows of their sums, until one is left.
inline at::Tensor OrderedSum(const at::Tensor& x) {
  constexpr int64_t kRow = 1024;
  at::Tensor sums = x.reshape({-1}).to(at::kDouble);
  if (sums.numel() == 0) return sums.sum();
  while (sums.numel() > 1) {
    const int64_t missing = (kRow - sums.numel() % kRow) % kRow;
    sums = at::constant_pad_nd(sums, {0, missing}).view({-1, kRow}).sum(1);
  }
  return sums.view(at::IntArrayRef());
}

// The mean of all elements in FP64, a scalar; 0 of none. As OrderedSum. The scale of a tensor:
//   const at::Tensor scale = OrderedMean(w.abs()).to(at::kFloat);
inline at::Tensor OrderedMean(const at::Tensor& x) {
  const at::Tensor sum = OrderedSum(x);
  return x.numel() == 0 ? sum : sum / static_cast<double>(x.numel());
}

}  // namespace qatlas

#endif  // QATLAS_REDUCE_H_
