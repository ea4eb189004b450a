#include <qatlas/kernels/swiglu.h>

#include "check.h"
#include "table.h"

namespace qatlas::kernels {

void SwiGlu(RowRange range, std::int64_t width, const float* x, float* out) {
  QATLAS_KERNELS_CHECK(width >= 1, "SwiGlu: the width must be positive");
  internal::Active().swiglu(range, width, x, out);
}

void SwiGluBackward(RowRange range, std::int64_t width, const float* x, const float* grad_out,
                    float* grad_x) {
  QATLAS_KERNELS_CHECK(width >= 1, "SwiGluBackward: the width must be positive");
  internal::Active().swiglu_backward(range, width, x, grad_out, grad_x);
}

}  // namespace qatlas::kernels
