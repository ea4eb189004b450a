#include <qatlas/kernels/rms_norm.h>

#include "check.h"
#include "table.h"

namespace qatlas::kernels {

void RmsNorm(RowRange range, std::int64_t cols, const float* x, const float* weight, float eps,
             float* y, float* rstd) {
  QATLAS_KERNELS_CHECK(cols >= 1, "RmsNorm: there are no columns");
  internal::Active().rms_norm(range, cols, x, nullptr, weight, eps, nullptr, y, rstd);
}

void AddRmsNorm(RowRange range, std::int64_t cols, const float* x, const float* residual,
                const float* weight, float eps, float* sum, float* y, float* rstd) {
  QATLAS_KERNELS_CHECK(cols >= 1 && residual != nullptr && sum != nullptr,
                       "AddRmsNorm: no columns, residual or sum");
  internal::Active().rms_norm(range, cols, x, residual, weight, eps, sum, y, rstd);
}

void RmsNormBackward(RowRange range, std::int64_t cols, const float* x, const float* weight,
                     const float* rstd, const float* grad_y, const float* grad_sum, float* grad_x,
                     float* grad_weight) {
  QATLAS_KERNELS_CHECK(cols >= 1, "RmsNormBackward: there are no columns");
  internal::Active().rms_norm_backward(range, cols, x, weight, rstd, grad_y, grad_sum, grad_x,
                                       grad_weight);
}

}  // namespace qatlas::kernels
