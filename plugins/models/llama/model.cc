#include "model.h"

#include <qatlas/check.h>
#include <qatlas/init.h>
#include <qatlas/kernels/torch/attention.h>
#include <qatlas/kernels/torch/cross_entropy.h>
#include <qatlas/kernels/torch/rms_norm.h>
#include <qatlas/kernels/torch/rotary.h>
#include <qatlas/kernels/torch/swiglu.h>

#include <cmath>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

namespace qatlas::llama {

LlamaModel::LlamaModel(const Config& config, const BuildContext& context)
    : config_(config), compute_(context.compute) {
  const Config& c = config_;
  auto normal = [&](const std::string& name, int64_t rows, int64_t columns, double std) {
    return NormalParameter(context.seed, name, {rows, columns}, std, context.device);
  };
  auto ones = [&] { return ConstantParameter(1, {c.width}, context.device); };
  const double residual_std = c.scale_residual_init
                                  ? c.init_std / std::sqrt(2.0 * static_cast<double>(c.layers))
                                  : c.init_std;

  embedding_ = normal("embedding.weight", c.vocabulary, c.width, c.init_std);
  for (int64_t i = 0; i < c.layers; ++i) {
    auto linear = [&](const char* role, int64_t out, int64_t in, double std) {
      auto made = std::make_unique<QuantizableLinear>(
          static_cast<int>(i), role, out, in,
          [seed = context.seed, device = context.device,
           name = absl::StrCat(i, ".", role, ".weight"), out, in, std] {
            return NormalParameter(seed, name, {out, in}, std, device);
          });
      if (!context.put_off_weights) made->MakeWeight();
      return made;
    };
    blocks_.push_back({ones(), linear("qkv", c.qkv_rows(), c.width, c.init_std),
                       linear("o", c.width, c.width, residual_std), ones(),
                       linear("fc1", 2 * c.ffn, c.width, c.init_std),
                       linear("fc2", c.width, c.ffn, residual_std)});
  }
  norm_ = ones();
  if (!c.tied) head_ = normal("head.weight", c.vocabulary, c.width, c.init_std);
  if (!context.device.is_meta()) ExtendRotary(context.sequence_length);
}

void LlamaModel::ExtendRotary(int64_t time) {
  if (cos_.defined() && cos_.size(0) >= time) return;
  const at::NoGradGuard no_grad;
  const int64_t half = config_.head_size() / 2;
  // In double: an angle of thousands of radians keeps too few digits in FP32.
  const at::TensorOptions wide = at::TensorOptions(at::kDouble);
  const at::Tensor exponents = at::arange(half, wide) / static_cast<double>(half);
  const at::Tensor frequencies = at::pow(at::scalar_tensor(config_.rope_theta, wide), -exponents);
  const at::Tensor angles = at::outer(at::arange(time, wide), frequencies);
  const at::TensorOptions target = embedding_.options().requires_grad(false);
  cos_ = angles.cos().to(target);
  sin_ = angles.sin().to(target);
}

at::Tensor LlamaModel::Attention(Block& block, const at::Tensor& h, int64_t batch, int64_t time) {
  const Config& c = config_;
  const at::Tensor packed = block.qkv->Forward(h).view({batch, time, c.qkv_rows()});
  // [batch, heads or kv_heads, time, head_size] each, strided views that attention reads as they
  // are.
  const auto [q, k, v] =
      kernels::ApplyRotary(packed, cos_, sin_, c.heads, c.kv_heads, /*overwrite=*/true);
  const at::Tensor out = kernels::CausalAttention(q, k, v);
  // The result lies in memory as [batch, time, heads, head_size], so this is a view.
  return block.o->Forward(out.transpose(1, 2).reshape({batch * time, c.width}));
}

at::Tensor LlamaModel::FlatLogits(const at::Tensor& tokens) {
  QATLAS_CHECK(tokens.dim() == 2, "tokens must be [batch, time]");
  const int64_t batch = tokens.size(0);
  const int64_t time = tokens.size(1);
  ExtendRotary(time);
  const double eps = config_.norm_eps;
  // The residual stream x, and h = norm(x) for what comes next; each sum is fused with the norm
  // after it.
  at::Tensor x = at::embedding(embedding_, tokens.reshape({-1})).to(compute_);
  at::Tensor h = kernels::RmsNorm(x, blocks_.front().attention_norm, eps);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    Block& block = blocks_[i];
    const at::Tensor attention = Attention(block, h, batch, time);
    std::tie(x, h) = kernels::AddRmsNorm(attention, x, block.ffn_norm, eps);
    const at::Tensor ffn = block.fc2->Forward(kernels::SwiGlu(block.fc1->Forward(h)));
    const at::Tensor& next = i + 1 < blocks_.size() ? blocks_[i + 1].attention_norm : norm_;
    std::tie(x, h) = kernels::AddRmsNorm(ffn, x, next, eps);
  }
  return at::linear(h, (config_.tied ? embedding_ : head_).to(compute_));
}

at::Tensor LlamaModel::Logits(const at::Tensor& tokens) {
  return FlatLogits(tokens)
      .to(at::kFloat)
      .view({tokens.size(0), tokens.size(1), config_.vocabulary});
}

at::Tensor LlamaModel::Loss(const at::Tensor& tokens, const at::Tensor& targets,
                            LossReduction reduction) {
  QATLAS_CHECK(targets.sizes() == tokens.sizes(), "tokens and targets must have the same shape");
  // Nobody else reads the logits, so their gradient takes their place in memory.
  const at::Tensor logits = FlatLogits(tokens);
  const at::Tensor flat = targets.reshape({-1});
  if (reduction == LossReduction::kMean)
    return kernels::CrossEntropy(logits, flat, /*overwrite=*/true);
  return kernels::CrossEntropyRows(logits, flat, /*overwrite=*/true).view(targets.sizes()).mean(1);
}

std::vector<NamedParameter> LlamaModel::Parameters() {
  std::vector<NamedParameter> parameters;
  auto add = [&](std::string name, const at::Tensor& tensor) {
    // An operator that owns its linear may have freed the weight.
    if (tensor.defined())
      parameters.push_back({std::move(name), tensor, "model", tensor.dim() > 1});
  };
  add("embedding.weight", embedding_);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const Block& block = blocks_[i];
    add(absl::StrCat(i, ".attention_norm.weight"), block.attention_norm);
    add(block.qkv->Name() + ".weight", block.qkv->weight());
    add(block.o->Name() + ".weight", block.o->weight());
    add(absl::StrCat(i, ".ffn_norm.weight"), block.ffn_norm);
    add(block.fc1->Name() + ".weight", block.fc1->weight());
    add(block.fc2->Name() + ".weight", block.fc2->weight());
  }
  add("norm.weight", norm_);
  add("head.weight", head_);
  return parameters;
}

std::vector<QuantizableLinear*> LlamaModel::Linears() {
  std::vector<QuantizableLinear*> linears;
  for (Block& block : blocks_) {
    for (QuantizableLinear* linear :
         {block.qkv.get(), block.o.get(), block.fc1.get(), block.fc2.get()}) {
      linears.push_back(linear);
    }
  }
  return linears;
}

}  // namespace qatlas::llama
