// Rotary position embedding (Su et al. 2021, arXiv:2104.09864) with the pairs of Llama's published
// weights: element i of a head is paired with element i + head_dim / 2 ("rotate half").
#ifndef QATLAS_KERNELS_ROTARY_H_
#define QATLAS_KERNELS_ROTARY_H_

#include <qatlas/kernels/types.h>

#include <cstdint>

namespace qatlas::kernels {

// Heads of tokens inside a larger buffer. Element (batch b, position t, head h, i) lies at
// data + b * batch_stride + t * token_stride + h * head_stride + i; strides in elements.
struct HeadsView {
  std::int64_t batch_stride;  // elements between sequences
  std::int64_t token_stride;  // elements between tokens
  std::int64_t head_stride;   // elements between heads
};

// For tokens `range` of [batch * seq] tokens (token = b * seq + t) and all `heads`:
//   out[i]     = in[i] * cos[t, i] - in[i + h] * sin[t, i]
//   out[i + h] = in[i + h] * cos[t, i] + in[i] * sin[t, i],   i < h = head_dim / 2
// or, with inverse = true, the rotation by the opposite angle, which is its backward pass.
// cos, sin: [seq, head_dim / 2] float, contiguous. head_dim is even. out may be in if the views are
// equal; else they must not overlap.
void Rotary(RowRange range, std::int64_t seq, std::int64_t heads, std::int64_t head_dim,
            const float* cos, const float* sin, bool inverse, const float* in, HeadsView in_view,
            float* out, HeadsView out_view);

// Copies heads between views without rotating, for the values beside queries and keys.
void CopyHeads(RowRange range, std::int64_t seq, std::int64_t heads, std::int64_t head_dim,
               const float* in, HeadsView in_view, float* out, HeadsView out_view);

}  // namespace qatlas::kernels

#endif  // QATLAS_KERNELS_ROTARY_H_
