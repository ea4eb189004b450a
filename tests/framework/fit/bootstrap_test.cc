#include "framework/fit/bootstrap.h"

#include <gtest/gtest.h>

#include "framework/fit/dense.h"
#include "framework/fit/json.h"
#include "framework/fit/predict.h"
#include "tests/framework/fit/simulate.h"

namespace qatlas::testing {
namespace {

fit::FitResult FitQat(double noise) {
  auto problem = Pose("qat-unified", QatRuns("w4a4", noise, 21), "log-least-squares");
  EXPECT_TRUE(problem.ok());
  auto fit = fit::Fit(*problem);
  EXPECT_TRUE(fit.ok());
  return *std::move(fit);
}

TEST(Bootstrap, IsTheSameWhateverTheThreads) {
  const fit::FitResult fit = FitQat(.05);
  fit::BootstrapOptions options;
  options.replicates = 50;
  options.threads = 1;
  auto one = fit::Bootstrap(fit, options);
  options.threads = 4;
  auto four = fit::Bootstrap(fit, options);
  ASSERT_TRUE(one.ok() && four.ok());
  EXPECT_EQ(one->coordinates, four->coordinates);
  options.seed = 2;
  auto other = fit::Bootstrap(fit, options);
  ASSERT_TRUE(other.ok());
  EXPECT_NE(one->coordinates, other->coordinates);
}

TEST(Bootstrap, AgreesWithTheCovarianceUnderGaussianNoise) {
  const fit::FitResult fit = FitQat(.05);
  for (fit::Resampling kind : {fit::Resampling::kPairs, fit::Resampling::kResiduals}) {
    fit::BootstrapOptions options;
    options.resampling = kind;
    options.replicates = 800;
    auto result = fit::Bootstrap(fit, options);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->failed, 0);
    for (size_t p = 0; p < 4; ++p) {
      const auto& b = result->parameters[p];
      EXPECT_NEAR(b.standard_error / fit.estimates[p].standard_error, 1, .3) << b.name;
      EXPECT_LT(b.percentile.low, fit.values[p]);
      EXPECT_GT(b.percentile.high, fit.values[p]);
      // Basic is the reflection of percentile; k reflects in its logarithm.
      const auto u = [&](double x) { return fit.estimates[p].log ? std::log(x) : x; };
      EXPECT_NEAR(u(b.basic.low), 2 * u(fit.values[p]) - u(b.percentile.high), 1e-9);
    }
  }
}

TEST(Bootstrap, GroupsWidenWhereRunsOfAGroupErrTogether) {
  observe::Table table = QatRuns("w4a4", 0, 1);
  std::vector<double> delta;
  fit::Random random(3, 3);
  std::vector<double> shift;
  for (int g = 0; g < 16; ++g) shift.push_back(.1 * random.Normal());
  for (size_t row = 0; row < 80; ++row) {
    delta.push_back(table.NumberAt(row, "delta") *
                    std::exp(shift[row / 5] + .005 * random.Normal()));
  }
  ASSERT_TRUE(table.SetNumbers("delta", delta).ok());
  auto problem = Pose("qat-unified", table, "log-least-squares");
  ASSERT_TRUE(problem.ok());
  auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok());
  fit::BootstrapOptions options;
  options.replicates = 300;
  auto pairs = fit::Bootstrap(*fit, options);
  options.resampling = fit::Resampling::kGroups;
  EXPECT_FALSE(fit::Bootstrap(*fit, options).ok());  // no labels
  for (int64_t i = 0; i < 80; ++i) options.groups.push_back(std::to_string(problem->row(i) / 5));
  auto groups = fit::Bootstrap(*fit, options);
  ASSERT_TRUE(pairs.ok() && groups.ok()) << groups.status();
  EXPECT_GT(groups->parameters[1].standard_error, 1.3 * pairs->parameters[1].standard_error);
}

TEST(Predict, CurvesCarryTheirErrors) {
  const fit::FitResult fit = FitQat(.05);
  const observe::Table grid =
      fit::Grid({{"N", fit::LogSpaced(50e6, 10e9, 5)}, {"D", {20e9}}, {"G", {1, 64}}});
  ASSERT_EQ(grid.rows(), 10);
  auto prediction = fit::Predict(fit, grid);
  ASSERT_TRUE(prediction.ok()) << prediction.status();
  EXPECT_EQ(prediction->value[0], 0);  // G = 1 has no error
  // Far outside the runs the relative error grows.
  const auto relative = [&](size_t i) {
    return prediction->standard_error[i] / prediction->value[i];
  };
  EXPECT_GT(relative(9), 2 * relative(3));
  fit::BootstrapOptions options;
  options.replicates = 200;
  auto bootstrap = fit::Bootstrap(fit, options);
  ASSERT_TRUE(bootstrap.ok());
  auto banded = fit::Predict(fit, grid, .95, &*bootstrap);
  ASSERT_TRUE(banded.ok());
  EXPECT_LT(banded->interval[3].low, banded->value[3]);
  EXPECT_GT(banded->interval[3].high, banded->value[3]);
}

TEST(Predict, RefusesACategoryThatTheFitHasNotSeen) {
  auto problem = Pose("qat-size-only", QatRuns("w4a4", 0, 1), "least-squares");
  ASSERT_TRUE(problem.ok());
  auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok());
  auto prediction = fit::Predict(*fit, fit::Grid({{"N", {1e8}}, {"D", {30e9}}, {"G", {64}}}));
  ASSERT_FALSE(prediction.ok());
  EXPECT_NE(prediction.status().message().find("30000000000"), std::string::npos);
}

TEST(Json, HasNoNan) {
  const fit::FitResult fit = FitQat(.05);
  const std::string text = fit::ToJson(fit).dump();
  EXPECT_EQ(text.find("nan"), std::string::npos);
  EXPECT_EQ(fit::ToJson(fit)["parameters"].size(), 4);
  EXPECT_EQ(fit::ToJson(fit)["residuals"].size(), 80);
  EXPECT_TRUE(fit::Number(std::nan("")).is_null());
}

TEST(Dense, SvdFindsSmallSingularValues) {
  // Columns (1, e), (1, -e): singular values sqrt(2) and e sqrt(2).
  const double e = 1e-9;
  const auto svd = fit::dense::RightSvd({{1, e, 0}, {1, -e, 0}});
  EXPECT_NEAR(svd.values[0], std::sqrt(2.0), 1e-14);
  EXPECT_NEAR(svd.values[1] / (e * std::sqrt(2.0)), 1, 1e-6);
  EXPECT_NEAR(std::abs(svd.v[1][0] + svd.v[1][1]), 0, 1e-12);
  double singular[] = {1, 1, 1, 1};
  EXPECT_FALSE(fit::dense::Cholesky(2, singular));
}

}  // namespace
}  // namespace qatlas::testing
