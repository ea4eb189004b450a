// SwiGLU of a packed gate|up tensor. Fused on the CPU in float32; elsewhere from ATen's operations.
#ifndef QATLAS_KERNELS_TORCH_SWIGLU_H_
#define QATLAS_KERNELS_TORCH_SWIGLU_H_

#include <ATen/ATen.h>
#include <qatlas/kernels/swiglu.h>
#include <qatlas/kernels/torch/parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <vector>

namespace qatlas::kernels {
namespace internal {

class SwiGluFunction : public torch::autograd::Function<SwiGluFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& x_in) {
    const at::Tensor x = x_in.contiguous();
    ctx->save_for_backward({x});
    const std::int64_t width = x.size(-1) / 2;
    std::vector<std::int64_t> sizes = x.sizes().vec();
    sizes.back() = width;
    at::Tensor out = at::empty(sizes, x.options());
    const float* in = x.const_data_ptr<float>();
    float* y = out.mutable_data_ptr<float>();
    ParallelRows(x.numel() / (2 * width), 2 * width,
                 [&](RowRange range) { qatlas::kernels::SwiGlu(range, width, in, y); });
    return out;
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    const at::Tensor x = ctx->get_saved_variables()[0];
    const at::Tensor grad = grads[0].contiguous();
    const std::int64_t width = x.size(-1) / 2;
    at::Tensor grad_x = at::empty(x.sizes(), x.options());
    const float* in = x.const_data_ptr<float>();
    const float* g = grad.const_data_ptr<float>();
    float* out = grad_x.mutable_data_ptr<float>();
    ParallelRows(x.numel() / (2 * width), 2 * width,
                 [&](RowRange range) { SwiGluBackward(range, width, in, g, out); });
    return {grad_x};
  }
};

}  // namespace internal

// silu(gate) * up. x: [..., 2 * width], gate first; result: [..., width]. Saves only x.
inline at::Tensor SwiGlu(const at::Tensor& x) {
  TORCH_CHECK(x.dim() >= 1 && x.size(-1) > 0 && x.size(-1) % 2 == 0,
              "SwiGlu: the last dimension of ", x.sizes(), " is not gate and up");
  if (x.is_cpu() && x.scalar_type() == at::kFloat && x.numel() > 0) {
    return internal::SwiGluFunction::apply(x);
  }
  const auto halves = x.chunk(2, -1);
  return at::silu(halves[0]) * halves[1];
}

}  // namespace qatlas::kernels

#endif  // QATLAS_KERNELS_TORCH_SWIGLU_H_
