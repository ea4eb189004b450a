#include "framework/observe/noise.h"

#include <cmath>
#include <limits>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace qatlas::observe {
namespace {

using ::testing::HasSubstr;

TEST(NoiseTest, CompensatedSumKeepsSmallTerms) {
  EXPECT_EQ(CompensatedSum({1.0, 1e100, 1.0, -1e100}), 2.0);
  EXPECT_EQ(CompensatedSum({}), 0.0);
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(CompensatedSum({1.0, inf}), inf);
}

TEST(NoiseTest, PairedDifferenceByHand) {
  // Differences .1, .3, .2: mean .2, sd .1, se .1/sqrt(3).
  const auto result = PairedMeanDifference({3.1, 5.3, 1.2}, {3.0, 5.0, 1.0});
  ASSERT_TRUE(result.ok());
  EXPECT_NEAR(result->mean, .2, 1e-15);
  EXPECT_NEAR(result->standard_error, .1 / std::sqrt(3), 1e-15);
  EXPECT_EQ(result->count, 3u);
}

TEST(NoiseTest, PairingCancelsTheSequences) {
  std::mt19937 random(1);
  std::normal_distribution<double> hardness(0, 1), noise(0, .001);
  std::vector<double> a, b;
  for (int i = 0; i < 400; ++i) {
    const double common = 4 + hardness(random);
    a.push_back(common + .02 + noise(random));
    b.push_back(common + noise(random));
  }
  const auto result = PairedMeanDifference(a, b);
  EXPECT_NEAR(result->mean, .02, 3 * result->standard_error);
  EXPECT_NEAR(result->standard_error, .001 * std::sqrt(2. / 400), 1e-5);
  EXPECT_GT(MeanLoss(a)->standard_error, .04);
}

TEST(NoiseTest, OneSequenceHasNoError) {
  const auto result = PairedMeanDifference({2}, {1});
  EXPECT_EQ(result->mean, 1);
  EXPECT_TRUE(std::isnan(result->standard_error));
}

TEST(NoiseTest, RefusesWhatCannotBePaired) {
  EXPECT_THAT(std::string(PairedMeanDifference({1, 2}, {1}).status().message()),
              HasSubstr("2 sequences, its pair of 1"));
  EXPECT_FALSE(PairedMeanDifference({}, {}).ok());
  EXPECT_THAT(std::string(PairedMeanDifference({1, 2}, {1, NAN}).status().message()),
              HasSubstr("sequence 1 of the second run"));
  EXPECT_FALSE(MeanLoss({}).ok());
}

TEST(NoiseTest, PooledVarianceByHand) {
  // (1,3): squares 2, 1 degree; (10,10,13): mean 11, squares 6, 2 degrees; (5): nothing.
  Table table;
  ASSERT_TRUE(table.SetNumbers("D", {1, 1, 2, 2, 2, 3, 4}).ok());
  ASSERT_TRUE(table.SetNumbers("delta", {1, 3, 10, 10, 13, 5, kMissing}).ok());
  const auto pooled = PooledSeedVariance(table, {"D"});
  ASSERT_TRUE(pooled.ok());
  EXPECT_DOUBLE_EQ(pooled->variance, 8.0 / 3.0);
  EXPECT_EQ(pooled->degrees_of_freedom, 3);
  EXPECT_EQ(pooled->cells_used, 2);
  EXPECT_EQ(pooled->cells_single, 1);
  EXPECT_TRUE(pooled->known());
}

TEST(NoiseTest, OneSeedEverywhereIsUnknownNotZero) {
  Table table;
  ASSERT_TRUE(table.SetNumbers("D", {1, 2}).ok());
  ASSERT_TRUE(table.SetNumbers("delta", {1, 3}).ok());
  const auto pooled = PooledSeedVariance(table, {"D"});
  ASSERT_TRUE(pooled.ok());
  EXPECT_TRUE(std::isnan(pooled->variance));
  EXPECT_FALSE(pooled->known());
  EXPECT_THAT(pooled->reason, HasSubstr("each of the 2 cells has one seed"));
  EXPECT_EQ(PooledSeedVariance(table, {"DD"}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(PooledVariance({}).reason, HasSubstr("no cells"));
}

}  // namespace
}  // namespace qatlas::observe
