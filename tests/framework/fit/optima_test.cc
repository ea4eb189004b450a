#include "framework/fit/optima.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "framework/fit/stats.h"

namespace qatlas::fit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr int kSimulations = 400;
// Of 400 simulations of a 95% interval, 99.9% hold the truth in between so many.
constexpr int kLeast = 364, kMost = 394;

double Square(double x) { return x * x; }

MinimumOptions NoBootstrap() {
  MinimumOptions options;
  options.replicates = 0;
  return options;
}

TEST(MinimumTest, AnExactParabolaIsFoundExactly) {
  std::vector<double> x, y;
  for (int i = 0; i < 7; ++i) {
    x.push_back(.5 * i);
    y.push_back(3 + .2 * Square(x.back() - 1.3) + (i % 2 == 0 ? 1e-9 : -1e-9));
  }
  const Minimum minimum = FitMinimum(x, y, {}, NoBootstrap());
  ASSERT_TRUE(minimum.found) << minimum.reason;
  EXPECT_NEAR(minimum.x, 1.3, 1e-7);
  EXPECT_NEAR(minimum.value, 3, 1e-7);
  EXPECT_EQ(minimum.degree, 3);
  EXPECT_LT(minimum.interval.high - minimum.interval.low, 1e-6);
}

// Intervals of simulated parabolas: all kinds, one simulation a stream.
TEST(MinimumTest, IntervalsCoverAParabola) {
  int covered = 0, by_delta = 0, by_bootstrap = 0, bootstraps = 0, found = 0;
  for (int simulation = 0; simulation < kSimulations; ++simulation) {
    Random random(11, simulation);
    std::vector<double> x, y;
    for (int i = 0; i < 9; ++i) {
      x.push_back(-2 + .5 * i);
      y.push_back(3 + .03 * Square(x.back() - .3) + .006 * random.Normal());
    }
    MinimumOptions options;
    options.replicates = 200;
    const Minimum minimum = FitMinimum(x, y, {}, options);
    if (!minimum.found) continue;
    ++found;
    covered += minimum.interval.low <= .3 && .3 <= minimum.interval.high;
    by_delta += minimum.delta.low <= .3 && .3 <= minimum.delta.high;
    if (std::isnan(minimum.bootstrap.low)) continue;
    ++bootstraps;
    by_bootstrap += minimum.bootstrap.low <= .3 && .3 <= minimum.bootstrap.high;
  }
  EXPECT_EQ(found, kSimulations);
  EXPECT_GE(covered, kLeast);
  EXPECT_LE(covered, kMost);
  EXPECT_GE(by_delta, kLeast);
  EXPECT_LE(by_delta, kMost);
  EXPECT_GT(bootstraps, 350);
  // Percentiles of few residuals fall short; the documentation says by how much.
  EXPECT_GE(by_bootstrap, .85 * bootstraps);
  RecordProperty("fieller", covered);
  RecordProperty("delta", by_delta);
  RecordProperty("bootstrap", by_bootstrap);
}

TEST(MinimumTest, KnownNoiseNeedsNoResiduals) {
  int covered = 0;
  for (int simulation = 0; simulation < kSimulations; ++simulation) {
    Random random(12, simulation);
    std::vector<double> x, y, noise;
    for (int i = 0; i < 5; ++i) {
      x.push_back(i - 2.0);
      noise.push_back(.002 * (1 + i % 3));
      y.push_back(3 + .05 * Square(x.back() - .2) + noise.back() * random.Normal());
    }
    const Minimum minimum = FitMinimum(x, y, noise, NoBootstrap());
    ASSERT_TRUE(minimum.found) << minimum.reason;
    covered += minimum.interval.low <= .2 && .2 <= minimum.interval.high;
  }
  EXPECT_GE(covered, kLeast);
  EXPECT_LE(covered, kMost);
}

TEST(MinimumTest, EdgesFlatCurvesAndFewPointsAreRefused) {
  const std::vector<double> x = {0, 1, 2, 3, 4, 5};
  const auto fit = [&](auto curve) {
    std::vector<double> y;
    Random random(3, 0);
    for (double one : x) y.push_back(curve(one) + 1e-3 * random.Normal());
    return FitMinimum(x, y, {}, NoBootstrap());
  };
  EXPECT_THAT(fit([](double u) { return Square(u + 1); }).reason, HasSubstr("lower edge"));
  EXPECT_THAT(fit([](double u) { return Square(u - 7); }).reason, HasSubstr("upper edge"));
  EXPECT_FALSE(fit([](double u) { return -Square(u - 2.5); }).found);
  EXPECT_FALSE(fit([](double) { return 3.0; }).found);
  EXPECT_THAT(FitMinimum({1., 2., 3.}, {2., 1., 2.}, {}, NoBootstrap()).reason,
              HasSubstr("too few"));
  EXPECT_THAT(FitMinimum({1., 2., 3., 3.}, {2., 1., 2., 2.}, {}, NoBootstrap()).reason,
              HasSubstr("too few"));
}

