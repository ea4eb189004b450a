// Logits, losses and gradients against the plain implementation; causality; seeds; BF16.
#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include "tests/plugins/models/llama_fixture.h"

namespace qatlas::testing {
namespace {

struct Shape {
  const char* name;
  int64_t layers, width, ffn, heads, kv_heads, vocabulary, batch, time;
  bool tied;
};

// Head sizes 4, 8, 12, 32; a vocabulary and an FFN that no vector width divides; one token; one
// sequence.
constexpr Shape kShapes[] = {
    {"grouped", 2, 24, 40, 6, 2, 37, 3, 9, true},
    {"one_head_each", 2, 16, 27, 2, 2, 130, 2, 32, false},
    {"one_kv_head", 1, 48, 64, 4, 1, 65, 1, 17, false},
    {"one_token", 3, 24, 33, 3, 3, 11, 2, 1, true},
    {"wide_heads", 1, 64, 96, 2, 1, 257, 2, 40, true},
};

class LlamaForward : public ::testing::TestWithParam<Shape> {
 protected:
  Options options() const {
    const Shape& s = GetParam();
    return LlamaOptions(s.layers, s.width, s.ffn, s.heads, s.kv_heads, s.vocabulary, s.tied);
  }
  at::Tensor Tokens(uint64_t seed) const {
    return RandomTokens(GetParam().batch, GetParam().time, GetParam().vocabulary, seed);
  }
};

TEST_P(LlamaForward, LogitsAgreeWithThePlainModel) {
  auto model = BuildLlama(options());
  const PlainLlama plain = PlainTwin(options(), *model);
  const at::Tensor tokens = Tokens(3);
  at::NoGradGuard no_grad;
  const at::Tensor logits = model->Logits(tokens);
  EXPECT_EQ(logits.scalar_type(), at::kFloat);
  const at::Tensor expected = plain.Logits(tokens);
  ASSERT_EQ(logits.sizes(), expected.sizes());
  EXPECT_LT(RelativeError(logits, expected), 2e-5);
}

TEST_P(LlamaForward, LossesAgreeWithThePlainModel) {
  auto model = BuildLlama(options());
  const PlainLlama plain = PlainTwin(options(), *model);
  const at::Tensor tokens = Tokens(3);
  const at::Tensor targets = Tokens(4);
  at::NoGradGuard no_grad;
  const at::Tensor expected = plain.SequenceLosses(tokens, targets);
  const at::Tensor sequences = model->Loss(tokens, targets, LossReduction::kPerSequence);
  ASSERT_EQ(sequences.sizes(), expected.sizes());
  EXPECT_LT(RelativeError(sequences, expected), 2e-6);
  const at::Tensor mean = model->Loss(tokens, targets, LossReduction::kMean);
  EXPECT_EQ(mean.dim(), 0);
  EXPECT_NEAR(mean.item<double>(), expected.mean().item<double>(), 1e-5);
}

TEST_P(LlamaForward, GradientsAgreeWithThePlainModel) {
  auto model = BuildLlama(options());
  PlainLlama plain = PlainTwin(options(), *model);
  const at::Tensor tokens = Tokens(3);
  const at::Tensor targets = Tokens(4);
  model->Loss(tokens, targets, LossReduction::kMean).backward();
  plain.SequenceLosses(tokens, targets).mean().backward();
  for (const NamedParameter& parameter : model->Parameters()) {
    const at::Tensor& expected = plain.weights.at(parameter.name).grad();
    ASSERT_TRUE(parameter.tensor.grad().defined()) << parameter.name;
    EXPECT_LT((parameter.tensor.grad() - expected).norm().item<double>(),
              1e-4 * expected.norm().item<double>() + 1e-9)
        << parameter.name;
  }
}

TEST_P(LlamaForward, GradientsOfLogitsAgreeWithThePlainModel) {
  auto model = BuildLlama(options());
  PlainLlama plain = PlainTwin(options(), *model);
  const at::Tensor tokens = Tokens(5);
  at::Tensor logits = model->Logits(tokens);
  const at::Tensor weights = at::sin(at::arange(logits.numel(), at::kDouble)).view(logits.sizes());
  (logits * weights.to(at::kFloat)).sum().backward();
  (plain.Logits(tokens) * weights).sum().backward();
  for (const NamedParameter& parameter : model->Parameters()) {
    const at::Tensor& expected = plain.weights.at(parameter.name).grad();
    EXPECT_LT((parameter.tensor.grad() - expected).norm().item<double>(),
              1e-4 * expected.norm().item<double>() + 1e-9)
        << parameter.name;
  }
}

TEST_P(LlamaForward, PerSequenceLossesHaveGradients) {
  auto model = BuildLlama(options());
  PlainLlama plain = PlainTwin(options(), *model);
  const at::Tensor tokens = Tokens(3);
  const at::Tensor targets = Tokens(4);
  const at::Tensor shares = at::arange(1, GetParam().batch + 1, at::kFloat);
  (model->Loss(tokens, targets, LossReduction::kPerSequence) * shares).sum().backward();
  (plain.SequenceLosses(tokens, targets) * shares).sum().backward();
  for (const NamedParameter& parameter : model->Parameters()) {
    const at::Tensor& expected = plain.weights.at(parameter.name).grad();
    EXPECT_LT((parameter.tensor.grad() - expected).norm().item<double>(),
              1e-4 * expected.norm().item<double>() + 1e-9)
        << parameter.name;
  }
}

TEST_P(LlamaForward, NoPositionSeesTheFuture) {
  const Shape& s = GetParam();
  auto model = BuildLlama(options());
  at::NoGradGuard no_grad;
  at::Tensor tokens = Tokens(3);
  const at::Tensor before = model->Logits(tokens);
  const int64_t changed = s.time / 2;
  at::Tensor other = tokens.clone();
  other.select(1, changed).add_(1).remainder_(s.vocabulary);
  const at::Tensor after = model->Logits(other);
  if (changed > 0) {
    EXPECT_LT((after - before).slice(1, 0, changed).abs().max().item<double>(), 1e-6);
  }
  EXPECT_GT((after - before).slice(1, changed).abs().max().item<double>(), 1e-4);
}

TEST_P(LlamaForward, Bf16StaysNearFp32) {
  auto fp32 = BuildLlama(options(), 1, at::kFloat);
  auto bf16 = BuildLlama(options(), 1, at::kBFloat16);
  const at::Tensor tokens = Tokens(3);
  const at::Tensor targets = Tokens(4);
  at::Tensor a = fp32->Loss(tokens, targets, LossReduction::kMean);
  at::Tensor b = bf16->Loss(tokens, targets, LossReduction::kMean);
  EXPECT_EQ(b.scalar_type(), at::kFloat);
  EXPECT_NEAR(a.item<double>(), b.item<double>(), 0.03);
  EXPECT_EQ(bf16->Logits(tokens).scalar_type(), at::kFloat);
  a.backward();
  b.backward();
  const auto p = fp32->Parameters();
  const auto q = bf16->Parameters();
  for (size_t i = 0; i < p.size(); ++i) {
    ASSERT_EQ(q[i].tensor.grad().scalar_type(), at::kFloat);
    EXPECT_LT((p[i].tensor.grad() - q[i].tensor.grad()).norm().item<double>(),
              0.1 * p[i].tensor.grad().norm().item<double>() + 1e-6)
        << p[i].name;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, LlamaForward, ::testing::ValuesIn(kShapes),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(LlamaModel, LongerSequencesThanPlannedExtendTheRotaryTables) {
  const Options options = LlamaOptions(2, 24, 40, 6, 2, 37, true);
  auto model = BuildLlama(options, 1, at::kFloat, 4);
  const PlainLlama plain = PlainTwin(options, *model);
  const at::Tensor tokens = RandomTokens(2, 19, 37, 8);
  at::NoGradGuard no_grad;
  EXPECT_LT(RelativeError(model->Logits(tokens), plain.Logits(tokens)), 2e-5);
}

TEST(LlamaModel, InitialValuesDependOnSeedAndNameAlone) {
  const Options shallow = LlamaOptions(1, 24, 40, 6, 2, 37, true);
  const Options deep = LlamaOptions(3, 24, 40, 6, 2, 37, false);
  auto values = [](Model& model) {
    std::map<std::string, at::Tensor> result;
    for (const NamedParameter& parameter : model.Parameters()) {
      result[parameter.name] = parameter.tensor.detach();
    }
    return result;
  };
  auto a = values(*BuildLlama(shallow, 7));
  auto b = values(*BuildLlama(deep, 7));
  auto c = values(*BuildLlama(deep, 8));
  auto again = values(*BuildLlama(deep, 7));
  for (const auto& [name, tensor] : b) {
    EXPECT_TRUE(at::equal(tensor, again[name])) << name;
    if (tensor.dim() == 2) {
      EXPECT_FALSE(at::equal(tensor, c[name])) << name;
    }
  }
  // Residual projections are scaled by the depth; everything else is the same in both models.
  for (const char* name : {"embedding.weight", "0.qkv.weight", "0.fc1.weight", "norm.weight"}) {
    EXPECT_TRUE(at::equal(a[name], b[name])) << name;
  }
  EXPECT_LT(RelativeError(b["0.o.weight"] * std::sqrt(3.0), a["0.o.weight"]), 1e-6);
  EXPECT_FALSE(at::equal(b["0.fc1.weight"], b["1.fc1.weight"]));
  EXPECT_NEAR(b["0.fc1.weight"].std().item<double>(), 0.08, 0.004);
  EXPECT_NEAR(b["2.fc2.weight"].std().item<double>(), 0.08 / std::sqrt(6.0), 0.003);
}

TEST(LlamaModel, OneSgdStepLowersTheLoss) {
  const Options options = LlamaOptions(2, 24, 40, 6, 2, 37, true);
  auto model = BuildLlama(options);
  const at::Tensor tokens = RandomTokens(4, 16, 37, 1);
  const at::Tensor targets = RandomTokens(4, 16, 37, 2);
  at::Tensor before = model->Loss(tokens, targets, LossReduction::kMean);
  before.backward();
  {
    at::NoGradGuard no_grad;
    for (const NamedParameter& parameter : model->Parameters()) {
      parameter.tensor.data().sub_(parameter.tensor.grad(), 0.1);
    }
  }
  at::NoGradGuard no_grad;
  EXPECT_LT(model->Loss(tokens, targets, LossReduction::kMean).item<double>(),
            before.item<double>());
}

}  // namespace
}  // namespace qatlas::testing
