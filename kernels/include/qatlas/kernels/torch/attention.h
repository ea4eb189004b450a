// Causal attention with autograd. Fused on the CPU in float32; elsewhere ATen's.
#ifndef QATLAS_KERNELS_TORCH_ATTENTION_H_
#define QATLAS_KERNELS_TORCH_ATTENTION_H_

#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/record_function.h>
#include <qatlas/kernels/attention.h>
#include <qatlas/kernels/torch/parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <optional>

namespace qatlas::kernels {
namespace internal {

// A [batch, heads, seq, head_dim] tensor with a contiguous last dimension.
inline HeadsIn HeadsOfTensor(const at::Tensor& t) {
  return {t.const_data_ptr<float>(), {t.stride(0), t.stride(2), t.stride(1)}};
}
inline HeadsOut HeadsOfTensor(at::Tensor& t) {
  return {t.mutable_data_ptr<float>(), {t.stride(0), t.stride(2), t.stride(1)}};
}
inline at::Tensor LastDimContiguous(const at::Tensor& t) {
  return t.stride(-1) == 1 ? t : t.contiguous();
}

// f(RowRange of units, float* scratch) on LibTorch's threads, each with scratch memory of its own.
template <typename F>
void ForAttentionUnits(std::int64_t units, const AttentionShape& shape, std::int64_t scratch_floats,
                       const F& f) {
  const at::Tensor scratch = at::empty({at::get_num_threads(), scratch_floats}, at::kFloat);
  float* base = scratch.mutable_data_ptr<float>();
  ParallelRows(units, shape.seq * (shape.seq + shape.head_dim),
               [&](RowRange range) { f(range, base + at::get_thread_num() * scratch_floats); });
}

class CausalAttentionFunction : public torch::autograd::Function<CausalAttentionFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& query_in,
                            const at::Tensor& key_in, const at::Tensor& value_in, double scale) {
    const at::Tensor query = LastDimContiguous(query_in);
    const at::Tensor key = LastDimContiguous(key_in);
    const at::Tensor value = LastDimContiguous(value_in);
    const AttentionShape shape = ShapeOf(query, key, scale);
    const std::int64_t batch = query.size(0);
    at::AutoDispatchBelowADInplaceOrView below;
    // [batch, seq, heads, head_dim] in memory: what the projection behind it reads as rows.
    at::Tensor out =
        at::empty({batch, shape.seq, shape.heads, shape.head_dim}, query.options()).transpose(1, 2);
    const at::Tensor log_sum = at::empty({batch, shape.heads, shape.seq}, query.options());
    const HeadsIn q = HeadsOfTensor(query), k = HeadsOfTensor(key), v = HeadsOfTensor(value);
    const HeadsOut o = HeadsOfTensor(out);
    float* sums = log_sum.mutable_data_ptr<float>();
    ForAttentionUnits(batch * shape.heads, shape, AttentionScratch(shape),
                      [&](RowRange range, float* scratch) {
                        qatlas::kernels::CausalAttention(range, shape, q, k, v, o, sums, scratch);
                      });
    ctx->save_for_backward({query, key, value, out, log_sum});
    ctx->saved_data["scale"] = scale;
    return out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &query = saved[0], &key = saved[1], &value = saved[2], &out = saved[3];
    const AttentionShape shape = ShapeOf(query, key, ctx->saved_data["scale"].toDouble());
    const std::int64_t batch = query.size(0);
    const at::Tensor grad = LastDimContiguous(grads[0]);
    // All three in one buffer, laid out as a packed query|key|value projection.
    const at::Tensor packed =
        at::empty({batch, shape.seq, shape.heads + 2 * shape.kv_heads, shape.head_dim},
                  query.options())
            .transpose(1, 2);
    at::Tensor grad_query = packed.narrow(1, 0, shape.heads);
    at::Tensor grad_key = packed.narrow(1, shape.heads, shape.kv_heads);
    at::Tensor grad_value = packed.narrow(1, shape.heads + shape.kv_heads, shape.kv_heads);
    const HeadsIn q = HeadsOfTensor(query), k = HeadsOfTensor(key), v = HeadsOfTensor(value),
                  o = HeadsOfTensor(out), g = HeadsOfTensor(grad);
    const HeadsOut dq = HeadsOfTensor(grad_query), dk = HeadsOfTensor(grad_key),
                   dv = HeadsOfTensor(grad_value);
    const float* sums = saved[4].const_data_ptr<float>();
    ForAttentionUnits(batch * shape.kv_heads, shape, AttentionBackwardScratch(shape),
                      [&](RowRange range, float* scratch) {
                        CausalAttentionBackward(range, shape, q, k, v, o, sums, g, dq, dk, dv,
                                                scratch);
                      });
    return {grad_query, grad_key, grad_value, at::Tensor()};
  }

 private:
  static AttentionShape ShapeOf(const at::Tensor& query, const at::Tensor& key, double scale) {
    return {query.size(2), query.size(1), key.size(1), query.size(3), static_cast<float>(scale)};
  }
};

}  // namespace internal

// softmax(scale * query key^T) value, each position with itself and those before it.
// query: [batch, heads, seq, head_dim]; key, value: [batch, kv_heads, seq, head_dim], kv_heads a
// divisor of heads (grouped-query attention); any strides. scale: 1 / sqrt(head_dim) unless given.
// Result: [batch, heads, seq, head_dim], which lies in memory as [batch, seq, heads, head_dim].
// Saves its inputs, its result and one number for each query row. Not differentiable twice.
inline at::Tensor CausalAttention(const at::Tensor& query, const at::Tensor& key,
                                  const at::Tensor& value,
                                  std::optional<double> scale = std::nullopt) {
  TORCH_CHECK(query.dim() == 4 && key.dim() == 4 && key.sizes() == value.sizes() &&
                  query.size(0) == key.size(0) && query.size(2) == key.size(2) &&
                  query.size(3) == key.size(3) && key.size(1) > 0 &&
                  query.size(1) % key.size(1) == 0,
              "CausalAttention: queries ", query.sizes(), ", keys ", key.sizes(), " and values ",
              value.sizes(), " do not fit");
  const auto is_fused = [](const at::Tensor& t) {
    return t.is_cpu() && t.scalar_type() == at::kFloat;
  };
  if (!is_fused(query) || !is_fused(key) || !is_fused(value) || query.numel() == 0) {
    return at::scaled_dot_product_attention(query, key, value, /*attn_mask=*/{}, /*dropout_p=*/0.0,
                                            /*is_causal=*/true, scale,
                                            /*enable_gqa=*/query.size(1) != key.size(1));
  }
  // Profilers and counters of FLOPs see it as one operation, as they see ATen's.
  RECORD_FUNCTION("qatlas::causal_attention", std::vector<c10::IValue>({query, key, value}));
  return internal::CausalAttentionFunction::apply(
      query, key, value, scale.value_or(1.0 / std::sqrt(static_cast<double>(query.size(3)))));
}

}  // namespace qatlas::kernels

#endif  // QATLAS_KERNELS_TORCH_ATTENTION_H_