// The loss of a QAT fraction f: too little quantized training costs f^-p, too much f^q.
constexpr double kP = .5, kQ = .8, kA = .02, kB = .06;
double FractionLoss(double f) { return 2.9 + kA * std::pow(f, -kP) + kB * std::pow(f, kQ); }
double BestFraction() { return std::pow(kA * kP / (kB * kQ), 1 / (kP + kQ)); }

observe::Table Fractions(uint64_t stream, double noise, double shift = 1) {
  observe::Table table;
  Random random(21, stream);
  for (const double f : {.02, .04, .08, .16, .32, .64, 1.0}) {
    for (int seed = 0; seed < 2; ++seed) {
      const auto status =
          table.Append({{"N", 1e6},
                        {"D", 1e9},
                        {"weight_bits", 4.0},
                        {"qat_fraction", f},
                        {"seed", static_cast<double>(seed)},
                        {"loss", FractionLoss(f * shift) + noise * random.Normal()}});
      EXPECT_TRUE(status.ok());
    }
  }
  return table;
}

TEST(OptimaTest, ABestFractionThatIsNoParabolaIsCovered) {
  int covered = 0, found = 0;
  OptimaOptions options;
  options.replicates = 0;
  for (int simulation = 0; simulation < kSimulations; ++simulation) {
    const auto optima = FindOptima(Fractions(simulation, .002), options);
    ASSERT_TRUE(optima.ok()) << optima.status();
    ASSERT_EQ(optima->size(), 1u);
    const Optimum& one = optima->front();
    if (!one.minimum.found) continue;
    ++found;
    covered += one.interval.low <= BestFraction() && BestFraction() <= one.interval.high;
  }
  EXPECT_EQ(found, kSimulations);
  EXPECT_GE(covered, kLeast - 8);  // the form is not the fitted one: within two points of 95%
  EXPECT_LE(covered, kMost);
}

TEST(OptimaTest, TheTableIsWhatLawsOfTheFractionRead) {
  observe::Table table = Fractions(0, .0005);
  // A second budget whose best fraction lies below its smallest, and rows that are no curve.
  observe::Table edge = Fractions(1, .0005, 30);
  ASSERT_TRUE(edge.SetNumbers("D", std::vector<double>(edge.rows(), 2e9)).ok());
  ASSERT_TRUE(table.AppendTable(edge).ok());
  ASSERT_TRUE(table.Append({{"N", 1e6}, {"D", 1e9}, {"loss", 2.8}}).ok());
  ASSERT_TRUE(
      table
          .Append(
              {{"N", 1e6}, {"D", 1e9}, {"weight_bits", 4.0}, {"qat_fraction", 0.0}, {"loss", 3.1}})
          .ok());
  const OptimaOptions options;
  const auto optima = FindOptima(table, options);
  ASSERT_TRUE(optima.ok());
  ASSERT_EQ(optima->size(), 2u);
  EXPECT_EQ((*optima)[0].left_out, 1);
  const observe::Table out = OptimaTable(*optima, options);
  EXPECT_THAT(out.names(),
              ElementsAre("N", "D", "weight_bits", "optimal_fraction", "optimal_fraction_se",
                          "optimal_fraction_low", "optimal_fraction_high", "loss_at_optimum",
                          "loss_at_optimum_se", "points", "degree", "status"));
  EXPECT_NEAR(out.NumberAt(0, "optimal_fraction"), BestFraction(), .05);
  EXPECT_GT(out.NumberAt(0, "optimal_fraction_se"), 0);
  EXPECT_THAT(std::string(out.TextAt(0, "status")), StartsWith("done"));
  EXPECT_TRUE(std::isnan(out.NumberAt(1, "optimal_fraction")));
  EXPECT_THAT(std::string(out.TextAt(1, "status")), HasSubstr("lower edge"));
  EXPECT_EQ(OptimaToJson(*optima, options).dump().find("nan"), std::string::npos);
}

TEST(OptimaTest, MistakesAreErrors) {
  OptimaOptions options;
  options.of = "qat_fracton";
  EXPECT_THAT(std::string(FindOptima(Fractions(0, .001), options).status().message()),
              HasSubstr("qat_fraction"));
  options = {};
  options.window = .5;
  EXPECT_FALSE(FindOptima(Fractions(0, .001), options).ok());
}

// Chinchilla with the constants of Besiroglu et al. 2024.
constexpr double kE = 1.8172, kNA = 482.01, kAlpha = .3478, kDB = 2085.43, kBeta = .3658;
double LossAt(double n, double d) {
  return kE + kNA * std::pow(n, -kAlpha) + kDB * std::pow(d, -kBeta);
}
double BestSize(double flops) {
  const double g = std::pow(kAlpha * kNA / (kBeta * kDB), 1 / (kAlpha + kBeta));
  return g * std::pow(flops / 6, kBeta / (kAlpha + kBeta));
}
constexpr double kExponent = kBeta / (kAlpha + kBeta);

