#include "fixture.h"
#include "framework/recipe/recipe.h"

namespace qatlas::recipe {
namespace {

using ::testing::DoubleEq;
using ::testing::DoubleNear;

ResolvedRecipe With(const std::string& schedule) {
  ResolvedRecipe recipe;
  recipe.training.schedule = schedule;
  recipe.training.warmup_tokens = 400;
  recipe.training.final_fraction = .1;
  return recipe;
}

TEST(Schedule, WarmupCooldownAndTheStretchBetween) {
  const ResolvedRecipe recipe = With("wsd");
  const auto pieces = recipe.Schedule(100, 100);
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(recipe.CooldownBegin(100), 75);
  for (int step = 0; step < 4; ++step) {
    EXPECT_THAT(ScheduleAt(pieces, step), DoubleEq((step + 1) / 5.));
  }
  EXPECT_EQ(ScheduleAt(pieces, 4), 1);
  EXPECT_EQ(ScheduleAt(pieces, 74), 1);
  EXPECT_EQ(ScheduleAt(pieces, 75), 1);
  EXPECT_THAT(ScheduleAt(pieces, 80), DoubleEq(1 - .9 * 5 / 25));
  EXPECT_THAT(ScheduleAt(pieces, 99), DoubleEq(1 - .9 * 24 / 25));
  EXPECT_EQ(ScheduleAt(pieces, 100), .1);
  EXPECT_EQ(ScheduleAt(pieces, 1000), .1);
}

TEST(Schedule, CosineAndConstant) {
  const auto cosine = With("cosine").Schedule(104, 100);
  EXPECT_EQ(ScheduleAt(cosine, 4), 1);
  EXPECT_THAT(ScheduleAt(cosine, 54), DoubleNear(.55, 1e-12));
  EXPECT_EQ(ScheduleAt(cosine, 104), .1);
  const auto constant = With("constant").Schedule(50, 100);
  EXPECT_EQ(ScheduleAt(constant, 49), 1);
  EXPECT_EQ(ScheduleAt({}, 7), 1);
}

TEST(Schedule, ShapesOfTheCooldown) {
  ResolvedRecipe recipe = With("wsd");
  recipe.training.final_fraction = 0;
  recipe.training.cooldown_shape = "one-minus-sqrt";
  EXPECT_THAT(ScheduleAt(recipe.Schedule(400, 100), 325), DoubleEq(.5));
  recipe.training.cooldown_shape = "cosine";
  EXPECT_THAT(ScheduleAt(recipe.Schedule(400, 100), 350), DoubleNear(.5, 1e-12));
}

// Pieces cover all steps without a gap, the rate never rises after the warm-up, and a larger budget
// has the same rates up to the smaller one's cooldown, so that both share a trunk.
TEST(Schedule, SharesTheTrunk) {
  for (const char* name : {"wsd", "cosine", "constant"}) {
    const ResolvedRecipe recipe = With(name);
    for (const int64_t steps : {1, 2, 5, 6, 17, 100, 1001}) {
      const auto pieces = recipe.Schedule(steps, 100);
      int64_t end = 0;
      for (const SchedulePiece& piece : pieces) {
        EXPECT_EQ(piece.begin, end);
        EXPECT_LT(piece.begin, piece.end);
        end = piece.end;
      }
      EXPECT_EQ(end, steps);
      for (int64_t step = 5; step <= steps; ++step) {
        EXPECT_LE(ScheduleAt(pieces, step), ScheduleAt(pieces, step - 1) + 1e-15);
        EXPECT_GE(ScheduleAt(pieces, step), .1);
      }
    }
  }
  const ResolvedRecipe recipe = With("wsd");
  const auto small = recipe.Schedule(100, 100);
  const auto large = recipe.Schedule(400, 100);
  for (int64_t step = 0; step < 75; ++step) {
    EXPECT_EQ(ScheduleAt(small, step), ScheduleAt(large, step));
  }
}

TEST(Schedule, WhereQuantizationStarts) {
  const ResolvedRecipe recipe = With("wsd");
  using Kind = QatStart::Kind;
  EXPECT_EQ(recipe.QuantizedFrom({}, 100), 0);
  EXPECT_EQ(recipe.QuantizedFrom({Kind::kCooldown, 1, true}, 100), 75);
  EXPECT_EQ(recipe.QuantizedFrom({Kind::kFraction, .5, true}, 101), 50);
  EXPECT_EQ(recipe.QuantizedFrom({Kind::kFraction, 0, true}, 100), 100);
  EXPECT_EQ(With("cosine").CooldownBegin(100), 100);
}

}  // namespace
}  // namespace qatlas::recipe
