#include <qatlas/kernels/attention.h>

#include "check.h"
#include "table.h"

namespace qatlas::kernels {
namespace {

#include "isa/attention_scratch.inc"

void Check(const AttentionShape& shape) {
  QATLAS_KERNELS_CHECK(shape.seq >= 1 && shape.head_dim >= 1 && shape.kv_heads >= 1 &&
                           shape.heads >= 1 && shape.heads % shape.kv_heads == 0,
                       "CausalAttention: sizes must be positive, and kv_heads must divide heads");
}

}  // namespace

std::int64_t AttentionScratch(const AttentionShape& shape) {
  Check(shape);
  return ForwardScratch(shape, nullptr).size;
}

std::int64_t AttentionBackwardScratch(const AttentionShape& shape) {
  Check(shape);
  return BackwardScratch(shape, nullptr).size;
}

void CausalAttention(RowRange range, const AttentionShape& shape, HeadsIn query, HeadsIn key,
                     HeadsIn value, HeadsOut out, float* log_sum, float* scratch) {
  Check(shape);
  internal::Active().attention(range, shape, query, key, value, out, log_sum, scratch);
}

void CausalAttentionBackward(RowRange range, const AttentionShape& shape, HeadsIn query,
                             HeadsIn key, HeadsIn value, HeadsIn out, const float* log_sum,
                             HeadsIn grad_out, HeadsOut grad_query, HeadsOut grad_key,
                             HeadsOut grad_value, float* scratch) {
  Check(shape);
  internal::Active().attention_backward(range, shape, query, key, value, out, log_sum, grad_out,
                                        grad_query, grad_key, grad_value, scratch);
}

}  // namespace qatlas::kernels
