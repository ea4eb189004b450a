#include <qatlas/kernels/rotary.h>

#include <cstring>

#include "check.h"
#include "table.h"

namespace qatlas::kernels {

void Rotary(RowRange range, std::int64_t seq, std::int64_t heads, std::int64_t head_dim,
            const float* cos, const float* sin, bool inverse, const float* in, HeadsView in_view,
            float* out, HeadsView out_view) {
  QATLAS_KERNELS_CHECK(seq >= 1 && heads >= 0 && head_dim >= 2 && head_dim % 2 == 0,
                       "Rotary: the head dimension must be even and positive");
  internal::Active().rotary(range, seq, heads, head_dim, cos, sin, inverse, in, in_view, out,
                            out_view);
}

void CopyHeads(RowRange range, std::int64_t seq, std::int64_t heads, std::int64_t head_dim,
               const float* in, HeadsView in_view, float* out, HeadsView out_view) {
  QATLAS_KERNELS_CHECK(seq >= 1 && heads >= 0 && head_dim >= 1, "CopyHeads: bad shape");
  for (std::int64_t token = range.begin; token < range.end; ++token) {
    const std::int64_t b = token / seq;
    const std::int64_t t = token % seq;
    for (std::int64_t head = 0; head < heads; ++head) {
      std::memcpy(
          out + b * out_view.batch_stride + t * out_view.token_stride + head * out_view.head_stride,
          in + b * in_view.batch_stride + t * in_view.token_stride + head * in_view.head_stride,
          static_cast<std::size_t>(head_dim) * sizeof(float));
    }
  }
}

}  // namespace qatlas::kernels
