// Quantizers attached to the linears of the model: how often they run, and what they see.
#include <gmock/gmock.h>
#include <qatlas/gradient.h>

#include "tests/plugins/models/llama_fixture.h"

namespace qatlas::testing {
namespace {

// Rounds to multiples of 1/64 and counts its calls.
class CountingQuantizer final : public OperandQuantizer {
 public:
  at::Tensor FakeQuantize(const at::Tensor& x) override {
    ++calls;
    features = x.size(-1);
    return StraightThrough(x, Rounded(x));
  }
  absl::StatusOr<Encoded> Encode(const at::Tensor&) override {
    return absl::UnimplementedError("not needed here");
  }
  absl::StatusOr<at::Tensor> Decode(const Encoded&) override {
    return absl::UnimplementedError("not needed here");
  }
  double BitsPerElement(int64_t, int64_t) const override { return 32; }

  static at::Tensor Rounded(const at::Tensor& x) { return (x.detach() * 64).round() / 64; }

  int calls = 0;
  int64_t features = 0;
};

class LlamaQuantized : public ::testing::Test {
 protected:
  void SetUp() override {
    for (QuantizableLinear* linear : model_->Linears()) {
      weights_.push_back(std::make_shared<CountingQuantizer>());
      inputs_.push_back(std::make_shared<CountingQuantizer>());
      linear->SetWeightQuantizer(weights_.back());
      linear->SetInputQuantizer(inputs_.back());
    }
  }
  at::Tensor Loss() { return model_->Loss(tokens_, targets_, LossReduction::kMean); }

  Options options_ = LlamaOptions(2, 24, 40, 6, 2, 37, true);
  std::unique_ptr<Model> model_ = BuildLlama(options_);
  at::Tensor tokens_ = RandomTokens(2, 9, 37, 3);
  at::Tensor targets_ = RandomTokens(2, 9, 37, 4);
  std::vector<std::shared_ptr<CountingQuantizer>> weights_, inputs_;
};

TEST_F(LlamaQuantized, EachOperandIsQuantizedOnceInAForwardPass) {
  Loss().backward();
  for (size_t i = 0; i < weights_.size(); ++i) {
    EXPECT_EQ(weights_[i]->calls, 1);
    EXPECT_EQ(inputs_[i]->calls, 1);
    EXPECT_EQ(inputs_[i]->features, model_->Linears()[i]->in_features());
    EXPECT_EQ(weights_[i]->features, model_->Linears()[i]->in_features());
  }
  for (const NamedParameter& parameter : model_->Parameters()) {
    EXPECT_GT(parameter.tensor.grad().abs().max().item<double>(), 0) << parameter.name;
  }
}

TEST_F(LlamaQuantized, AnEvaluationQuantizesWeightsOnce) {
  const at::NoGradGuard no_grad;
  const double each_time = Loss().item<double>();
  for (QuantizableLinear* linear : model_->Linears()) linear->KeepQuantizedWeight(true);
  for (int batch = 0; batch < 3; ++batch) EXPECT_EQ(Loss().item<double>(), each_time);
  for (size_t i = 0; i < weights_.size(); ++i) {
    EXPECT_EQ(weights_[i]->calls, 2);
    EXPECT_EQ(inputs_[i]->calls, 4);
  }
  // A weight that changed after the evaluation is seen.
  for (QuantizableLinear* linear : model_->Linears()) linear->KeepQuantizedWeight(false);
  model_->Linears()[0]->weight().mul_(1.5);
  EXPECT_NE(Loss().item<double>(), each_time);
}

TEST_F(LlamaQuantized, WeightsOnlyEqualsThePlainModelWithRoundedWeights) {
  for (QuantizableLinear* linear : model_->Linears()) linear->SetInputQuantizer(nullptr);
  PlainLlama plain = PlainTwin(options_, *model_);
  for (QuantizableLinear* linear : model_->Linears()) {
    plain.weights[linear->Name() + ".weight"] =
        CountingQuantizer::Rounded(linear->weight()).to(at::kDouble).requires_grad_();
  }
  Loss().backward();
  plain.SequenceLosses(tokens_, targets_).mean().backward();
  for (const NamedParameter& parameter : model_->Parameters()) {
    const at::Tensor& expected = plain.weights.at(parameter.name).grad();
    EXPECT_LT((parameter.tensor.grad() - expected).norm().item<double>(),
              1e-4 * expected.norm().item<double>())
        << parameter.name;
  }
}

TEST_F(LlamaQuantized, ObserversSeeInputsBeforeTheyAreQuantized) {
  QuantizableLinear* linear = model_->Linears()[3];
  at::Tensor seen;
  linear->SetInputObserver([&](const QuantizableLinear& where, const at::Tensor& x) {
    EXPECT_EQ(where.InputSite().Name(), "0.fc2.input");
    seen = x.detach();
  });
  Loss();
  ASSERT_TRUE(seen.defined());
  EXPECT_EQ(seen.numel() / seen.size(-1), tokens_.numel());
  EXPECT_FALSE(at::equal(seen, CountingQuantizer::Rounded(seen)));
}

}  // namespace
}  // namespace qatlas::testing
