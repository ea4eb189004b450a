// Builds small llamas for the tests, and their plain twins.
#ifndef QATLAS_TESTS_PLUGINS_MODELS_LLAMA_FIXTURE_H_
#define QATLAS_TESTS_PLUGINS_MODELS_LLAMA_FIXTURE_H_

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/custom_function.h>

#include <memory>
#include <string>
#include <vector>

#include "plugins/models/llama/llama.h"
#include "tests/plugins/models/plain_llama.h"

namespace qatlas::testing {

// Options as the host hands them over: every declared option has a value.
inline Options LlamaOptions(int64_t layers, int64_t width, int64_t ffn, int64_t heads,
                            int64_t kv_heads, int64_t vocabulary, bool tied) {
  OptionTable table;
  table.values = {{"layers", layers},
                  {"width", width},
                  {"ffn", ffn},
                  {"heads", heads},
                  {"kv_heads", kv_heads},
                  {"vocabulary", vocabulary},
                  {"tied", tied},
                  {"rope_theta", 10000.0},
                  {"norm_eps", 1e-5},
                  {"init_std", 0.08},
                  {"scale_residual_init", true}};
  return Options(table);
}

inline std::unique_ptr<ModelBuilder> Builder(const Options& options) {
  auto builder = llama::LlamaBuilder::Create(options);
  EXPECT_TRUE(builder.ok()) << builder.status();
  return *std::move(builder);
}

inline std::unique_ptr<Model> BuildLlama(const Options& options, uint64_t seed = 1,
                                         at::ScalarType compute = at::kFloat,
                                         int64_t sequence_length = 32) {
  auto model = Builder(options)->Build({seed, at::kCPU, compute, sequence_length});
  EXPECT_TRUE(model.ok()) << model.status();
  return *std::move(model);
}

// The plain model with copies, in double, of the model's parameters.
inline PlainLlama PlainTwin(const Options& options, Model& model) {
  const int64_t kv_heads =
      options.Int("kv_heads") == 0 ? options.Int("heads") : options.Int("kv_heads");
  PlainLlama plain{options.Int("layers"),
                   options.Int("width"),
                   options.Int("ffn"),
                   options.Int("heads"),
                   kv_heads,
                   options.Float("rope_theta"),
                   options.Float("norm_eps"),
                   options.Bool("tied"),
                   {}};
  for (const NamedParameter& parameter : model.Parameters()) {
    plain.weights[parameter.name] =
        parameter.tensor.detach().to(at::kDouble).clone().requires_grad_();
  }
  return plain;
}

inline at::Tensor RandomTokens(int64_t batch, int64_t time, int64_t vocabulary, uint64_t seed) {
  at::Tensor tokens = at::empty({batch, time}, at::kLong);
  uint64_t state = seed;
  for (int64_t i = 0; i < tokens.numel(); ++i) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    tokens.data_ptr<int64_t>()[i] = static_cast<int64_t>((state >> 33) % vocabulary);
  }
  return tokens;
}

// Largest |a - b| over the largest |b|.
inline double RelativeError(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor wide = b.to(at::kDouble);
  return ((a.to(at::kDouble) - wide).abs().max() / wide.abs().max().clamp_min(1e-30))
      .item<double>();
}

}  // namespace qatlas::testing

#endif  // QATLAS_TESTS_PLUGINS_MODELS_LLAMA_FIXTURE_H_
