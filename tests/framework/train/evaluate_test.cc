#include "framework/train/evaluate.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "absl/strings/match.h"
#include "framework/train/outcome.h"
#include "framework/train/site_statistics.h"
#include "framework/train/trainee.h"
#include "gtest/gtest.h"
#include "tests/framework/train/tiny.h"

namespace qatlas::train {
namespace {

using testing::Rule;
using testing::ScratchFolder;
using testing::TinySpec;

struct Fixture {
  explicit Fixture(const std::vector<recipe::ResolvedRule>& rules) {
    recipe::SegmentSpec spec = TinySpec(1);
    spec.trajectory.rules = rules;
    trainee = *MakeTrainee(spec, components, Start(), [](int64_t i, int64_t* out) {
      for (int64_t t = 0; t <= 6; ++t) out[t] = (i + t) % testing::kVocabulary;
    });
    validation = std::make_unique<data::ValidationSet>(*data::ValidationSet::Create(
        testing::MakeTokens(folder.path(), "validation", 8000), 6, 1000));
  }
  ScratchFolder folder;
  testing::TinyComponents components;
  std::unique_ptr<Trainee> trainee;
  std::unique_ptr<data::ValidationSet> validation;
};

TEST(EvaluateTest, EverySequenceGetsItsOwnLoss) {
  Fixture f({Rule("*.*.weight", "absmax")});
  ASSERT_LT(EvaluationBatch(6), 1000);  // several batches, the last one smaller
  const ValidationResult result = *Evaluate(*f.trainee->model, *f.validation, at::kCPU, {});
  ASSERT_EQ(result.per_sequence.size(), 1000u);
  at::NoGradGuard no_grad;
  for (int64_t i : {0, 500, 999}) {
    BatchBuffer one(1, 6, at::kCPU);
    one.Fill([&](int64_t s, int64_t* out) { f.validation->Fill(s, out); }, i, 1);
    const double loss =
        f.trainee->model->Loss(one.tokens(), one.targets(), LossReduction::kMean).item<float>();
    EXPECT_NEAR(result.per_sequence[static_cast<size_t>(i)], loss, 1e-5);
  }
  // Weights are not kept beyond the evaluation.
  QuantizableLinear* linear = f.trainee->model->Linears()[0];
  const at::Tensor before = linear->QuantizedWeight();
  linear->weight().mul_(2);
  EXPECT_FALSE(at::equal(linear->QuantizedWeight(), before));
}

TEST(EvaluateTest, StopsAndRefusesNan) {
  Fixture f({});
  EXPECT_TRUE(absl::IsCancelled(
      Evaluate(*f.trainee->model, *f.validation, at::kCPU, [] { return true; }).status()));
  at::NoGradGuard no_grad;
  f.trainee->model->Parameters()[0].tensor.fill_(NAN);
  EXPECT_EQ(FailureKind(Evaluate(*f.trainee->model, *f.validation, at::kCPU, {}).status()), "nan");
}

TEST(EvaluateTest, MeanAndErrorAreExact) {
  const ValidationResult result = Summarize({1e16, 1, -1e16, 3});
  EXPECT_EQ(result.loss, 1.0);
  const ValidationResult plain = Summarize({1, 2, 3, 4});
  EXPECT_EQ(plain.loss, 2.5);
  EXPECT_DOUBLE_EQ(plain.standard_error, std::sqrt(5.0 / 3 / 4));
  EXPECT_EQ(Summarize({7}).standard_error, 0);
}

TEST(SiteStatisticsTest, MomentsOfKnownTensors) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  at::Tensor x = at::empty({400, 500});
  for (int64_t i = 0; i < x.numel(); ++i) x.data_ptr<float>()[i] = normal(random);
  // Noise of a tenth: 20 dB.
  const SiteStatistics gauss = Measure({0, "fc1", "weight"}, x, x * 1.1);
  EXPECT_NEAR(gauss.kurtosis, 3, .05);
  EXPECT_NEAR(gauss.rms, 1, .01);
  EXPECT_NEAR(*gauss.snr_db, 20, .01);
  EXPECT_EQ(gauss.max_abs, x.abs().amax().item<float>());
  EXPECT_NEAR(gauss.max_to_median, gauss.max_abs / .6745, .05);
  std::vector<float> sorted(x.data_ptr<float>(), x.data_ptr<float>() + x.numel());
  for (float& value : sorted) value = std::abs(value);
  std::nth_element(sorted.begin(), sorted.begin() + x.numel() / 2, sorted.end());
  EXPECT_EQ(gauss.max_to_median, gauss.max_abs / double{sorted[x.numel() / 2]});
  const SiteStatistics signs =
      Measure({0, "fc1", "weight"}, at::tensor({-2.f, 2.f, 2.f, -2.f}), {});
  EXPECT_EQ(signs.kurtosis, 1);
  EXPECT_EQ(signs.max_to_median, 1);
  EXPECT_FALSE(signs.snr_db.has_value());
  // All alike: no kurtosis, and JSON says null.
  EXPECT_TRUE(ToJson({Measure({0, "fc1", "weight"}, at::zeros({3}), {})})[0]["kurtosis"].is_null());
}

TEST(SiteStatisticsTest, SeesInputsBeforeTheirQuantizer) {
  Fixture f({Rule("*", "absmax"), Rule("1.fc2.weight", "adapter"), Rule("0.fc1.input", "none")});
  const std::vector<SiteStatistics> sites =
      MeasureSites(*f.trainee->model, *f.validation, at::kCPU);
  ASSERT_EQ(sites.size(), 8u);
  EXPECT_EQ(sites[0].site.Name(), "0.fc1.weight");
  EXPECT_GT(*sites[0].snr_db, 10);
  EXPECT_EQ(sites[1].site.Name(), "0.fc1.input");
  EXPECT_FALSE(sites[1].snr_db.has_value());
  EXPECT_GT(*sites[3].snr_db, 10);
  EXPECT_LE(sites[3].max_abs, 1);  // behind tanh
  EXPECT_EQ(sites[3].elements, EvaluationBatch(6) * 6 * 16);
  EXPECT_FALSE(sites[6].snr_db.has_value());  // the adapter has no other weight
}

}  // namespace
}  // namespace qatlas::train
