#include "framework/runs/legs.h"

#include "gmock/gmock.h"
#include "tests/framework/runs/support.h"

namespace qatlas::runs {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

class LegsTest : public RunsTest {
 protected:
  static std::vector<Leg> Legs(const recipe::ResolvedRecipe& recipe,
                               const recipe::RunRequest& run) {
    absl::StatusOr<std::vector<Leg>> legs =
        MakeLegs(recipe, run, {Machine{"cpu", "portable", "fp32", "2.11.0"}, "data", ""});
    EXPECT_TRUE(legs.ok()) << legs.status();
    for (const Leg& leg : *legs) EXPECT_EQ(leg.trajectory.libtorch, "2.11.0");
    return legs.ok() ? *legs : std::vector<Leg>();
  }
  static recipe::RunRequest Run(int64_t steps, int scheme, recipe::QatStart::Kind kind,
                                double fraction = 1) {
    recipe::RunRequest run;
    run.tokens = steps * 8;
    run.scheme = scheme;
    run.start.kind = kind;
    run.start.fraction = fraction;
    return run;
  }
  using Kind = recipe::QatStart::Kind;
};

TEST_F(LegsTest, FullPrecisionIsTrunkAndCooldown) {
  const auto recipe = Recipe({20});
  const std::vector<Leg> legs = Legs(recipe, Run(20, 0, Kind::kScratch));
  ASSERT_THAT(legs, SizeIs(2));
  EXPECT_EQ(legs[0].begin, 0);
  EXPECT_EQ(legs[0].end, 15);
  EXPECT_EQ(legs[0].trajectory.start, "");
  EXPECT_EQ(legs[1].end, 20);
  EXPECT_EQ(legs[1].trajectory.start, recipe::StateIdentity(legs[0].trajectory, 15));
  EXPECT_EQ(legs[1].trajectory.start_step, 15);
}

TEST_F(LegsTest, LegsFollowTheSchedule) {
  // Whatever legs a run is cut into, its rates are those of the whole schedule.
  const auto recipe = Recipe({40});
  for (const recipe::RunRequest& run :
       {Run(40, 0, Kind::kScratch), Run(40, 1, Kind::kScratch), Run(40, 1, Kind::kCooldown),
        Run(40, 1, Kind::kFraction, .5), Run(40, 1, Kind::kFraction, .1)}) {
    int64_t step = 0;
    for (const Leg& leg : Legs(recipe, run)) {
      ASSERT_EQ(leg.begin, step);
      for (; step < leg.end; ++step) {
        EXPECT_EQ(recipe::ScheduleAt(leg.trajectory.schedule, step),
                  recipe::ScheduleAt(recipe.Schedule(40, 8), step))
            << step;
      }
    }
    EXPECT_EQ(step, 40);
  }
}

TEST_F(LegsTest, TrunksDoNotKnowTheBudget) {
  const auto recipe = Recipe({20, 40});
  const std::vector<Leg> small = Legs(recipe, Run(20, 0, Kind::kScratch));
  const std::vector<Leg> large = Legs(recipe, Run(40, 1, Kind::kCooldown));
  EXPECT_EQ(small[0].identity, large[0].identity);
  EXPECT_NE(small[1].identity, large[1].identity);
}

TEST_F(LegsTest, QuantizationBeginsALegWhereItBegins) {
  const auto recipe = Recipe({40});
  // On the trunk: trunk, quantized trunk, quantized cooldown.
  std::vector<Leg> legs = Legs(recipe, Run(40, 1, Kind::kFraction, .5));
  ASSERT_THAT(legs, SizeIs(3));
  EXPECT_EQ(legs[0].end, 20);
  EXPECT_TRUE(legs[0].trajectory.rules.empty());
  EXPECT_EQ(legs[1].end, 30);
  EXPECT_THAT(legs[1].trajectory.rules, SizeIs(1));
  EXPECT_EQ(legs[2].end, 40);
  // Within the cooldown.
  legs = Legs(recipe, Run(40, 1, Kind::kFraction, .1));
  ASSERT_THAT(legs, SizeIs(3));
  EXPECT_EQ(legs[1].begin, 30);
  EXPECT_EQ(legs[1].end, 36);
  EXPECT_TRUE(legs[1].trajectory.rules.empty());
  EXPECT_EQ(legs[1].identity, Legs(recipe, Run(40, 0, Kind::kScratch))[1].identity);
  // After training.
  legs = Legs(recipe, Run(40, 1, Kind::kFraction, 0));
  ASSERT_THAT(legs, SizeIs(3));
  EXPECT_EQ(legs[2].begin, 40);
  EXPECT_EQ(legs[2].end, 40);
  EXPECT_THAT(legs[2].trajectory.rules, SizeIs(1));
  // From scratch, on a quantized trunk of its own.
  legs = Legs(recipe, Run(40, 1, Kind::kScratch));
  ASSERT_THAT(legs, SizeIs(2));
  EXPECT_THAT(legs[0].trajectory.rules, SizeIs(1));
}

TEST_F(LegsTest, OptimizerCarriesOverUnlessRefusedAtTheSwitch) {
  const auto recipe = Recipe({40});
  recipe::RunRequest run = Run(40, 1, Kind::kFraction, .5);
  run.start.carry_optimizer = false;
  const std::vector<Leg> legs = Legs(recipe, run);
  EXPECT_FALSE(legs[1].trajectory.carry_optimizer);
  EXPECT_TRUE(legs[2].trajectory.carry_optimizer);
}

TEST_F(LegsTest, ExtraTokensTuneTheFinishedModel) {
  auto recipe = Recipe({40});
  recipe::RunRequest run = Run(40, 1, Kind::kExtra);
  run.start.extra_tokens = 10 * 8;
  run.start.learning_rate = .25;
  run.start.carry_optimizer = false;
  recipe.training.final_fraction = .5;
  const std::vector<Leg> full = Legs(recipe, Run(40, 0, Kind::kScratch));
  std::vector<Leg> legs = Legs(recipe, run);
  ASSERT_THAT(legs, SizeIs(3));
  EXPECT_EQ(legs[0].identity, full[0].identity);
  EXPECT_EQ(legs[1].identity, full[1].identity);
  EXPECT_EQ(legs[2].begin, 40);
  EXPECT_EQ(legs[2].end, 50);
  EXPECT_THAT(legs[2].trajectory.rules, SizeIs(1));
  EXPECT_EQ(legs[2].trajectory.peak_learning_rate, .25);
  EXPECT_EQ(legs[2].identity, legs[2].trajectory.Identity());
  EXPECT_FALSE(legs[2].trajectory.carry_optimizer);
  EXPECT_EQ(recipe::ScheduleAt(legs[2].trajectory.schedule, 40), 1);
  EXPECT_EQ(recipe::ScheduleAt(legs[2].trajectory.schedule, 45), .75);
  EXPECT_EQ(RunName(recipe, run), "xs-320-w4-extra80-lr0.25-fresh-s0");
}

TEST_F(LegsTest, ASchemeMayStartAfterAnother) {
  auto recipe = Recipe({40}, 3);
  recipe.schemes[1].after = recipe.schemes[2].rules;
  recipe.schemes[1].frozen = {"model"};
  for (const Kind kind : {Kind::kScratch, Kind::kCooldown, Kind::kExtra}) {
    recipe::RunRequest run = Run(40, 1, kind);
    run.start.extra_tokens = 80;
    const std::vector<Leg> legs = Legs(recipe, run);
    // The empty leg is the first that is quantized, the next starts from its state.
    size_t at = 0;
    while (legs[at].trajectory.rules.empty()) ++at;
    EXPECT_EQ(legs[at].begin, legs[at].end);
    EXPECT_EQ(CanonicalText(legs[at].trajectory.rules[0].quantizer.options),
              CanonicalText(recipe.schemes[2].rules[0].quantizer.options));
    EXPECT_THAT(legs[at].trajectory.frozen, SizeIs(0));
    ASSERT_GT(legs.size(), at + 1);
    EXPECT_EQ(legs[at + 1].begin, legs[at].end);
    EXPECT_EQ(legs[at + 1].trajectory.start,
              recipe::StateIdentity(legs[at].trajectory, legs[at].end));
    for (size_t i = at + 1; i < legs.size(); ++i) {
      EXPECT_THAT(legs[i].trajectory.frozen, SizeIs(1));
      EXPECT_EQ(legs[i].identity, legs[i].trajectory.Identity());
    }
  }
  // It is the segment of that scheme's own post-training quantization.
  recipe::RunRequest tuned = Run(40, 1, Kind::kExtra);
  tuned.start.extra_tokens = 80;
  EXPECT_EQ(Legs(recipe, tuned)[2].identity,
            Legs(recipe, Run(40, 2, Kind::kFraction, 0)).back().identity);
}

TEST_F(LegsTest, CosineFromScratchIsOneLeg) {
  auto recipe = Recipe({20});
  recipe.training.schedule = "cosine";
  EXPECT_THAT(Legs(recipe, Run(20, 0, Kind::kScratch)), SizeIs(1));
  EXPECT_THAT(Legs(recipe, Run(20, 1, Kind::kScratch)), SizeIs(1));
  EXPECT_THAT(Legs(recipe, Run(20, 1, Kind::kFraction, .25)), SizeIs(2));
  const absl::StatusOr<std::vector<Leg>> legs =
      MakeLegs(recipe, Run(20, 1, Kind::kCooldown), {Machine(), "data", ""});
  EXPECT_THAT(std::string(legs.status().message()), HasSubstr("has no cooldown"));
}

TEST_F(LegsTest, ConstantSharesAllBudgets) {
  auto recipe = Recipe({20, 40});
  recipe.training.schedule = "constant";
  const std::vector<Leg> small = Legs(recipe, Run(20, 0, Kind::kScratch));
  const std::vector<Leg> large = Legs(recipe, Run(40, 0, Kind::kScratch));
  ASSERT_THAT(small, SizeIs(1));
  EXPECT_EQ(small[0].identity, large[0].identity);
}

TEST_F(LegsTest, WarmupLongerThanTheTrunkStillForks) {
  auto recipe = Recipe({20});
  recipe.training.warmup_steps = 18;
  const std::vector<Leg> legs = Legs(recipe, Run(20, 1, Kind::kCooldown));
  ASSERT_THAT(legs, SizeIs(2));
  EXPECT_EQ(legs[0].end, 18);
  recipe.training.warmup_steps = 100;
  EXPECT_FALSE(MakeLegs(recipe, Run(20, 1, Kind::kCooldown), {Machine(), "data", ""}).ok());
  EXPECT_THAT(Legs(recipe, Run(20, 0, Kind::kScratch)), SizeIs(1));
}

TEST_F(LegsTest, RefusesWhatCannotBe) {
  auto recipe = Recipe({20});
  recipe::RunRequest run = Run(0, 0, Kind::kScratch);
  run.tokens = 7;
  absl::StatusOr<std::vector<Leg>> legs = MakeLegs(recipe, run, {Machine(), "data", ""});
  EXPECT_THAT(std::string(legs.status().message()), HasSubstr("less than one step of 8"));
  recipe.training.batch_sequences = 6;
  recipe.training.micro_batch_sequences = 4;
  legs = MakeLegs(recipe, Run(20, 0, Kind::kScratch), {Machine(), "data", ""});
  EXPECT_THAT(std::string(legs.status().message()), HasSubstr("does not divide"));
}

TEST_F(LegsTest, NamesTellRunsApart) {
  const auto recipe = Recipe({40});
  EXPECT_EQ(RunName(recipe, Run(40, 0, Kind::kScratch)), "xs-320-fp-s0");
  EXPECT_EQ(RunName(recipe, Run(40, 1, Kind::kCooldown)), "xs-320-w4-cooldown-s0");
  EXPECT_EQ(RunName(recipe, Run(40, 1, Kind::kFraction, .25)), "xs-320-w4-qat0.25-s0");
}

}  // namespace
}  // namespace qatlas::runs
