// Fake quantization of tensors, with gradients. Tensors are float32 or bfloat16, of any shape
// [..., cols]; leading dimensions are flattened into rows. Of `params` the caller gives group (0:
// the whole row), short_last_group, q_min, q_max, divisor, index and range; rows and cols are taken
// from the tensor. A group that does not divide cols, a wrong dtype or a wrong number of scales
// raises c10::Error with both sides in the message. Semantics, NaN included: fake_quant.h.
#ifndef QATLAS_KERNELS_TORCH_FAKE_QUANTIZE_H_
#define QATLAS_KERNELS_TORCH_FAKE_QUANTIZE_H_

#include <ATen/ATen.h>
#include <qatlas/kernels/fake_quant.h>
#include <qatlas/kernels/torch/fake_quantize_impl.h>
#include <torch/csrc/autograd/custom_function.h>

namespace qatlas::kernels {

namespace internal {

class AbsMaxFunction : public torch::autograd::Function<AbsMaxFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext*, const at::Tensor& x,
                            const FakeQuantParams& params) {
    return AbsMaxForward(x, at::Tensor(), params);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext*,
                                                 torch::autograd::variable_list grads) {
    return {grads[0], at::Tensor()};
  }
};

class GivenFunction : public torch::autograd::Function<GivenFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext*, const at::Tensor& x,
                            const at::Tensor& scale, const FakeQuantParams& params) {
    return ScaleForward(x, scale, params);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext*,
                                                 torch::autograd::variable_list grads) {
    return {grads[0], at::Tensor(), at::Tensor()};
  }
};

class GammaFunction : public torch::autograd::Function<GammaFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& x,
                            const at::Tensor& gamma, const FakeQuantParams& params) {
    ctx->save_for_backward({x, gamma});
    SaveParams(params, *ctx);
    return AbsMaxForward(x, gamma, params);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    auto [grad_x, grad_gamma] =
        QuantBackward(Source::kAbsMax, saved[0], saved[1], grads[0], LoadParams(*ctx),
                      ctx->needs_input_grad(0), ctx->needs_input_grad(1));
    return {grad_x, grad_gamma, at::Tensor()};
  }
};

class StepFunction : public torch::autograd::Function<StepFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& x,
                            const at::Tensor& step, double grad_factor,
                            const FakeQuantParams& params) {
    ctx->save_for_backward({x, step});
    ctx->saved_data["factor"] = grad_factor;
    SaveParams(params, *ctx);
    return ScaleForward(x, step, params);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    auto [grad_x, grad_step] =
        QuantBackward(Source::kGiven, saved[0], saved[1], grads[0], LoadParams(*ctx),
                      ctx->needs_input_grad(0), ctx->needs_input_grad(1));
    const double factor = ctx->saved_data["factor"].toDouble();
    if (grad_step.defined() && factor != 1.0) grad_step.mul_(factor);
    return {grad_x, grad_step, at::Tensor(), at::Tensor()};
  }
};

}  // namespace internal

// AbsMax per group; the gradient passes everywhere (straight-through). Saves nothing.
inline at::Tensor FakeQuantizeAbsMax(const at::Tensor& x, const FakeQuantParams& params) {
  return internal::AbsMaxFunction::apply(x, params);
}

// AbsMax scaled by a learned gamma, indexed by params.index (kRowGroup: LWC, kGroup: LAC). gamma is
// float32 with as many elements as the index has, in any shape. x's gradient is masked by
// params.range; gamma's is LSQ's, chained through max|x|, which is held fixed. Saves x and gamma.
inline at::Tensor FakeQuantizeAbsMaxGamma(const at::Tensor& x, const at::Tensor& gamma,
                                          const FakeQuantParams& params) {
  return internal::GammaFunction::apply(x, gamma, params);
}

// A learned step (LSQ), indexed by params.index. The step's gradient is multiplied by grad_factor,
// LSQ's g = 1 / sqrt(numel * q_max). Saves x and step.
inline at::Tensor FakeQuantizeStep(const at::Tensor& x, const at::Tensor& step, double grad_factor,
                                   const FakeQuantParams& params) {
  return internal::StepFunction::apply(x, step, grad_factor, params);
}

// Given scales that are not learned, indexed by params.index; straight-through everywhere. With
// AbsMaxUnit and ScaleIndex::kTensor: AbsMax per tensor. Saves nothing.
inline at::Tensor FakeQuantizeGiven(const at::Tensor& x, const at::Tensor& scale,
                                    const FakeQuantParams& params) {
  return internal::GivenFunction::apply(x, scale, params);
}

// max|x| / divisor over the whole tensor, [1] float32, without gradient; NaN if x holds one, 0 if
// it holds nothing. Times a learned gamma it is a step for FakeQuantizeStep, which makes AbsMax per
// tensor with clipping.
inline at::Tensor AbsMaxUnit(const at::Tensor& x, double divisor) {
  const at::NoGradGuard no_grad;
  if (x.numel() == 0) return at::zeros({1}, x.options().dtype(at::kFloat));
  auto [low, high] = at::aminmax(x.detach());
  return at::maximum(low.neg(), high).to(at::kFloat).div_(divisor).reshape({1});
}

struct Encoded {      // Codes with their scales.
  at::Tensor codes;   // int8, shaped like the input
  at::Tensor scales;  // float32: [rows, groups] under AbsMax
};

// Codes and scales with Decode(codes, scales) == FakeQuantizeAbsMax*(x) bit for bit. gamma may be
// undefined. Without gradient.
inline Encoded EncodeAbsMax(const at::Tensor& x, const at::Tensor& gamma,
                            const FakeQuantParams& params) {
  return internal::EncodeAbsMaxTensor<Encoded>(x, gamma, params);
}

// int8 codes under given scales; raises c10::Error if x holds NaN, which has no code.
inline at::Tensor EncodeGiven(const at::Tensor& x, const at::Tensor& scale,
                              const FakeQuantParams& params) {
  return internal::EncodeGivenTensor(x, scale, params);
}

// scale * codes as `dtype` (float32 or bfloat16); scales indexed by params.index (kRowGroup for
// what EncodeAbsMax gave). On the CPU.
inline at::Tensor DecodeCodes(const at::Tensor& codes, const at::Tensor& scale,
                              const FakeQuantParams& params, at::ScalarType dtype) {
  return internal::DecodeTensor(codes, scale, params, dtype);
}

}  // namespace qatlas::kernels

#endif  // QATLAS_KERNELS_TORCH_FAKE_QUANTIZE_H_