observe::Table Profiles(uint64_t stream, double noise) {
  observe::Table table;
  Random random(31, stream);
  for (const double flops : {1e18, 3e18, 1e19, 3e19, 1e20}) {
    for (int i = -4; i <= 4; ++i) {
      const double n = BestSize(flops) * std::pow(10, .25 * i + .07);
      const double d = flops / (6 * n);
      EXPECT_TRUE(
          table.Append({{"N", n}, {"D", d}, {"loss", LossAt(n, d) * (1 + noise * random.Normal())}})
              .ok());
    }
  }
  return table;
}

TEST(IsoFlopTest, TheExponentIsCovered) {
  int covered = 0, optima = 0, all = 0;
  BudgetOptions options;
  options.replicates = 0;
  for (int simulation = 0; simulation < kSimulations; ++simulation) {
    const auto result = IsoFlop(Profiles(simulation, .003), options);
    ASSERT_TRUE(result.ok()) << result.status();
    ASSERT_EQ(result->optima.size(), 5u);
    ASSERT_TRUE(result->size.found) << result->size.reason;
    covered += result->size.interval.low <= kExponent && kExponent <= result->size.interval.high;
    for (const BudgetOptimum& one : result->optima) {
      if (!one.found) continue;
      ++all;
      const double truth = BestSize(one.flops);
      optima += one.interval.low <= truth && truth <= one.interval.high;
    }
  }
  // The exponent's interval rests on Student's t with few budgets and on the larger of two
  // variances: it may cover more than it says, not less.
  EXPECT_GE(covered, kLeast);
  EXPECT_GE(optima, .93 * all);
  EXPECT_LE(optima, .97 * all);
  EXPECT_GT(all, 5 * kSimulations * .98);
}

TEST(IsoFlopTest, WithoutNoiseTheOptimaAreNear) {
  const auto result = IsoFlop(Profiles(0, 1e-7), BudgetOptions());
  ASSERT_TRUE(result.ok());
  ASSERT_TRUE(result->size.found);
  EXPECT_NEAR(result->size.exponent, kExponent, .005);
  EXPECT_NEAR(result->tokens.exponent, 1 - kExponent, .005);
  for (const BudgetOptimum& one : result->optima) {
    EXPECT_NEAR(one.size / BestSize(one.flops), 1, .03) << one.flops;
    EXPECT_NEAR(6 * one.size * one.tokens / one.flops, 1, 1e-9);
  }
  const observe::Table table = BudgetTable(*result);
  EXPECT_EQ(table.rows(), 5u);
  EXPECT_EQ(BudgetToJson(*result, "isoflop").dump().find("nan"), std::string::npos);
}

TEST(IsoFlopTest, BudgetsAreReadFromTheirColumnAndEdgesAreSaid) {
  observe::Table table = Profiles(0, 1e-4);
  std::vector<double> flops;
  for (size_t row = 0; row < table.rows(); ++row) {
    flops.push_back(8 * table.NumberAt(row, "N") * table.NumberAt(row, "D"));
  }
  ASSERT_TRUE(table.SetNumbers("flops", flops).ok());
  const auto read = IsoFlop(table, BudgetOptions());
  ASSERT_TRUE(read.ok());
  EXPECT_NEAR(read->optima[0].flops / (8e18 / 6), 1, 1e-9);
  const observe::Table small =
      table.Filter([&](size_t row) { return table.NumberAt(row, "N") < 2e8; });
  const auto edge = IsoFlop(small, BudgetOptions());
  ASSERT_TRUE(edge.ok());
  EXPECT_FALSE(edge->optima.back().found);
  observe::Table single;
  ASSERT_TRUE(single.Append({{"N", 1e6}, {"D", 1e8}, {"loss", 3.0}}).ok());
  EXPECT_EQ(IsoFlop(single, BudgetOptions()).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(EnvelopeTest, CurvesGiveTheExponent) {
  observe::Table table;
  Random random(41, 0);
  for (int i = 0; i <= 24; ++i) {
    const double n = 1e7 * std::pow(10, i / 8.0);
    for (int j = 0; j <= 40; ++j) {
      const double d = n * std::pow(10, -.5 + j / 10.0);
      const double loss = LossAt(n, d) * (1 + 1e-4 * random.Normal());
      ASSERT_TRUE(table.Append({{"N", n}, {"D", d}, {"loss", loss}}).ok());
    }
  }
  BudgetOptions options;
  options.replicates = 200;
  const auto result = Envelope(table, options);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_TRUE(result->size.found) << result->size.reason;
  EXPECT_NEAR(result->size.exponent, kExponent, .03);
  EXPECT_LE(result->size.interval.low, kExponent);
  EXPECT_GE(result->size.interval.high, kExponent);
  EXPECT_LT(result->size.bootstrap.low, result->size.exponent);
  EXPECT_GT(result->size.bootstrap.high, result->size.exponent);
  int found = 0;
  for (const BudgetOptimum& one : result->optima) {
    if (!one.found) {
      EXPECT_FALSE(one.reason.empty());
      continue;
    }
    ++found;
    EXPECT_NEAR(std::log(one.size / BestSize(one.flops)), 0, .35) << one.flops;
  }
  EXPECT_GE(found, 10);
  EXPECT_EQ(Envelope(Profiles(0, 0), BudgetOptions()).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace qatlas::fit
