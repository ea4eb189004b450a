#include "framework/train/site_plan.h"

#include "absl/strings/match.h"
#include "framework/train/attach.h"
#include "framework/train/trainee.h"
#include "gtest/gtest.h"
#include "tests/framework/train/tiny.h"

namespace qatlas::train {
namespace {

using testing::Rule;
using testing::TinySpec;

struct Planned {
  std::unique_ptr<Trainee> trainee;
  absl::Status status;
};

Planned Plan(const std::vector<recipe::ResolvedRule>& rules) {
  recipe::SegmentSpec spec = TinySpec(1);
  spec.trajectory.rules = rules;
  testing::TinyComponents components;
  Planned planned;
  auto trainee = MakeMetaTrainee(spec.trajectory, components);
  planned.status = trainee.status();
  if (trainee.ok()) {
    planned.trainee = *std::move(trainee);
    planned.status = CheckSites(planned.trainee->plans, rules, planned.trainee->quantizers);
  }
  return planned;
}

TEST(SitePlanTest, LaterRulesOverrideEarlierOnes) {
  const Planned planned =
      Plan({Rule("*", "absmax"), Rule("*.fc2.input", "absmax", 8), Rule("1.*.weight", "none")});
  ASSERT_TRUE(planned.status.ok()) << planned.status;
  const std::vector<LinearPlan>& plans = planned.trainee->plans;
  ASSERT_EQ(plans.size(), 4u);
  EXPECT_EQ(plans[0].weight_rule, 0);
  EXPECT_EQ(plans[0].input_rule, 0);
  EXPECT_EQ(plans[1].input_rule, 1);
  EXPECT_EQ(plans[2].weight_rule, kFullPrecision);
  EXPECT_EQ(plans[3].input_rule, 1);
}

TEST(SitePlanTest, SaysWhatCannotBe) {
  const std::pair<std::vector<recipe::ResolvedRule>, std::string> cases[] = {
      {{Rule("*.fc3.weight", "absmax")}, "0.fc1.weight, 0.fc1.input, 0.fc2.weight"},
      {{Rule("fc1", "absmax")}, "site pattern 'fc1'"},
      {{Rule("*.fc1.input", "adapter")}, "does not do operand 'input'"},
      {{Rule("*", "nothing-known")}, "no quantizer 'nothing-known'"},
      {{Rule("*.fc1.*", "picky")},
       "site 1.fc1.input: quantizer 'picky': group = 6 does not divide 8"},
  };
  for (const auto& [rules, what] : cases) {
    const absl::Status status = Plan(rules).status;
    EXPECT_FALSE(status.ok());
    EXPECT_TRUE(absl::StrContains(status.message(), what)) << status;
  }
}

TEST(AttachTest, KeysAndSeedsTellSitesApart) {
  EXPECT_NE(QuantizerKey(Rule("*", "absmax", 4).quantizer),
            QuantizerKey(Rule("*", "absmax", 3).quantizer));
  EXPECT_NE(SiteSeed(1, "0.fc1.weight"), SiteSeed(1, "0.fc2.weight"));
  EXPECT_NE(SiteSeed(1, "0.fc1.weight"), SiteSeed(2, "0.fc1.weight"));
}

TEST(CalibrateTest, StatisticsAreThoseOfTheTokensAskedFor) {
  recipe::SegmentSpec spec = TinySpec(1);
  testing::TinyComponents components;
  const SequenceSource source = [](int64_t i, int64_t* out) {
    for (int64_t t = 0; t <= 6; ++t) out[t] = (i * 7 + t * 3) % testing::kVocabulary;
  };
  auto trainee = *MakeTrainee(spec, components, Start(), source);
  QuantizableLinear* fc1 = trainee->model->Linears()[0];
  QuantizableLinear* fc2 = trainee->model->Linears()[1];
  CalibrationNeeds most, some;
  most.tokens = 5 * 6;
  most.hessian = true;
  most.sample_rows = 7;
  some.tokens = 2 * 6 - 1;
  CalibrationData data;
  data.source = source;
  data.first_sequence = 3;
  data.sequence_length = 6;
  data.batch_sequences = 2;
  const auto statistics = Calibrate(*trainee->model, {{fc1, most}, {fc2, some}}, data);
  // The input of the first linear is the embedding of the tokens.
  std::vector<int64_t> tokens;
  for (int64_t i = 3; i < 8; ++i) {
    for (int64_t t = 0; t < 6; ++t) tokens.push_back((i * 7 + t * 3) % testing::kVocabulary);
  }
  const at::Tensor x =
      at::embedding(trainee->model->Parameters()[0].tensor.detach(), at::tensor(tokens, at::kLong));
  const CalibrationStatistics& seen = statistics.at(fc1);
  EXPECT_EQ(seen.tokens, 30);
  EXPECT_TRUE(at::allclose(seen.hessian, 2.0 / 30 * at::mm(x.t(), x), 1e-5, 1e-6));
  EXPECT_TRUE(at::allclose(seen.feature_mean_abs, x.abs().mean(0)));
  EXPECT_TRUE(at::allclose(seen.mean_abs, x.abs().mean()));
  EXPECT_TRUE(at::equal(seen.max_abs, x.abs().amax(0)));
  ASSERT_EQ(seen.samples.size(0), 7);
  for (int64_t i = 0; i < 7; ++i) EXPECT_TRUE(at::equal(seen.samples[i], x[i * 30 / 7])) << i;
  EXPECT_EQ(statistics.at(fc2).tokens, 12);
  EXPECT_FALSE(statistics.at(fc2).hessian.defined());
}

}  // namespace
}  // namespace qatlas::train
