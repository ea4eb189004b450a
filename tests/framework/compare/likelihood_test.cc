#include "framework/compare/likelihood.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/framework/fit/simulate.h"

namespace qatlas::testing {
namespace {

using compare::NoiseModel;

fit::Problem OneTarget(const std::string& loss, double target) {
  observe::Table table;
  EXPECT_TRUE(table.SetNumbers("N", {{1e8}}).ok());
  EXPECT_TRUE(table.SetNumbers("D", {{1e9}}).ok());
  EXPECT_TRUE(table.SetNumbers("loss", {{target}}).ok());
  fit::ProblemOptions options;
  options.fixed = {{"E", 1.8}, {"A", 480}, {"alpha", .3}, {"B", 2000}, {"beta", .3}};
  auto problem = Pose("chinchilla", table, loss, options);
  EXPECT_TRUE(problem.ok()) << problem.status();
  return *std::move(problem);
}

TEST(Likelihood, DensitiesIntegrateToOneInTheTarget) {
  for (NoiseModel model : {NoiseModel::kGaussian, NoiseModel::kStudentT, NoiseModel::kHuber}) {
    for (const char* loss : {"least-squares", "log-least-squares"}) {
      const fit::Problem problem = OneTarget(loss, 3);
      double integral = 0;
      // A fine sum in ln y from e^-12 to e^14; heavy tails end beyond.
      const double step = 2e-3;
      for (double u = -12; u < 14; u += step) {
        const double y = std::exp(u);
        const auto density =
            compare::LogDensity(problem.WithTarget({y}), {3.0}, model, loss[1] == 'o' ? .3 : .2);
        integral += std::exp(density[0]) * y * step;
      }
      EXPECT_NEAR(integral, 1, 2e-3) << compare::Name(model) << " " << loss;
    }
  }
}

TEST(Likelihood, ScaleIsTheOneOfMaximumLikelihood) {
  auto problem = Pose("chinchilla", ChinchillaRuns(50, .01, 4), "log-least-squares");
  ASSERT_TRUE(problem.ok());
  auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok());
  for (NoiseModel model : {NoiseModel::kGaussian, NoiseModel::kStudentT, NoiseModel::kHuber}) {
    auto best = compare::FitLikelihood(*problem, fit->prediction, model);
    ASSERT_TRUE(best.ok()) << best.status();
    for (double factor : {.97, 1.03}) {
      double other = 0;
      for (double d : compare::LogDensity(*problem, fit->prediction, model, factor * best->scale)) {
        other += d;
      }
      EXPECT_LT(other, best->log_likelihood) << compare::Name(model);
    }
  }
}

// No scale is below rounding of the targets, in their own units as in logarithms.
TEST(Likelihood, ResidualsOfRoundingAloneAreExact) {
  for (const char* loss : {"log-least-squares", "least-squares"}) {
    auto problem = Pose("chinchilla", ChinchillaRuns(20, 0, 4), loss);
    ASSERT_TRUE(problem.ok());
    std::vector<double> prediction(problem->target().begin(), problem->target().end());
    for (NoiseModel model : {NoiseModel::kGaussian, NoiseModel::kStudentT, NoiseModel::kHuber}) {
      auto exact = compare::FitLikelihood(*problem, prediction, model);
      ASSERT_TRUE(exact.ok()) << exact.status();
      EXPECT_TRUE(exact->exact);
      const double unit = loss[1] == 'o' ? 1 : 3;  // losses lie between 1.8 and 5
      EXPECT_GT(exact->scale, compare::kRounding * unit * .5);
      EXPECT_LT(exact->scale, compare::kRounding * unit * 2);
      std::vector<double> off = prediction;
      for (double& value : off) value *= 1 + 1e-10;
      auto other = compare::FitLikelihood(*problem, off, model);
      ASSERT_TRUE(other.ok()) << other.status();
      EXPECT_FALSE(other->exact);
      EXPECT_LT(other->log_likelihood, exact->log_likelihood);
    }
  }
}

// Student's scale is not driven to nothing where all rows but a few are exact.
TEST(Likelihood, OutliersAmongExactRunsKeepItFinite) {
  auto problem = Pose("chinchilla", ChinchillaRuns(20, 0, 4), "log-least-squares");
  ASSERT_TRUE(problem.ok());
  std::vector<double> prediction(problem->target().begin(), problem->target().end());
  prediction[3] *= 1.1;
  auto likelihood = compare::FitLikelihood(*problem, prediction, NoiseModel::kStudentT);
  ASSERT_TRUE(likelihood.ok()) << likelihood.status();
  EXPECT_FALSE(likelihood->exact);
  EXPECT_TRUE(std::isfinite(likelihood->log_likelihood));
}

TEST(Criteria, MatchTheirDefinitions) {
  EXPECT_DOUBLE_EQ(compare::Aicc(-10, 3, 20), 6 + 20 + 24.0 / 16);
  EXPECT_TRUE(std::isinf(compare::Aicc(-10, 3, 4)));
  EXPECT_DOUBLE_EQ(compare::Bic(-10, 3, 20), 3 * std::log(20.0) + 20);
  const auto weights = compare::Weights({10, 12, INFINITY});
  EXPECT_NEAR(weights[0], 1 / (1 + std::exp(-1)), 1e-12);
  EXPECT_EQ(weights[2], 0);
  EXPECT_EQ(compare::Weights({INFINITY, INFINITY})[0], .5);
}

}  // namespace
}  // namespace qatlas::testing
