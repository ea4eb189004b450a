// Small pieces of backward pass that quantizers share.
#ifndef QATLAS_GRADIENT_H_
#define QATLAS_GRADIENT_H_

#include <torch/csrc/autograd/custom_function.h>

#include "ATen/ATen.h"

namespace qatlas {
namespace internal {

class GradientScale : public torch::autograd::Function<GradientScale> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            double factor) {
    context->saved_data["factor"] = factor;
    return x.view_as(x);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    return {gradients[0] * context->saved_data["factor"].toDouble(), {}};
  }
};

class StraightThroughFunction : public torch::autograd::Function<StraightThroughFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext*, const at::Tensor& /*x*/,
                            const at::Tensor& value) {
    return value.view_as(value);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext*,
                                                 torch::autograd::variable_list gradients) {
    return {gradients[0], {}};
  }
};

}  // namespace internal

// x itself, bit for bit; the gradient is multiplied by `factor` (LSQ's g, arXiv 1902.08153
// section 2.2).
inline at::Tensor ScaleGradient(const at::Tensor& x, double factor) {
  return internal::GradientScale::apply(x, factor);
}

// The straight-through estimator: `value`, bit for bit, with the gradient passed to x unchanged.
// Both have the same shape and dtype. (x + (value - x).detach() would round twice.)
inline at::Tensor StraightThrough(const at::Tensor& x, const at::Tensor& value) {
  return internal::StraightThroughFunction::apply(x, value);
}

}  // namespace qatlas

#endif  // QATLAS_GRADIENT_H_
