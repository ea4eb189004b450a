// RMSNorm of tensors, alone or fused with the residual addition before it. Fused on the CPU in
// float32; elsewhere the same formula from ATen's operations.
#ifndef QATLAS_KERNELS_TORCH_RMS_NORM_H_
#define QATLAS_KERNELS_TORCH_RMS_NORM_H_

#include <ATen/ATen.h>
#include <qatlas/kernels/rms_norm.h>
#include <qatlas/kernels/torch/parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <utility>

namespace qatlas::kernels {
namespace internal {

// sum is undefined without residual.
struct RmsNormResult {
  at::Tensor sum;
  at::Tensor y;
  at::Tensor rstd;
};

inline RmsNormResult RmsNormForward(const at::Tensor& x_in, const at::Tensor& residual_in,
                                    const at::Tensor& weight_in, double eps) {
  const at::Tensor x = x_in.contiguous();
  const at::Tensor weight = weight_in.contiguous();
  const std::int64_t cols = x.size(-1);
  const std::int64_t rows = x.numel() / cols;
  RmsNormResult result;
  result.y = at::empty(x.sizes(), x.options());
  result.rstd = at::empty({rows}, x.options());
  const float* in = x.const_data_ptr<float>();
  const float* w = weight.const_data_ptr<float>();
  float* y = result.y.mutable_data_ptr<float>();
  float* rstd = result.rstd.mutable_data_ptr<float>();
  const float epsilon = static_cast<float>(eps);
  if (residual_in.defined()) {
    const at::Tensor residual = residual_in.contiguous();
    result.sum = at::empty(x.sizes(), x.options());
    const float* other = residual.const_data_ptr<float>();
    float* sum = result.sum.mutable_data_ptr<float>();
    ParallelRows(rows, cols, [&](RowRange range) {
      AddRmsNorm(range, cols, in, other, w, epsilon, sum, y, rstd);
    });
  } else {
    ParallelRows(rows, cols,
                 [&](RowRange range) { RmsNorm(range, cols, in, w, epsilon, y, rstd); });
  }
  return result;
}

// Gradients of x and weight; undefined where not wanted. grad_sum may be undefined.
inline std::pair<at::Tensor, at::Tensor> RmsNormGradients(
    const at::Tensor& x, const at::Tensor& weight_in, const at::Tensor& rstd,
    const at::Tensor& grad_y_in, const at::Tensor& grad_sum_in, bool want_x, bool want_weight) {
  const at::Tensor weight = weight_in.contiguous();
  const at::Tensor grad_y = grad_y_in.contiguous();
  const at::Tensor grad_sum = grad_sum_in.defined() ? grad_sum_in.contiguous() : at::Tensor();
  const std::int64_t cols = x.size(-1);
  const std::int64_t rows = x.numel() / cols;
  at::Tensor grad_x = want_x ? at::empty(x.sizes(), x.options()) : at::Tensor();
  const float* in = x.const_data_ptr<float>();
  const float* w = weight.const_data_ptr<float>();
  const float* r = rstd.const_data_ptr<float>();
  const float* g = grad_y.const_data_ptr<float>();
  const float* more = grad_sum.defined() ? grad_sum.const_data_ptr<float>() : nullptr;
  float* out = want_x ? grad_x.mutable_data_ptr<float>() : nullptr;
  if (!want_weight) {
    ParallelRows(rows, cols, [&](RowRange range) {
      RmsNormBackward(range, cols, in, w, r, g, more, out, nullptr);
    });
    return {grad_x, at::Tensor()};
  }
  at::Tensor grad_weight = SumOverBlocks(rows, cols, cols, [&](RowRange range, float* partial) {
    RmsNormBackward(range, cols, in, w, r, g, more, out, partial);
  });
  return {grad_x, grad_weight.view(weight.sizes())};
}

class RmsNormFunction : public torch::autograd::Function<RmsNormFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& x_in,
                            const at::Tensor& weight, double eps) {
    const at::Tensor x = x_in.contiguous();
    RmsNormResult result = RmsNormForward(x, at::Tensor(), weight, eps);
    ctx->save_for_backward({x, weight, result.rstd});
    return result.y;
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    auto [grad_x, grad_weight] =
        RmsNormGradients(saved[0], saved[1], saved[2], grads[0], at::Tensor(),
                         ctx->needs_input_grad(0), ctx->needs_input_grad(1));
    return {grad_x, grad_weight, at::Tensor()};
  }
};

class AddRmsNormFunction : public torch::autograd::Function<AddRmsNormFunction> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* ctx,
                                                const at::Tensor& x, const at::Tensor& residual,
                                                const at::Tensor& weight, double eps) {
    ctx->set_materialize_grads(false);
    RmsNormResult result = RmsNormForward(x, residual, weight, eps);
    ctx->save_for_backward({result.sum, weight, result.rstd});
    return {result.sum, result.y};
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    const bool want_x = ctx->needs_input_grad(0) || ctx->needs_input_grad(1);
    if (!grads[1].defined()) return {grads[0], grads[0], at::Tensor(), at::Tensor()};
    const auto saved = ctx->get_saved_variables();
    auto [grad_x, grad_weight] = RmsNormGradients(saved[0], saved[1], saved[2], grads[1], grads[0],
                                                  want_x, ctx->needs_input_grad(2));
    return {grad_x, grad_x, grad_weight, at::Tensor()};
  }
};

inline bool RmsNormFused(const at::Tensor& x, const at::Tensor& weight) {
  return x.is_cpu() && weight.is_cpu() && x.scalar_type() == at::kFloat &&
         weight.scalar_type() == at::kFloat && x.numel() > 0;
}

inline void CheckRmsNorm(const at::Tensor& x, const at::Tensor& weight) {
  TORCH_CHECK(x.dim() >= 1 && weight.dim() == 1 && weight.size(0) == x.size(-1),
              "RmsNorm: weight of shape ", weight.sizes(), " for an input of shape ", x.sizes());
}

inline at::Tensor RmsNormComposed(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor rstd = (wide * wide).mean(-1, /*keepdim=*/true).add(eps).rsqrt();
  return (wide * rstd * weight.to(at::kFloat)).to(x.scalar_type());
}

}  // namespace internal

// x / sqrt(mean(x^2) + eps) * weight over the last dimension. x: [..., cols]; weight: [cols]. Saves
// x and one float per row.
inline at::Tensor RmsNorm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  internal::CheckRmsNorm(x, weight);
  if (!internal::RmsNormFused(x, weight)) return internal::RmsNormComposed(x, weight, eps);
  return internal::RmsNormFunction::apply(x, weight, eps);
}

// {x + residual, RmsNorm(x + residual)} in one pass, forward and backward; of the inputs nothing is
// saved but their sum.
inline std::pair<at::Tensor, at::Tensor> AddRmsNorm(const at::Tensor& x, const at::Tensor& residual,
                                                    const at::Tensor& weight, double eps) {
  internal::CheckRmsNorm(x, weight);
  TORCH_CHECK(x.sizes() == residual.sizes(), "AddRmsNorm: ", x.sizes(), " and ", residual.sizes(),
              " cannot be added without broadcasting");
  if (!internal::RmsNormFused(x, weight) || !residual.is_cpu() ||
      residual.scalar_type() != at::kFloat) {
    const at::Tensor sum = x + residual;
    return {sum, internal::RmsNormComposed(sum, weight, eps)};
  }
  auto results = internal::AddRmsNormFunction::apply(x, residual, weight, eps);
  return {results[0], results[1]};
}

}  // namespace qatlas::kernels

#endif  // QATLAS_KERNELS_TORCH_RMS_NORM_H_
