// A checkpoint with the names of Hugging Face's Llama, made by hand, gives the logits of a plain
// implementation that is written in those names.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "framework/train/foreign.h"
#include "framework/train/safetensors.h"
#include "tests/plugins/models/llama_fixture.h"

namespace qatlas::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using Weights = std::map<std::string, at::Tensor>;

struct ForeignShape {
  int64_t layers = 2, width = 24, ffn = 40, heads = 6, kv_heads = 2, vocabulary = 37;
  bool tied = false;
};

// Values that no two elements of a tensor share.
at::Tensor Values(at::IntArrayRef shape, double phase) {
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  return at::sin(at::arange(count, at::kDouble) * 1.7 + phase).mul(.15).to(at::kFloat).view(shape);
}

Weights MakeWeights(const ForeignShape& s) {
  const int64_t kv_rows = s.kv_heads * (s.width / s.heads);
  Weights weights;
  double phase = 0;
  auto add = [&](const std::string& name, at::IntArrayRef shape) {
    weights[name] = Values(shape, phase += .37);
    if (shape.size() == 1) weights[name] += 1;
  };
  add("model.embed_tokens.weight", {s.vocabulary, s.width});
  for (int64_t i = 0; i < s.layers; ++i) {
    const std::string layer = "model.layers." + std::to_string(i) + ".";
    add(layer + "input_layernorm.weight", {s.width});
    add(layer + "self_attn.q_proj.weight", {s.width, s.width});
    add(layer + "self_attn.k_proj.weight", {kv_rows, s.width});
    add(layer + "self_attn.v_proj.weight", {kv_rows, s.width});
    add(layer + "self_attn.o_proj.weight", {s.width, s.width});
    add(layer + "post_attention_layernorm.weight", {s.width});
    add(layer + "mlp.gate_proj.weight", {s.ffn, s.width});
    add(layer + "mlp.up_proj.weight", {s.ffn, s.width});
    add(layer + "mlp.down_proj.weight", {s.width, s.ffn});
  }
  add("model.norm.weight", {s.width});
  if (!s.tied) add("lm_head.weight", {s.vocabulary, s.width});
  return weights;
}

// LlamaForCausalLM as its documentation defines it, in double: keys and values repeated for the
// heads of a group, cos and sin over the whole head with the halves turned against each other.
class PlainHuggingFace {
 public:
  PlainHuggingFace(const ForeignShape& shape, Weights weights)
      : s_(shape), weights_(std::move(weights)) {}

  at::Tensor Logits(const at::Tensor& tokens) const {
    const int64_t batch = tokens.size(0), time = tokens.size(1);
    at::Tensor x = at::embedding(At("model.embed_tokens.weight"), tokens);
    for (int64_t i = 0; i < s_.layers; ++i) {
      const std::string layer = "model.layers." + std::to_string(i) + ".";
      at::Tensor h = Norm(x, At(layer + "input_layernorm.weight"));
      const auto heads = [&](const char* name, int64_t count) {
        return at::linear(h, At(layer + "self_attn." + name + ".weight"))
            .view({batch, time, count, -1})
            .transpose(1, 2);
      };
      const at::Tensor q = Turn(heads("q_proj", s_.heads));
      const int64_t each = s_.heads / s_.kv_heads;
      const at::Tensor k = Turn(heads("k_proj", s_.kv_heads)).repeat_interleave(each, 1);
      const at::Tensor v = heads("v_proj", s_.kv_heads).repeat_interleave(each, 1);
      at::Tensor scores = q.matmul(k.transpose(2, 3)) / std::sqrt(double(s_.width / s_.heads));
      scores = scores + at::full({time, time}, -1e300, at::kDouble).triu(1);
      h = scores.softmax(-1).matmul(v).transpose(1, 2).reshape({batch, time, s_.width});
      x = x + at::linear(h, At(layer + "self_attn.o_proj.weight"));
      h = Norm(x, At(layer + "post_attention_layernorm.weight"));
      const at::Tensor gate = at::silu(at::linear(h, At(layer + "mlp.gate_proj.weight")));
      h = gate * at::linear(h, At(layer + "mlp.up_proj.weight"));
      x = x + at::linear(h, At(layer + "mlp.down_proj.weight"));
    }
    x = Norm(x, At("model.norm.weight"));
    return at::linear(x, At(s_.tied ? "model.embed_tokens.weight" : "lm_head.weight"));
  }

