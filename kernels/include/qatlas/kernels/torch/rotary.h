// Splits a packed query|key|value projection into heads and rotates queries and keys.
#ifndef QATLAS_KERNELS_TORCH_ROTARY_H_
#define QATLAS_KERNELS_TORCH_ROTARY_H_

#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <qatlas/kernels/rotary.h>
#include <qatlas/kernels/torch/parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <tuple>

namespace qatlas::kernels {
namespace internal {

struct QkvShape {
  std::int64_t batch;
  std::int64_t seq;
  std::int64_t heads;
  std::int64_t kv_heads;
  std::int64_t head_dim;

  std::int64_t width() const { return (heads + 2 * kv_heads) * head_dim; }
  // Of a packed buffer [batch, seq, width].
  HeadsView packed() const { return {seq * width(), width(), head_dim}; }
};

// [batch, heads, seq, head_dim], the heads from `first_head` on of a packed buffer. Made below
// autograd, which sees the result as a tensor of its own.
inline at::Tensor HeadsOf(const at::Tensor& packed, const QkvShape& shape, std::int64_t first_head,
                          std::int64_t heads) {
  const HeadsView view = shape.packed();
  return packed.as_strided({shape.batch, heads, shape.seq, shape.head_dim},
                           {view.batch_stride, view.head_stride, view.token_stride, 1},
                           packed.storage_offset() + first_head * shape.head_dim);
}

// Of a [batch, heads, seq, head_dim] tensor whose last dimension is contiguous.
inline HeadsView ViewOf(const at::Tensor& t) { return {t.stride(0), t.stride(2), t.stride(1)}; }

inline at::Tensor LastContiguous(const at::Tensor& t) {
  return t.stride(-1) == 1 ? t : t.contiguous();
}

class RotaryFunction : public torch::autograd::Function<RotaryFunction> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* ctx,
                                                const at::Tensor& qkv_in, const at::Tensor& cos_in,
                                                const at::Tensor& sin_in, std::int64_t heads,
                                                std::int64_t kv_heads, bool overwrite) {
    ctx->set_materialize_grads(false);
    const at::Tensor cos = cos_in.contiguous();
    const at::Tensor sin = sin_in.contiguous();
    const QkvShape shape{qkv_in.size(0), qkv_in.size(1), heads, kv_heads,
                         qkv_in.size(2) / (heads + 2 * kv_heads)};
    ctx->save_for_backward({cos, sin});
    ctx->saved_data["shape"] = std::vector<std::int64_t>{shape.batch, shape.seq, shape.heads,
                                                         shape.kv_heads, shape.head_dim};
    const at::Tensor qkv = qkv_in.contiguous();
    const bool in_place = overwrite || !qkv.is_same(qkv_in);
    at::AutoDispatchBelowADInplaceOrView below;
    const at::Tensor packed = in_place ? qkv : at::empty(qkv.sizes(), qkv.options());
    const float* in = qkv.const_data_ptr<float>();
    float* out = packed.mutable_data_ptr<float>();
    const float* c = cos.const_data_ptr<float>();
    const float* s = sin.const_data_ptr<float>();
    const HeadsView view = shape.packed();
    const std::int64_t rotated = heads + kv_heads;
    const std::int64_t values = rotated * shape.head_dim;
    ParallelRows(shape.batch * shape.seq, shape.width(), [&](RowRange range) {
      Rotary(range, shape.seq, rotated, shape.head_dim, c, s, false, in, view, out, view);
      if (in != out) {
        CopyHeads(range, shape.seq, kv_heads, shape.head_dim, in + values, view, out + values,
                  view);
      }
    });
    if (overwrite && qkv.is_same(qkv_in)) qkv_in.unsafeGetTensorImpl()->bump_version();
    return {HeadsOf(packed, shape, 0, heads), HeadsOf(packed, shape, heads, kv_heads),
            HeadsOf(packed, shape, rotated, kv_heads)};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const std::vector<std::int64_t> sizes = ctx->saved_data["shape"].toIntVector();
    const QkvShape shape{sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]};
    at::Tensor grad = at::empty({shape.batch, shape.seq, shape.width()}, saved[0].options());
    // What nobody used has gradient 0.
    for (at::Tensor& g : grads) {
      if (g.defined()) {
        g = LastContiguous(g);
      } else {
        grad.zero_();
      }
    }
    const float* c = saved[0].const_data_ptr<float>();
    const float* s = saved[1].const_data_ptr<float>();
    float* out = grad.mutable_data_ptr<float>();
    const HeadsView view = shape.packed();
    const std::int64_t heads_of[3] = {shape.heads, shape.kv_heads, shape.kv_heads};
    ParallelRows(shape.batch * shape.seq, shape.width(), [&](RowRange range) {
      float* part = out;
      for (int i = 0; i < 3; ++i) {
        if (grads[i].defined()) {
          const float* in = grads[i].const_data_ptr<float>();
          const HeadsView from = ViewOf(grads[i]);
          if (i < 2) {
            Rotary(range, shape.seq, heads_of[i], shape.head_dim, c, s, true, in, from, part, view);
          } else {
            CopyHeads(range, shape.seq, heads_of[i], shape.head_dim, in, from, part, view);
          }
        }
        part += heads_of[i] * shape.head_dim;
      }
    });
    return {grad, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

inline at::Tensor RotateComposed(const at::Tensor& x, const at::Tensor& cos,
                                 const at::Tensor& sin) {
  const std::int64_t half = x.size(-1) / 2;
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor low = wide.narrow(-1, 0, half);
  const at::Tensor high = wide.narrow(-1, half, half);
  return at::cat({low * cos - high * sin, high * cos + low * sin}, -1).to(x.scalar_type());
}

}  // namespace internal

// Queries [batch, heads, seq, head_dim], keys and values [batch, kv_heads, seq, head_dim] out of
// qkv [batch, seq, (heads + 2 * kv_heads) * head_dim], queries first, then keys, then values;
// queries and keys rotated by position (rotate half). The results are strided views of one buffer,
// as scaled_dot_product_attention takes them. cos, sin: [seq or more, head_dim / 2] float32, not
// differentiated.
//
// overwrite = true rotates inside qkv's memory, where qkv is contiguous: for a projection's output
// that nobody else reads. Fused on the CPU in float32; elsewhere from ATen's operations.
inline std::tuple<at::Tensor, at::Tensor, at::Tensor> ApplyRotary(
    const at::Tensor& qkv, const at::Tensor& cos, const at::Tensor& sin, std::int64_t heads,
    std::int64_t kv_heads, bool overwrite = false) {
  TORCH_CHECK(
      qkv.dim() == 3 && heads > 0 && kv_heads > 0 && qkv.size(2) % (heads + 2 * kv_heads) == 0,
      "ApplyRotary: ", heads, " heads and ", kv_heads, " key/value heads do not divide ",
      qkv.sizes());
  const std::int64_t head_dim = qkv.size(2) / (heads + 2 * kv_heads);
  TORCH_CHECK(head_dim % 2 == 0, "ApplyRotary: the head dimension ", head_dim, " is odd");
  TORCH_CHECK(cos.dim() == 2 && cos.sizes() == sin.sizes() && cos.size(0) >= qkv.size(1) &&
                  cos.size(1) == head_dim / 2 && cos.scalar_type() == at::kFloat &&
                  sin.scalar_type() == at::kFloat,
              "ApplyRotary: cos and sin must be float32 [>= ", qkv.size(1), ", ", head_dim / 2,
              "], got ", cos.sizes(), " and ", sin.sizes());
  if (qkv.is_cpu() && qkv.scalar_type() == at::kFloat) {
    TORCH_CHECK(!overwrite || !(qkv.requires_grad() && qkv.is_leaf()),
                "ApplyRotary: a leaf that requires grad cannot be overwritten");
    auto parts = internal::RotaryFunction::apply(qkv, cos, sin, heads, kv_heads, overwrite);
    return {parts[0], parts[1], parts[2]};
  }
  const auto parts = qkv.split_with_sizes(
      {heads * head_dim, kv_heads * head_dim, kv_heads * head_dim}, /*dim=*/-1);
  const auto as_heads = [&](const at::Tensor& t) {
    return t.unflatten(-1, {t.size(-1) / head_dim, head_dim}).transpose(1, 2);
  };
  const at::Tensor c = cos.narrow(0, 0, qkv.size(1));
  const at::Tensor s = sin.narrow(0, 0, qkv.size(1));
  return {internal::RotateComposed(as_heads(parts[0]), c, s),
          internal::RotateComposed(as_heads(parts[1]), c, s), as_heads(parts[2])};
}

}  // namespace qatlas::kernels

#endif  // QATLAS_KERNELS_TORCH_ROTARY_H_
