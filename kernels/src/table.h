// The functions that exist once per instruction set. Arguments are those of the public functions of
// the same name; `absmax` tells AbsMax (entries = gamma or null) from given scales.
#ifndef QATLAS_KERNELS_SRC_TABLE_H_
#define QATLAS_KERNELS_SRC_TABLE_H_

#include <qatlas/kernels/attention.h>
#include <qatlas/kernels/fake_quant.h>
#include <qatlas/kernels/rotary.h>
#include <qatlas/kernels/types.h>

#include <cstdint>

namespace qatlas::kernels::internal {

template <typename T>
struct QuantTable {
  void (*forward)(const FakeQuantParams&, RowRange, bool absmax, const T* x, const float* entries,
                  T* out);
  // scales: written under AbsMax only. Returns the number of NaN elements.
  std::int64_t (*encode)(const FakeQuantParams&, RowRange, bool absmax, const T* x,
                         const float* entries, std::int8_t* codes, float* scales);
  void (*decode)(const FakeQuantParams&, RowRange, const std::int8_t* codes, const float* scale,
                 T* out);
  void (*backward)(const FakeQuantParams&, RowRange, bool absmax, const T* x, const float* entries,
                   const T* grad_out, T* grad_x, float* grad_entries);
};

struct Table {
  const char* name;
  QuantTable<float> quant_float;
  QuantTable<Bf16> quant_bf16;
  void (*attention)(RowRange, const AttentionShape&, HeadsIn query, HeadsIn key, HeadsIn value,
                    HeadsOut out, float* log_sum, float* scratch);
  void (*attention_backward)(RowRange, const AttentionShape&, HeadsIn query, HeadsIn key,
                             HeadsIn value, HeadsIn out, const float* log_sum, HeadsIn grad_out,
                             HeadsOut grad_query, HeadsOut grad_key, HeadsOut grad_value,
                             float* scratch);
  // grad: null for the loss alone.
  void (*cross_entropy)(RowRange, std::int64_t vocab, const float* logits,
                        const std::int64_t* targets, float weight, float* loss, float* grad);
  void (*scale_rows)(RowRange, std::int64_t cols, const float* scale, float* values);
  // residual and sum: null without the addition.
  void (*rms_norm)(RowRange, std::int64_t cols, const float* x, const float* residual,
                   const float* weight, float eps, float* sum, float* y, float* rstd);
  void (*rms_norm_backward)(RowRange, std::int64_t cols, const float* x, const float* weight,
                            const float* rstd, const float* grad_y, const float* grad_sum,
                            float* grad_x, float* grad_weight);
  void (*rotary)(RowRange, std::int64_t seq, std::int64_t heads, std::int64_t head_dim,
                 const float* cos, const float* sin, bool inverse, const float* in,
                 HeadsView in_view, float* out, HeadsView out_view);
  void (*swiglu)(RowRange, std::int64_t width, const float* x, float* out);
  void (*swiglu_backward)(RowRange, std::int64_t width, const float* x, const float* grad_out,
                          float* grad_x);
  // Element-wise, for tests of accuracy: out = exp(x).
  void (*exp)(std::int64_t count, const float* x, float* out);
};

const Table& PortableTable();
const Table& Avx2Table();
const Table& Avx512Table();

// The table in use; the first call chooses it.
const Table& Active();

template <typename T>
const QuantTable<T>& ActiveQuant();
template <>
inline const QuantTable<float>& ActiveQuant<float>() {
  return Active().quant_float;
}
template <>
inline const QuantTable<Bf16>& ActiveQuant<Bf16>() {
  return Active().quant_bf16;
}

}  // namespace qatlas::kernels::internal

#endif  // QATLAS_KERNELS_SRC_TABLE_H_
