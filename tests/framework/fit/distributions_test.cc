#include "framework/fit/distributions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace qatlas::fit {
namespace {

// Values of tables (scipy 1.x gives the same), and what holds by definition.
TEST(DistributionsTest, AreThoseOfTheTables) {
  EXPECT_NEAR(StudentQuantile(.975, 4), 2.7764451051977987, 1e-12);
  EXPECT_NEAR(TwoSidedQuantile(.95, std::numeric_limits<double>::infinity()), 1.959963984540054,
              1e-12);
  EXPECT_EQ(TwoSidedQuantile(.95, 4), StudentQuantile(.975, 4));
  EXPECT_NEAR(StudentTwoSided(-2.7764451051977987, 4), .05, 1e-12);
  EXPECT_EQ(StudentTwoSided(std::numeric_limits<double>::infinity(), 4), 0);
  EXPECT_NEAR(ChiSquaredQuantile(.95, 3), 7.814727903251179, 1e-11);
  EXPECT_NEAR(ChiSquaredTail(7.814727903251179, 3), .05, 1e-13);
  EXPECT_NEAR(ChiSquaredTail(5, 2), std::exp(-2.5), 1e-14);
  // F with one degree of freedom above is t squared.
  EXPECT_NEAR(FisherTail(2.5 * 2.5, 1, 6), StudentTwoSided(2.5, 6), 1e-13);
  EXPECT_NEAR(FisherTail(3, 2, 8), std::pow(1 + 3. / 4, -4), 1e-13);
  // Beta(1, b) has the quantile 1 - (1 - p)^(1/b).
  EXPECT_NEAR(BetaQuantile(.025, 1, 8), 1 - std::pow(.975, 1. / 8), 1e-14);
  EXPECT_NEAR(BetaQuantile(.5, 3, 3), .5, 1e-13);
}

}  // namespace
}  // namespace qatlas::fit
