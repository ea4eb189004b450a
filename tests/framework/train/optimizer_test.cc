#include "framework/train/optimizer.h"

#include <cmath>

#include <functional>

#include "absl/strings/match.h"
#include "framework/train/loop.h"
#include "framework/train/loss_tracker.h"
#include "framework/train/outcome.h"
#include "gtest/gtest.h"
#include "tests/framework/train/tiny.h"

namespace qatlas::train {
namespace {

using testing::Rule;
using testing::ScratchFolder;
using testing::TinySpec;

at::Tensor Leaf(const at::Tensor& value) { return value.clone().requires_grad_(true); }

TEST(AdamWTest, FollowsTheFormulaWithDecayAndClipping) {
  recipe::OptimizerSettings settings;
  settings.clip = .5;
  const at::Tensor start = at::linspace(-1, 1, 37, at::kFloat);
  at::Tensor a = Leaf(start), b = Leaf(start.mul(2)), unused = Leaf(start);
  AdamW adam({{"a", a, 1e-2, .1}, {"b", b, 3e-2, 0}, {"unused", unused, 1e-2, .1}}, settings);
  at::Tensor ra = start.to(at::kDouble), rb = start.mul(2).to(at::kDouble);
  at::Tensor ma = at::zeros_like(ra), va = at::zeros_like(ra), mb = ma.clone(), vb = ma.clone();
  for (int t = 1; t <= 5; ++t) {
    adam.ClearGradients();
    // The first gradients are clipped, the last are not.
    const double size = t < 4 ? 1.0 : .01;
    at::add(a.square().sum().mul(size), b.sin().sum().mul(size)).backward();
    const at::Tensor norm = adam.GradientNorm();
    const at::Tensor ga = a.grad().to(at::kDouble).clone(), gb = b.grad().to(at::kDouble).clone();
    const double expected = std::sqrt((ga.square().sum() + gb.square().sum()).item<double>());
    EXPECT_NEAR(norm.item<float>(), expected, 1e-5 * expected);
    adam.Step(.5, norm);
    const double clip = std::min(1.0, settings.clip / (expected + 1e-6));
    auto reference = [&](at::Tensor& w, at::Tensor& m, at::Tensor& v, at::Tensor g, double lr,
                         double decay) {
      g = g * clip;
      w.mul_(1 - lr * decay);
      m.mul_(.9).add_(g, .1);
      v.mul_(.95).add_(g * g, 1 - .95);
      w.sub_(lr / (1 - std::pow(.9, t)) * m / ((v / (1 - std::pow(.95, t))).sqrt() + 1e-8));
    };
    reference(ra, ma, va, ga, .5e-2, .1);
    reference(rb, mb, vb, gb, 1.5e-2, 0);
  }
  EXPECT_TRUE(at::allclose(a.to(at::kDouble), ra, 1e-5, 1e-6));
  EXPECT_TRUE(at::allclose(b.to(at::kDouble), rb, 1e-5, 1e-6));
  EXPECT_TRUE(at::equal(unused, start));
  EXPECT_EQ(adam.UpdateCounts().at("a"), 5);
  EXPECT_EQ(adam.UpdateCounts().at("unused"), 0);
}

TEST(AdamWTest, GroupsOverrideWhatOwnersAskFor) {
  recipe::Trajectory trajectory;
  trajectory.peak_learning_rate = 1e-3;
  trajectory.groups["clip"] = {5e-2, true};
  NamedParameter parameter{"gamma", at::ones({1}), "clip", false};
  parameter.learning_rate = 1e-2;
  TrainedParameter decided = Decide("quantizer.x.", parameter, trajectory);
  EXPECT_EQ(decided.name, "quantizer.x.gamma");
  EXPECT_EQ(decided.peak_learning_rate, 5e-2);
  EXPECT_EQ(decided.weight_decay, .1);
  parameter.group = "other";
  decided = Decide("", parameter, trajectory);
  EXPECT_EQ(decided.peak_learning_rate, 1e-2);
  EXPECT_EQ(decided.weight_decay, 0);
  parameter.learning_rate = std::nan("");
  EXPECT_EQ(Decide("", parameter, trajectory).peak_learning_rate, 1e-3);
}

// Parameters after a few steps with micro batches of `micro` sequences.
std::vector<at::Tensor> TrainWith(int64_t micro, const ScratchFolder& folder) {
  recipe::SegmentSpec spec = TinySpec(4);
  spec.trajectory.micro_batch_sequences = micro;
  spec.trajectory.rules = {Rule("*.fc2.weight", "adapter")};
  const auto batches = *data::TrainBatches::Create(
      testing::MakeTokens(folder.path(), "train", 4000), spec.trajectory.sequence_length, 7);
  const SequenceSource source = [&](int64_t i, int64_t* out) { batches.Fill(i, out); };
  testing::TinyComponents components;
  auto trainee = *MakeTrainee(spec, components, Start(), source);
  Stepper stepper(*trainee, spec.trajectory, source);
  for (int64_t step = 0; step < 4; ++step) stepper.Step(step);
  std::vector<at::Tensor> result;
  for (const TrainedParameter& p : trainee->optimizer->parameters()) {
    result.push_back(p.tensor.detach().clone());
    EXPECT_TRUE(p.tensor.grad().defined()) << p.name;
  }
  return result;
}

TEST(StepperTest, MicroBatchesAddUpToTheBatch) {
  ScratchFolder folder;
  const std::vector<at::Tensor> whole = TrainWith(4, folder);
  for (int64_t micro : {1, 2}) {
    const std::vector<at::Tensor> parts = TrainWith(micro, folder);
    ASSERT_EQ(parts.size(), whole.size());
    for (size_t i = 0; i < whole.size(); ++i) {
      EXPECT_TRUE(at::allclose(parts[i], whole[i], 1e-3, 1e-5)) << i;
    }
  }
}

TEST(LossTrackerTest, SmoothsAndNoticesDivergence) {
  LossTracker losses(4);
  EXPECT_TRUE(std::isnan(losses.Smoothed()));
  for (int i = 1; i <= 6; ++i) ASSERT_TRUE(losses.Add(i, i, 1).ok());
  EXPECT_EQ(losses.Smoothed(), (3 + 4 + 5 + 6) / 4.0);
  LossTracker restored(4);
  ASSERT_TRUE(restored.Restore(losses.State(), 6).ok());
  EXPECT_EQ(restored.Smoothed(), losses.Smoothed());
  // Both end at the same step, the hundredth with a mean above 2.
  int64_t ended[2] = {0, 0};
  for (LossTracker* tracker : {&losses, &restored}) {
    for (int64_t step = 7; step < 400; ++step) {
      const absl::Status status = tracker->Add(step, 9, 1);
      if (status.ok()) continue;
      EXPECT_EQ(FailureKind(status), "diverged");
      ended[tracker == &restored] = step;
      break;
    }
  }
  EXPECT_EQ(ended[0], ended[1]);
  EXPECT_EQ(ended[0], 103);
  LossTracker calm(4);
  for (int64_t step = 0; step < 400; ++step) ASSERT_TRUE(calm.Add(step, 3 - .001 * step, 1).ok());
  EXPECT_EQ(FailureKind(calm.Add(400, std::nan(""), 1)), "nan");
  EXPECT_EQ(FailureKind(calm.Add(400, 1, INFINITY)), "nan");
  EXPECT_FALSE(calm.Restore(at::ones({1}, at::kDouble), 6).ok());
}

// Losses of a training of a vocabulary of 64: `loss` of each step counted from 0.
LossTracker Tracked(int64_t steps, const std::function<double(int64_t)>& loss) {
  LossTracker losses(8);
  losses.SetUniformLoss(std::log(64.));
  for (int64_t s = 0; s < steps; ++s) EXPECT_TRUE(losses.Add(s + 1, loss(s), 1).ok()) << s;
  return losses;
}

TEST(LossTrackerTest, AShortRunThatEndsWorseThanAGuessHasDiverged) {
  for (const int64_t steps : {8, 64, 100}) {
    const LossTracker exploded = Tracked(steps, [](int64_t s) { return s == 0 ? 4.16 : 6.08; });
    const absl::Status status = exploded.CheckEnd(steps);
    EXPECT_EQ(FailureKind(status), "diverged") << steps;
    EXPECT_TRUE(absl::StrContains(status.message(), "is 6.080, above the limit of 4.660"))
        << status;
  }
}

TEST(LossTrackerTest, BumpsAndHighLossesThatFallAreNoDivergence) {
  // A bump behind the warm-up, gone by the last quarter.
  EXPECT_TRUE(
      Tracked(64, [](int64_t s) { return s == 0   ? 4.16
                                         : s < 40 ? 9.
                                                  : 4.1; }).CheckEnd(64).ok());
  // It began far above a guess, and falls.
  EXPECT_TRUE(Tracked(64, [](int64_t s) { return 30 - .2 * s; }).CheckEnd(64).ok());
  // It learns nothing.
  EXPECT_TRUE(Tracked(64, [](int64_t s) { return 4.16 + .3 * (s % 2); }).CheckEnd(64).ok());
  // A model that was trained before gets worse by less than 1 nat.
  EXPECT_TRUE(Tracked(64, [](int64_t s) { return s == 0 ? 2. : 2.9; }).CheckEnd(64).ok());
  EXPECT_FALSE(Tracked(64, [](int64_t s) { return s == 0 ? 2. : 3.1; }).CheckEnd(64).ok());
  EXPECT_TRUE(LossTracker(4).CheckEnd(0).ok()) << "nothing was trained";
}

TEST(LossTrackerTest, ATrajectoryKnowsWhereTheOneBeforeItBegan) {
  const auto follow = [](const LossTracker& parent, double first, double last) {
    LossTracker losses(8);
    losses.SetUniformLoss(std::log(64.));
    EXPECT_TRUE(losses.Follow(parent.State()).ok());
    for (int64_t s = 0; s < 16; ++s) EXPECT_TRUE(losses.Add(s + 1, s == 0 ? first : last, 1).ok());
    return losses.CheckEnd(16).ok();
  };
  const LossTracker sound = Tracked(60, [](int64_t s) { return 4.16 - .02 * s; });
  EXPECT_TRUE(follow(sound, 3, 2.9));
  EXPECT_FALSE(follow(sound, 3, 5));
  EXPECT_TRUE(follow(sound, 9, 7)) << "two bits that were just attached";
  EXPECT_FALSE(follow(sound, 7, 9));
  const LossTracker exploded = Tracked(60, [](int64_t s) { return s == 0 ? 4.16 : 6.08; });
  EXPECT_FALSE(follow(exploded, 6.08, 6)) << "it began exploded";
  EXPECT_TRUE(follow(exploded, 6.08, 3)) << "it came back";
  // A trajectory without a step, as of quantization without training, passes it on.
  LossTracker between(8);
  ASSERT_TRUE(between.Follow(exploded.State()).ok());
  EXPECT_FALSE(follow(between, 6.08, 6));
}

TEST(LossTrackerTest, AStateDoesNotDependOnItsWindow) {
  LossTracker narrow(2), wide(60);
  for (int64_t step = 1; step <= 80; ++step) {
    ASSERT_TRUE(narrow.Add(step, 1. / static_cast<double>(step), 1).ok());
    ASSERT_TRUE(wide.Add(step, 1. / static_cast<double>(step), 1).ok());
  }
  EXPECT_TRUE(at::equal(narrow.State(), wide.State()));
  LossTracker restored(60);
  ASSERT_TRUE(restored.Restore(narrow.State(), 80).ok());
  EXPECT_EQ(restored.Smoothed(), wide.Smoothed());
  // Fewer losses than the window wants: no mean, not a mean over fewer.
  ASSERT_TRUE(restored.Restore(narrow.State().slice(0, 0, 3 + 59), 80).ok());
  EXPECT_TRUE(std::isnan(restored.Smoothed()));
  EXPECT_FALSE(restored.Restore(narrow.State(), 79).ok()) << "more losses than steps";
}

}  // namespace
}  // namespace qatlas::train
