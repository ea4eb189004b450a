// SwiGLU (Shazeer 2020, arXiv:2002.05202) on a packed gate|up buffer.
#ifndef QATLAS_KERNELS_SWIGLU_H_
#define QATLAS_KERNELS_SWIGLU_H_

#include <qatlas/kernels/types.h>

#include <cstdint>

namespace qatlas::kernels {

// out[r, j] = silu(x[r, j]) * x[r, width + j], silu(g) = g / (1 + exp(-g)).
// x: [rows, 2 * width] float, gate first; out: [rows, width].
void SwiGlu(RowRange range, std::int64_t width, const float* x, float* out);

// grad_x: [rows, 2 * width], may be x; grad_out: [rows, width].
//   d gate = grad_out * up * sigmoid(gate) * (1 + gate * (1 - sigmoid(gate)))
//   d up   = grad_out * silu(gate)
void SwiGluBackward(RowRange range, std::int64_t width, const float* x, const float* grad_out,
                    float* grad_x);

}  // namespace qatlas::kernels

#endif  // QATLAS_KERNELS_SWIGLU_H_
