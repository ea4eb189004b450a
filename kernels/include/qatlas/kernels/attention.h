// Causal softmax attention, forward and backward, without a matrix of scores in memory beyond some
// rows of it (Dao et al. 2022, arXiv:2205.14135; a block of query rows meets all of its keys at
// once, so that the softmax needs no rescaling).
#ifndef QATLAS_KERNELS_ATTENTION_H_
#define QATLAS_KERNELS_ATTENTION_H_

#include <qatlas/kernels/rotary.h>
#include <qatlas/kernels/types.h>

#include <cstdint>

namespace qatlas::kernels {

// Query head h reads the keys and values of head h / (heads / kv_heads) (grouped-query attention,
// Ainslie et al. 2023, arXiv:2305.13245); kv_heads divides heads. Position t sees 0..t.
struct AttentionShape {
  std::int64_t seq;       // positions
  std::int64_t heads;     // of the queries
  std::int64_t kv_heads;  // of keys and values
  std::int64_t head_dim;  // features of a head
  float scale;            // of the scores, usually 1 / sqrt(head_dim)
};

// A tensor [batch, seq, heads or kv_heads, head_dim] that is read.
struct HeadsIn {
  const float* data;  // its first element
  HeadsView view;     // how it lies in memory
};
// The same of one that is written.
struct HeadsOut {
  float* data;     // its first element
  HeadsView view;  // how it lies in memory
};

// Floats of scratch memory that one call of the forward or backward pass needs; what is in it does
// not matter.
std::int64_t AttentionScratch(const AttentionShape& shape);
std::int64_t AttentionBackwardScratch(const AttentionShape& shape);

// For units `range` of [batch * heads] (unit = b * heads + h):
//   p[t, j] = exp(scale * query[t] . key[j] - log_sum[t]),   out[t] = sum_{j <= t} p[t, j] value[j]
// log_sum: [batch, heads, seq], written, so that the p of a row sum to 1.
void CausalAttention(RowRange range, const AttentionShape& shape, HeadsIn query, HeadsIn key,
                     HeadsIn value, HeadsOut out, float* log_sum, float* scratch);

// For units `range` of [batch * kv_heads] (unit = b * kv_heads + g), with all query heads that read
// their keys; out and log_sum are the forward pass's:
//   d value[j] = sum_t p[t, j] grad_out[t]
//   ds[t, j]   = p[t, j] (grad_out[t] . value[j] - grad_out[t] . out[t])
//   d query[t] = scale * sum_j ds[t, j] key[j],   d key[j] = scale * sum_t ds[t, j] query[t]
// Sums are made in one order, whatever the number of threads.
void CausalAttentionBackward(RowRange range, const AttentionShape& shape, HeadsIn query,
                             HeadsIn key, HeadsIn value, HeadsIn out, const float* log_sum,
                             HeadsIn grad_out, HeadsOut grad_query, HeadsOut grad_key,
                             HeadsOut grad_value, float* scratch);

}  // namespace qatlas::kernels

#endif  // QATLAS_KERNELS_ATTENTION_H_
