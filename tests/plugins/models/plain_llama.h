// An independent llama in basic ATen operations and double precision; shares no code with the
// plugin.
#ifndef QATLAS_TESTS_PLUGINS_MODELS_PLAIN_LLAMA_H_
#define QATLAS_TESTS_PLUGINS_MODELS_PLAIN_LLAMA_H_

#include <ATen/ATen.h>

#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace qatlas::testing {

struct PlainLlama {
  int64_t layers, width, ffn, heads, kv_heads;
  double theta, eps;
  bool tied;
  std::map<std::string, at::Tensor> weights;  // double leaves by the plugin's parameter names

  static at::Tensor Norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
    return x / (x.pow(2).mean(-1, true) + eps).sqrt() * weight;
  }

  // x: [batch, heads, time, size]. Feature i turns with feature i + size / 2 by time * theta^(-2i /
  // size).
  at::Tensor Rotate(const at::Tensor& x) const {
    const int64_t time = x.size(2);
    const int64_t half = x.size(3) / 2;
    at::Tensor angles = at::empty({time, half}, at::kDouble);
    auto a = angles.accessor<double, 2>();
    for (int64_t t = 0; t < time; ++t) {
      for (int64_t i = 0; i < half; ++i) {
        a[t][i] = t * std::pow(theta, -static_cast<double>(i) / half);
      }
    }
    at::Tensor first = x.slice(3, 0, half);
    at::Tensor second = x.slice(3, half);
    return at::cat({first * angles.cos() - second * angles.sin(),
                    second * angles.cos() + first * angles.sin()},
                   3);
  }

  at::Tensor Attention(const at::Tensor& h, const std::string& block) const {
    const int64_t batch = h.size(0), time = h.size(1), size = width / heads;
    at::Tensor qkv = h.matmul(weights.at(block + ".qkv.weight").t());
    auto part = [&](int64_t start, int64_t count) {
      return qkv.slice(2, start * size, (start + count) * size)
          .reshape({batch, time, count, size})
          .transpose(1, 2);
    };
    at::Tensor q = Rotate(part(0, heads));
    at::Tensor k = Rotate(part(heads, kv_heads));
    at::Tensor v = part(heads + kv_heads, kv_heads);
    std::vector<at::Tensor> outputs;
    at::Tensor future = at::ones({time, time}, at::kBool).triu(1);
    for (int64_t head = 0; head < heads; ++head) {
      const int64_t shared = head / (heads / kv_heads);
      at::Tensor scores = q.select(1, head).matmul(k.select(1, shared).transpose(1, 2)) /
                          std::sqrt(static_cast<double>(size));
      scores = scores.masked_fill(future, -INFINITY);
      outputs.push_back(scores.softmax(-1).matmul(v.select(1, shared)));
    }
    return at::cat(outputs, 2).matmul(weights.at(block + ".o.weight").t());
  }

  // tokens: [batch, time] → [batch, time, vocabulary].
  at::Tensor Logits(const at::Tensor& tokens) const {
    const at::Tensor& embedding = weights.at("embedding.weight");
    at::Tensor x = embedding.index_select(0, tokens.reshape({-1}))
                       .reshape({tokens.size(0), tokens.size(1), width});
    for (int64_t layer = 0; layer < layers; ++layer) {
      const std::string block = std::to_string(layer);
      x = x + Attention(Norm(x, weights.at(block + ".attention_norm.weight"), eps), block);
      at::Tensor h = Norm(x, weights.at(block + ".ffn_norm.weight"), eps);
      at::Tensor packed = h.matmul(weights.at(block + ".fc1.weight").t());
      at::Tensor gate = packed.slice(2, 0, ffn);
      at::Tensor up = packed.slice(2, ffn);
      x = x + (gate * gate.sigmoid() * up).matmul(weights.at(block + ".fc2.weight").t());
    }
    x = Norm(x, weights.at("norm.weight"), eps);
    return x.matmul((tied ? embedding : weights.at("head.weight")).t());
  }

  // [batch]: mean over each sequence of -log p(target), in nats.
  at::Tensor SequenceLosses(const at::Tensor& tokens, const at::Tensor& targets) const {
    at::Tensor log_p = Logits(tokens).log_softmax(-1);
    return -log_p.gather(2, targets.unsqueeze(2)).squeeze(2).mean(1);
  }
};

}  // namespace qatlas::testing

#endif  // QATLAS_TESTS_PLUGINS_MODELS_PLAIN_LLAMA_H_
