// Cross-entropy of logits, whose gradient is made in the forward pass. Fused on the CPU in float32;
// elsewhere ATen's.
#ifndef QATLAS_KERNELS_TORCH_CROSS_ENTROPY_H_
#define QATLAS_KERNELS_TORCH_CROSS_ENTROPY_H_

#include <ATen/ATen.h>
#include <qatlas/kernels/cross_entropy.h>
#include <qatlas/kernels/torch/parallel.h>
#include <torch/csrc/autograd/custom_function.h>

namespace qatlas::kernels {
namespace internal {

// Loss per row; where `grad` is defined, also weight * d loss / d logits. grad may be logits.
inline at::Tensor CrossEntropyForward(const at::Tensor& logits, const at::Tensor& targets,
                                      float weight, const at::Tensor& grad) {
  const std::int64_t vocab = logits.size(-1);
  const std::int64_t rows = targets.numel();
  at::Tensor loss = at::empty({rows}, logits.options());
  const float* x = logits.const_data_ptr<float>();
  const std::int64_t* t = targets.const_data_ptr<std::int64_t>();
  float* l = loss.mutable_data_ptr<float>();
  float* g = grad.defined() ? grad.mutable_data_ptr<float>() : nullptr;
  ParallelRows(rows, vocab, [&](RowRange range) {
    if (g == nullptr) {
      qatlas::kernels::CrossEntropy(range, vocab, x, t, l);
    } else {
      CrossEntropyWithGrad(range, vocab, x, t, weight, l, g);
    }
  });
  return loss;
}

// Mean loss (mean = true) or losses per row.
class CrossEntropyFunction : public torch::autograd::Function<CrossEntropyFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& logits_in,
                            const at::Tensor& targets, bool mean, bool want_grad, bool overwrite) {
    const at::Tensor logits = logits_in.contiguous();
    const bool in_place = want_grad && (overwrite || !logits.is_same(logits_in));
    at::Tensor grad;
    if (want_grad) grad = in_place ? logits.detach() : at::empty(logits.sizes(), logits.options());
    const std::int64_t counted = mean ? (targets != kIgnoredTarget).sum().item<std::int64_t>() : 1;
    const float weight = mean ? 1.0f / static_cast<float>(counted) : 1.0f;
    at::Tensor loss = CrossEntropyForward(logits, targets, weight, grad);
    if (in_place && logits.is_same(logits_in)) logits_in.unsafeGetTensorImpl()->bump_version();
    if (want_grad) ctx->saved_data["grad"] = grad;
    ctx->saved_data["mean"] = mean;
    ctx->saved_data["overwrite"] = overwrite;
    ctx->saved_data["done"] = false;
    if (!mean) return loss;
    return loss.sum(at::kDouble).div_(static_cast<double>(counted)).to(at::kFloat);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    const bool mean = ctx->saved_data["mean"].toBool();
    const bool overwrite = ctx->saved_data["overwrite"].toBool();
    TORCH_CHECK(!overwrite || !ctx->saved_data["done"].toBool(),
                "CrossEntropy with overwritten logits can go backward only once");
    ctx->saved_data["done"] = true;
    at::Tensor grad = ctx->saved_data["grad"].toTensor();
    const at::Tensor upstream = grads[0].contiguous();
    if (!mean || upstream.item<float>() != 1.0f) {
      if (!overwrite) grad = grad.clone();
      const std::int64_t vocab = grad.size(-1);
      const std::int64_t rows = grad.numel() / vocab;
      const at::Tensor factors = mean ? upstream.expand({rows}).contiguous() : upstream;
      const float* f = factors.const_data_ptr<float>();
      float* g = grad.mutable_data_ptr<float>();
      ParallelRows(rows, vocab, [&](RowRange range) { ScaleRows(range, vocab, f, g); });
    }
    if (overwrite) ctx->saved_data.erase("grad");
    return {grad, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

inline at::Tensor CrossEntropyAny(const at::Tensor& logits, const at::Tensor& targets_in, bool mean,
                                  bool overwrite) {
  TORCH_CHECK(logits.dim() >= 2 && logits.size(-1) > 0 && targets_in.scalar_type() == at::kLong &&
                  targets_in.numel() == logits.numel() / logits.size(-1),
              "CrossEntropy: int64 targets of shape ", targets_in.sizes(), " for logits of shape ",
              logits.sizes());
  const std::int64_t vocab = logits.size(-1);
  const at::Tensor targets = targets_in.contiguous().view(-1);
  if (!logits.is_cpu() || logits.scalar_type() != at::kFloat) {
    return at::cross_entropy_loss(logits.reshape({-1, vocab}).to(at::kFloat), targets, {},
                                  mean ? at::Reduction::Mean : at::Reduction::None, kIgnoredTarget);
  }
  const std::int64_t* t = targets.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < targets.numel(); ++i) {
    TORCH_CHECK((t[i] >= 0 && t[i] < vocab) || t[i] == kIgnoredTarget, "CrossEntropy: target ",
                t[i], " in row ", i, " lies outside the vocabulary of ", vocab);
  }
  const bool want_grad = at::GradMode::is_enabled() && logits.requires_grad();
  TORCH_CHECK(!overwrite || !want_grad || !logits.is_leaf(),
              "CrossEntropy: a leaf that requires grad cannot be overwritten");
  return CrossEntropyFunction::apply(logits, targets, mean, want_grad, overwrite);
}

}  // namespace internal

// Mean over rows, in nats, as a float32 scalar; rows with target kIgnoredTarget (-100) do not
// count. logits: [..., vocab]; targets: int64, one per row. The mean is added up in double.
//
// overwrite = true lets the gradient replace the logits in memory where a gradient is wanted: for
// logits that nobody else reads. Then backward can be called only once.
inline at::Tensor CrossEntropy(const at::Tensor& logits, const at::Tensor& targets,
                               bool overwrite = false) {
  return internal::CrossEntropyAny(logits, targets, /*mean=*/true, overwrite);
}

// Losses per row, [rows] float32, 0 where the target is kIgnoredTarget.
inline at::Tensor CrossEntropyRows(const at::Tensor& logits, const at::Tensor& targets,
                                   bool overwrite = false) {
  return internal::CrossEntropyAny(logits, targets, /*mean=*/false, overwrite);
}

}  // namespace qatlas::kernels

#endif  // QATLAS_KERNELS_TORCH_CROSS_ENTROPY_H_
