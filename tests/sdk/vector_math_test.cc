#include "qatlas/vector_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace qatlas::vector_math {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Distance in units of the last place of the exact result.
double Ulps(double value, long double exact) {
  const double rounded = static_cast<double>(exact);
  const double next = std::nextafter(std::abs(rounded), kInfinity);
  return static_cast<double>(std::abs(value - exact) / (next - std::abs(rounded)));
}

TEST(VectorMath, ExpStaysWithinSixFifthsOfAnUlp) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> wide(-708, 709);
  std::uniform_real_distribution<double> narrow(-1, 1);
  double worst = 0;
  for (int i = 0; i < 1000000; ++i) {
    const double x = i % 2 == 0 ? wide(random) : narrow(random);
    worst = std::max(worst, Ulps(Exp(x), std::exp(static_cast<long double>(x))));
  }
  EXPECT_LT(worst, 1.2);
}

TEST(VectorMath, LogStaysWithinOneUlp) {
  std::mt19937_64 random(2);
  std::uniform_real_distribution<double> exponent(-1000, 1000);
  std::uniform_real_distribution<double> near_one(0.5, 2);
  double worst = 0;
  for (int i = 0; i < 1000000; ++i) {
    const double x = i % 2 == 0 ? std::exp2(exponent(random)) : near_one(random);
    worst = std::max(worst, Ulps(Log(x), std::log(static_cast<long double>(x))));
  }
  EXPECT_LT(worst, 1.0);
}

TEST(VectorMath, PowErrsByThreeUlpAndTheSizeOfItsExponent) {
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> base(0, 40);
  std::uniform_real_distribution<double> power(-4, 4);
  for (int i = 0; i < 300000; ++i) {
    const double x = std::exp(base(random));
    const double y = power(random);
    const long double exact = std::pow(static_cast<long double>(x), static_cast<long double>(y));
    ASSERT_LT(Ulps(Pow(x, y), exact), 3 + std::abs(y * std::log(x))) << x << " ^ " << y;
  }
}

TEST(VectorMath, TanhStaysWithinFiveUlp) {
  std::mt19937_64 random(4);
  std::uniform_real_distribution<double> exponent(-40, 5);
  double worst = 0;
  for (int i = 0; i < 300000; ++i) {
    const double x = (i % 2 == 0 ? 1 : -1) * std::exp2(exponent(random));
    worst = std::max(worst, Ulps(Tanh(x), std::tanh(static_cast<long double>(x))));
  }
  EXPECT_LT(worst, 5);
  EXPECT_EQ(Tanh(0), 0);
  EXPECT_EQ(Tanh(800), 1);
  EXPECT_EQ(Tanh(-kInfinity), -1);
  EXPECT_TRUE(std::isnan(Tanh(std::nan(""))));
}

TEST(VectorMath, HandlesTheEndsOfTheRange) {
  EXPECT_EQ(Exp(0), 1);
  EXPECT_EQ(Exp(1000), kInfinity);
  EXPECT_EQ(Exp(kInfinity), kInfinity);
  EXPECT_EQ(Exp(-1000), 0);
  EXPECT_EQ(Exp(-kInfinity), 0);
  EXPECT_TRUE(std::isnan(Exp(std::nan(""))));
  // Subnormal results lose bits as they must.
  EXPECT_NEAR(Exp(-730) / std::exp(-730.0), 1, 1e-6);
  EXPECT_EQ(Log(1), 0);
  EXPECT_EQ(Log(0), -kInfinity);
  EXPECT_EQ(Log(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(Log(-1)));
  EXPECT_TRUE(std::isnan(Log(std::nan(""))));
  EXPECT_LT(Ulps(Log(1e-310), std::log(1e-310L)), 1);
  EXPECT_EQ(Pow(0, 0), 1);
  EXPECT_EQ(Pow(0, 2), 0);
  EXPECT_EQ(Pow(5, 0), 1);
}

}  // namespace
}  // namespace qatlas::vector_math
