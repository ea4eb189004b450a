// Root-mean-square normalization (Zhang and Sennrich 2019, arXiv:1910.07467), alone or fused with
// the residual addition before it.
#ifndef QATLAS_KERNELS_RMS_NORM_H_
#define QATLAS_KERNELS_RMS_NORM_H_

#include <qatlas/kernels/types.h>

#include <cstdint>

namespace qatlas::kernels {

// rstd[r] = 1 / sqrt(mean_j(x[r, j]^2) + eps),  y[r, j] = x[r, j] * rstd[r] * weight[j].
// x, y: [rows, cols] float, y may be x; weight: [cols]; rstd: [rows], or null if not wanted.
void RmsNorm(RowRange range, std::int64_t cols, const float* x, const float* weight, float eps,
             float* y, float* rstd);

// As above on the sum of two: sum = x + residual, y = RmsNorm(sum). sum may be x or residual.
void AddRmsNorm(RowRange range, std::int64_t cols, const float* x, const float* residual,
                const float* weight, float eps, float* sum, float* y, float* rstd);

// Gradients of RmsNorm from its input and rstd:
//   grad_x = rstd * (weight * grad_y - x * rstd^2 * mean_j(weight * grad_y * x)) + grad_sum
//   grad_weight[j] += sum over the range's rows of grad_y[r, j] * x[r, j] * rstd[r]
// grad_sum: gradient reaching x from elsewhere (AddRmsNorm's sum), or null; grad_x: null if not
// wanted, may be grad_y or grad_sum. grad_weight: [cols], null if not wanted; added to in the order
// of rows, so give each block of kRowsPerBlock rows a zeroed buffer and add them up with SumBlocks.
void RmsNormBackward(RowRange range, std::int64_t cols, const float* x, const float* weight,
                     const float* rstd, const float* grad_y, const float* grad_sum, float* grad_x,
                     float* grad_weight);

}  // namespace qatlas::kernels

#endif  // QATLAS_KERNELS_RMS_NORM_H_