 private:
  at::Tensor At(const std::string& name) const { return weights_.at(name).to(at::kDouble); }
  static at::Tensor Norm(const at::Tensor& x, const at::Tensor& weight) {
    return weight * x * at::rsqrt(x.pow(2).mean(-1, true) + 1e-5);
  }
  // x: [batch, heads, time, size].
  static at::Tensor Turn(const at::Tensor& x) {
    const int64_t size = x.size(3);
    const at::Tensor frequencies =
        at::pow(10000.0, at::arange(0, size, 2, at::kDouble) / double(size)).reciprocal();
    at::Tensor angles = at::outer(at::arange(x.size(2), at::kDouble), frequencies);
    angles = at::cat({angles, angles}, 1);
    const at::Tensor turned = at::cat({-x.slice(3, size / 2), x.slice(3, 0, size / 2)}, 3);
    return x * angles.cos() + turned * angles.sin();
  }
  ForeignShape s_;
  Weights weights_;
};

class LlamaForeign : public ::testing::Test {
 protected:
  LlamaForeign() {
    std::string pattern = (fs::temp_directory_path() / "qatlas-foreign-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~LlamaForeign() override { fs::remove_all(folder_); }

  Options OptionsOf(const ForeignShape& s) const {
    return LlamaOptions(s.layers, s.width, s.ffn, s.heads, s.kv_heads, s.vocabulary, s.tied);
  }
  // Writes the weights to a file and loads a model of the shape from it.
  absl::Status Load(const Weights& weights, const ForeignShape& shape,
                    std::unique_ptr<Model>* model, at::ScalarType dtype = at::kFloat) const {
    std::vector<NamedTensor> tensors;
    for (const auto& [name, tensor] : weights) {
      const bool real = at::isFloatingType(tensor.scalar_type());
      tensors.push_back({name, real ? tensor.to(dtype) : tensor});
    }
    const fs::path path = folder_ / "model.safetensors";
    EXPECT_TRUE(train::WriteSafetensors(path, tensors, {{"format", "pt"}}).ok());
    const auto file = train::SafetensorsFile::Open(path);
    EXPECT_TRUE(file.ok()) << file.status();
    const Options options = OptionsOf(shape);
    *model = BuildLlama(options);
    return train::LoadForeign(**file, Builder(options)->ForeignLayouts(), **model);
  }
  std::string Refusal(const Weights& weights, const ForeignShape& shape) const {
    std::unique_ptr<Model> model;
    return std::string(Load(weights, shape, &model).message());
  }
  fs::path folder_;
};

TEST_F(LlamaForeign, LogitsAreThoseOfThePlainImplementation) {
  for (const ForeignShape& shape :
       {ForeignShape{}, ForeignShape{.kv_heads = 6}, ForeignShape{.kv_heads = 1, .tied = true},
        ForeignShape{.layers = 1, .width = 64, .ffn = 96, .heads = 2}}) {
    const Weights weights = MakeWeights(shape);
    std::unique_ptr<Model> model;
    const absl::Status status = Load(weights, shape, &model);
    ASSERT_TRUE(status.ok()) << status;
    const at::Tensor tokens = RandomTokens(2, 9, shape.vocabulary, 3);
    at::NoGradGuard no_grad;
    EXPECT_LT(RelativeError(model->Logits(tokens), PlainHuggingFace(shape, weights).Logits(tokens)),
              2e-5);
    // The test would see rows in another order: keys swapped with values are another model.
    Weights swapped = weights;
    std::swap(swapped["model.layers.0.self_attn.k_proj.weight"],
              swapped["model.layers.0.self_attn.v_proj.weight"]);
    EXPECT_GT(RelativeError(model->Logits(tokens), PlainHuggingFace(shape, swapped).Logits(tokens)),
              1e-3);
  }
}

TEST_F(LlamaForeign, HalfPrecisionAndBuffersAreRead) {
  const ForeignShape shape;
  Weights weights = MakeWeights(shape);
  for (auto& [name, tensor] : weights) tensor = tensor.to(at::kBFloat16).to(at::kFloat);
  Weights with_buffer = weights;
  with_buffer["model.layers.1.self_attn.rotary_emb.inv_freq"] = at::ones({2});
  std::unique_ptr<Model> model;
  const absl::Status status = Load(with_buffer, shape, &model, at::kBFloat16);
  ASSERT_TRUE(status.ok()) << status;
  const at::Tensor tokens = RandomTokens(1, 5, shape.vocabulary, 3);
  at::NoGradGuard no_grad;
  EXPECT_LT(RelativeError(model->Logits(tokens), PlainHuggingFace(shape, weights).Logits(tokens)),
            2e-5);
}

TEST_F(LlamaForeign, ATiedHeadMayBeWrittenOutIfItIsTheEmbedding) {
  const ForeignShape tied{.tied = true};
  Weights weights = MakeWeights(tied);
  weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone();
  std::unique_ptr<Model> model;
  const absl::Status status = Load(weights, tied, &model);
  EXPECT_TRUE(status.ok()) << status;
  weights["lm_head.weight"] = weights["lm_head.weight"] + 1;
  EXPECT_THAT(Refusal(weights, tied),
              HasSubstr("'lm_head.weight' differs from 'model.embed_tokens.weight'"));
  EXPECT_THAT(Refusal(MakeWeights(tied), ForeignShape{}), HasSubstr("'lm_head.weight' is missing"));
}

TEST_F(LlamaForeign, EveryTensorThatDoesNotFitIsNamed) {
  const Weights weights = MakeWeights(ForeignShape{});
  EXPECT_THAT(
      Refusal(weights, ForeignShape{.kv_heads = 3, .vocabulary = 40}),
      AllOf(HasSubstr("Hugging Face's Llama"),
            HasSubstr("'model.embed_tokens.weight' has shape [37, 24], [40, 24] is needed"),
            HasSubstr("'model.layers.0.self_attn.k_proj.weight' has shape [8, 24], [12, 24] is"),
            HasSubstr("'model.layers.1.self_attn.v_proj.weight' has shape [8, 24], [12, 24] is")));
  EXPECT_THAT(Refusal(weights, ForeignShape{.layers = 1}),
              HasSubstr("no place for 'model.layers.1.input_layernorm.weight'"));
  EXPECT_THAT(Refusal(weights, ForeignShape{.layers = 3}),
              AllOf(HasSubstr("'model.layers.2.mlp.up_proj.weight'"), HasSubstr("are missing")));
  Weights biased = weights;
  biased["model.layers.0.self_attn.q_proj.bias"] = at::zeros({24});
  EXPECT_THAT(Refusal(biased, ForeignShape{}),
              HasSubstr("no place for 'model.layers.0.self_attn.q_proj.bias'"));
  Weights whole = weights;
  whole["model.norm.weight"] = at::ones({24}, at::kLong);
  EXPECT_THAT(Refusal(whole, ForeignShape{}), HasSubstr("'model.norm.weight' has dtype Long"));
}

TEST_F(LlamaForeign, TheModelsOwnNamesStillDo) {
  const ForeignShape shape;
  std::unique_ptr<Model> source = BuildLlama(OptionsOf(shape), /*seed=*/9);
  Weights weights;
  for (const NamedParameter& parameter : source->Parameters()) {
    weights[parameter.name] = parameter.tensor.detach();
  }
  std::unique_ptr<Model> model;
  const absl::Status status = Load(weights, shape, &model);
  ASSERT_TRUE(status.ok()) << status;
  const at::Tensor tokens = RandomTokens(1, 5, shape.vocabulary, 3);
  at::NoGradGuard no_grad;
  EXPECT_TRUE(at::equal(model->Logits(tokens), source->Logits(tokens)));
}

}  // namespace
}  // namespace qatlas::testing
