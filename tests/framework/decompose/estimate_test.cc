#include "framework/decompose/estimate.h"

#include <cmath>
#include <random>

#include <gtest/gtest.h>

namespace qatlas::decompose {
namespace {

Estimate Of(double value, double evaluation, double training, int seeds = 2) {
  return {value, evaluation, training, seeds};
}

TEST(EstimateTest, PartsOfTheError) {
  const Estimate both = Of(.1, .003, .004);
  EXPECT_DOUBLE_EQ(both.total_se(), .005);
  EXPECT_EQ(both.basis(), Basis::kTotal);
  const Estimate one = Of(.1, .003, kMissing);
  EXPECT_TRUE(std::isnan(one.total_se()));
  EXPECT_EQ(one.known_se(), .003);
  EXPECT_EQ(one.basis(), Basis::kEvaluation);
  EXPECT_EQ(Of(.1, kMissing, .004).basis(), Basis::kTraining);
  EXPECT_EQ(Estimate().basis(), Basis::kNone);
  EXPECT_TRUE(std::isnan(Estimate().known_se()));
}

TEST(EstimateTest, SumsAddErrorsAndDifferencesAddSquares) {
  const Estimate a = Of(.5, .003, .03, 3), b = Of(.2, .004, .04, 2);
  const Estimate sum = Combine({{1, a}, {1, b}});
  EXPECT_DOUBLE_EQ(sum.value, .7);
  EXPECT_DOUBLE_EQ(sum.evaluation_se, .007);
  EXPECT_DOUBLE_EQ(sum.training_se, .07);
  EXPECT_EQ(sum.seeds, 2);
  const Estimate difference = Combine({{1, a}, {-1, b}});
  EXPECT_DOUBLE_EQ(difference.value, .3);
  EXPECT_DOUBLE_EQ(difference.evaluation_se, .005);
  EXPECT_TRUE(std::isnan(Combine({{1, a}, {1, Of(1, kMissing, .1)}}).evaluation_se));
}

TEST(RatioTest, DeltaMethodByHand) {
  // .06 / .03 with errors .0006 and .0003: relative errors .01 and .01, se 2 * sqrt(2) * .01.
  const Ratio ratio = RatioOf(Of(.06, 0, .0006), Of(.03, 0, .0003));
  EXPECT_EQ(ratio.method, RatioMethod::kDelta);
  EXPECT_DOUBLE_EQ(ratio.value, 2);
  EXPECT_NEAR(ratio.se, 2 * std::sqrt(2) * .01, 1e-12);
  EXPECT_NEAR(ratio.high, 2 + 1.959963984540054 * ratio.se, 1e-12);
  // Errors that move together leave the ratio where it is.
  const Ratio together = RatioOf(Of(.06, 0, .0006), Of(.03, 0, .0003), .0006 * .0003);
  EXPECT_NEAR(together.se, 0, 1e-12);
}

TEST(RatioTest, FiellerByHand) {
  // a = 2, b = 1, both with error .3: g = .3457; limits of (2 - r)² = z² .09 (1 + r²).
  const Ratio ratio = RatioOf(Of(2, 0, .3), Of(1, 0, .3));
  EXPECT_EQ(ratio.method, RatioMethod::kFieller);
  EXPECT_EQ(ratio.value, 2);
  EXPECT_TRUE(std::isnan(ratio.se));
  const double z2 = 1.959963984540054 * 1.959963984540054;
  for (double r : {ratio.low, ratio.high}) {
    EXPECT_NEAR((2 - r) * (2 - r), z2 * .09 * (1 + r * r), 1e-9);
  }
  EXPECT_LT(ratio.low, 2);
  EXPECT_GT(ratio.high, 2);
  EXPECT_GT(ratio.high - 2, 2 - ratio.low);  // Skew towards the small denominators.
}

TEST(RatioTest, NegativeValuesKeepTheOrderOfTheLimits) {
  const Ratio fieller = RatioOf(Of(2, 0, .3), Of(-1, 0, .3));
  EXPECT_EQ(fieller.value, -2);
  EXPECT_LT(fieller.low, -2);
  EXPECT_GT(fieller.high, -2);
  const Ratio delta = RatioOf(Of(-.06, 0, .0006), Of(.03, 0, .0003));
  EXPECT_EQ(delta.value, -2);
  EXPECT_LT(delta.low, delta.high);
}

TEST(RatioTest, UnclearAndZeroDenominators) {
  const Ratio unclear = RatioOf(Of(.01, 0, .001), Of(.001, 0, .001));
  EXPECT_EQ(unclear.method, RatioMethod::kUnbounded);
  EXPECT_DOUBLE_EQ(unclear.value, 10);
  EXPECT_TRUE(std::isnan(unclear.low));
  EXPECT_EQ(unclear.note, "the denominator is not clear of zero");
  const Ratio zero = RatioOf(Of(.01, 0, .001), Of(0, 0, .001));
  EXPECT_EQ(zero.method, RatioMethod::kUnbounded);
  EXPECT_TRUE(std::isnan(zero.value));
  EXPECT_EQ(zero.note, "the denominator is zero");
  const Ratio exact = RatioOf(Of(.01, 0, 0), Of(0, 0, 0));
  EXPECT_TRUE(std::isnan(exact.value));
}

TEST(RatioTest, UnknownErrorsGiveNoInterval) {
  const Ratio ratio = RatioOf(Of(2, .1, kMissing), Of(1, kMissing, .1));
  EXPECT_EQ(ratio.method, RatioMethod::kNone);
  EXPECT_EQ(ratio.value, 2);
  EXPECT_TRUE(std::isnan(ratio.se));
  EXPECT_FALSE(ratio.note.empty());
  EXPECT_EQ(RatioOf(Of(2, .1, kMissing), Of(1, .01, .1)).basis, Basis::kEvaluation);
  EXPECT_TRUE(std::isnan(RatioOf(Estimate(), Of(1, 1, 1)).value));
}

TEST(RatioTest, OneMinusTurnsTheIntervalRound) {
  const Ratio ratio = RatioOf(Of(.3, 0, .003), Of(1, 0, .01));
  const Ratio rest = OneMinus(ratio);
  EXPECT_DOUBLE_EQ(rest.value, .7);
  EXPECT_DOUBLE_EQ(rest.low, 1 - ratio.high);
  EXPECT_DOUBLE_EQ(rest.high, 1 - ratio.low);
  EXPECT_EQ(rest.se, ratio.se);
}

TEST(RatioTest, IntervalsCoverTheTruth) {
  std::mt19937 random(3);
  std::normal_distribution<double> normal(0, 1);
  // Clear denominators (delta method) and unclear ones (Fieller).
  for (double error : {.02, .2}) {
    int covered = 0, bounded = 0;
    for (int i = 0; i < 4000; ++i) {
      const Ratio ratio = RatioOf(Of(2 + error * normal(random), 0, error),
                                  Of(1 + error * normal(random), 0, error));
      if (ratio.method == RatioMethod::kUnbounded) continue;
      ++bounded;
      covered += ratio.low <= 2 && 2 <= ratio.high;
    }
    EXPECT_GT(bounded, 3900);
    EXPECT_NEAR(static_cast<double>(covered) / bounded, .95, .015) << error;
  }
}

}  // namespace
}  // namespace qatlas::decompose
