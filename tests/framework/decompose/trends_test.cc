#include "framework/decompose/trends.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "framework/observe/csv.h"

namespace qatlas::decompose {
namespace {

using ::testing::HasSubstr;

Trends Find(const std::string& text) {
  const auto table = observe::ParseCsv(text, "f");
  EXPECT_TRUE(table.ok()) << table.status();
  const auto parts = CollectParts(*table, DefaultCellColumns(*table));
  EXPECT_TRUE(parts.ok()) << parts.status();
  return FindTrends(*parts);
}

std::vector<TrendStep> Of(const Trends& trends, const std::string& covariate) {
  std::vector<TrendStep> steps;
  for (const TrendStep& step : trends.steps) {
    if (step.covariate == covariate) steps.push_back(step);
  }
  return steps;
}

TEST(TrendsTest, PairedSeedsCancelWhatTheyShare) {
  // Seed 1 is .05 above seed 0 everywhere: means overlap, differences are clear.
  const Trends trends = Find(
      "model,D,precision,seed,delta,delta_se\n"
      "s,1,W4A4,0,.010,0\ns,1,W4A4,1,.060,0\n"
      "s,2,W4A4,0,.020,0\ns,2,W4A4,1,.071,0\n"
      "s,4,W4A4,0,.015,0\ns,4,W4A4,1,.063,0\n"
      "s,8,W4A4,0,.0155,0\ns,8,W4A4,1,.0634,0\n");
  const std::vector<TrendStep> steps = Of(trends, "D");
  ASSERT_EQ(steps.size(), 3u);
  EXPECT_TRUE(steps[0].paired);
  EXPECT_EQ(steps[0].from, 1);
  EXPECT_EQ(steps[0].to, 2);
  EXPECT_NEAR(steps[0].change.value, .0105, 1e-12);
  // Differences .010 .011, -.005 -.008, .0005 .0004: squares 5e-7, 4.5e-6, 5e-9, 3 degrees.
  EXPECT_NEAR(steps[0].change.training_se, std::sqrt(5.005e-6 / 3 / 2), 1e-9);
  EXPECT_EQ(steps[0].verdict, Verdict::kRises);
  EXPECT_EQ(steps[1].verdict, Verdict::kFalls);
  EXPECT_EQ(steps[2].verdict, Verdict::kNotClear);
  ASSERT_EQ(trends.summaries.size(), 1u);
  EXPECT_EQ(trends.summaries[0].rises, 1);
  EXPECT_EQ(trends.summaries[0].falls, 1);
  EXPECT_EQ(trends.summaries[0].not_clear, 1);
}

TEST(TrendsTest, SizesAreNotPaired) {
  const Trends trends = Find(
      "model,N,D,precision,seed,delta\n"
      "b,2e6,1,W4A4,0,.010\nb,2e6,1,W4A4,1,.060\n"
      "s,1e6,1,W4A4,0,.020\ns,1e6,1,W4A4,1,.071\n");
  const std::vector<TrendStep> steps = Of(trends, "N");
  ASSERT_EQ(steps.size(), 1u);
  EXPECT_FALSE(steps[0].paired);
  EXPECT_EQ(steps[0].from, 1e6);
  EXPECT_NEAR(steps[0].change.value, .035 - .0455, 1e-12);
  // Squares .00125 and .0013005 over 2 degrees; two means of two seeds each.
  EXPECT_NEAR(steps[0].change.training_se, std::sqrt((.00125 + .0013005) / 2), 1e-9);
  EXPECT_EQ(steps[0].verdict, Verdict::kNotClear);
}

TEST(TrendsTest, BitsAndGroupsHoldTheRestEqual) {
  const Trends trends = Find(
      "model,D,G,granularity,part,weight_bits,input_bits,seed,delta\n"
      "s,1,32,per-group,both,3,3,0,.06\ns,1,32,per-group,both,3,3,1,.061\n"
      "s,1,32,per-group,both,4,4,0,.02\ns,1,32,per-group,both,4,4,1,.021\n"
      "s,1,32,per-group,both,4,8,0,.01\n"
      "s,1,128,per-channel,both,4,4,0,.03\ns,1,128,per-channel,both,4,4,1,.031\n"
      "s,2,32,per-group,weights,4,,0,.01\ns,2,32,per-group,weights,3,,0,.03\n");
  const std::vector<TrendStep> bits = Of(trends, "bits");
  ASSERT_EQ(bits.size(), 2u);
  EXPECT_EQ(bits[0].part, "both");
  EXPECT_EQ(bits[0].from, 3);
  EXPECT_NEAR(bits[0].change.value, -.04, 1e-12);
  EXPECT_EQ(bits[0].verdict, Verdict::kFalls);
  EXPECT_EQ(bits[1].part, "weights");
  // One seed only, but the pooled variance of the paired differences is known.
  EXPECT_TRUE(bits[1].paired);
  EXPECT_EQ(bits[1].change.seeds, 1);
  const std::vector<TrendStep> groups = Of(trends, "G");
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].to, 128);
  EXPECT_EQ(groups[0].verdict, Verdict::kRises);
  EXPECT_TRUE(Of(trends, "D").empty());
}

TEST(TrendsTest, EvaluationErrorCounts) {
  const Trends trends = Find(
      "model,D,precision,seed,delta,delta_se\n"
      "s,1,W4A4,0,.010,.01\ns,1,W4A4,1,.0101,.01\ns,2,W4A4,0,.020,.01\ns,2,W4A4,1,.0201,.01\n");
  ASSERT_EQ(trends.steps.size(), 1u);
  EXPECT_NEAR(trends.steps[0].change.evaluation_se, std::sqrt(2) * .01, 1e-12);
  EXPECT_EQ(trends.steps[0].verdict, Verdict::kNotClear);
}

TEST(TrendsTest, TwoCellsOfOneLevelAreNoted) {
  const Trends trends =
      Find("model,N,D,precision,delta\na,1,1,W4A4,.1\nb,1,1,W4A4,.2\nc,2,1,W4A4,.3\n");
  ASSERT_EQ(Of(trends, "N").size(), 1u);
  ASSERT_EQ(trends.notes.size(), 1u);
  EXPECT_THAT(trends.notes[0], HasSubstr("several cells have N 1"));
  EXPECT_EQ(trends.steps[0].verdict, Verdict::kErrorUnknown);
}

}  // namespace
}  // namespace qatlas::decompose
