#include "framework/fit/uncertainty.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "framework/fit/predict.h"
#include "tests/framework/fit/simulate.h"

namespace qatlas::testing {
namespace {

// δ of a law that is linear on the logarithm, with the given noise of ln δ in each row.
observe::Table Noisy(const std::vector<double>& noise, uint64_t seed) {
  observe::Table table = QatRuns("w4a4", 0, 1);
  std::vector<double> delta = *table.FindNumbers("delta");
  std::vector<double> errors = delta;
  fit::Random random(seed, 9);
  for (size_t i = 0; i < delta.size(); ++i) {
    errors[i] = noise[i] * delta[i];
    delta[i] *= std::exp(noise[i] * random.Normal());
  }
  EXPECT_TRUE(table.SetNumbers("delta", delta).ok());
  // Standard errors of δ as it was found: so that se/δ is the noise of ln δ.
  for (size_t i = 0; i < delta.size(); ++i) errors[i] = noise[i] * delta[i];
  EXPECT_TRUE(table.SetNumbers("delta_se", errors).ok());
  return table;
}

// How often the interval of each parameter contains the truth.
std::vector<double> Coverage(const std::vector<double>& noise, const fit::ProblemOptions& problem,
                             const fit::FitOptions& given, double inflate = 1) {
  const std::vector<double> truth = Preset(*Law("qat-unified"), "w4a4");
  std::vector<double> scaled = noise;
  for (double& x : scaled) x *= inflate;
  std::vector<double> share(truth.size(), 0.0);
  constexpr int kDataSets = 400;
  fit::FitOptions options = given;
  options.searched = 2;
  options.threads = 1;
  for (int s = 0; s < kDataSets; ++s) {
    observe::Table table = Noisy(scaled, s);
    std::vector<double> errors = *table.FindNumbers("delta_se");
    for (double& x : errors) x /= inflate;
    EXPECT_TRUE(table.SetNumbers("delta_se", errors).ok());
    const auto fit = fit::Fit(*Pose("qat-unified", table, "log-least-squares", problem), options);
    for (size_t p = 0; p < truth.size(); ++p) {
      const fit::Interval& interval = fit->estimates[p].interval;
      share[p] += interval.low <= truth[p] && truth[p] <= interval.high ? 1.0 / kDataSets : 0;
    }
  }
  return share;
}

// Noise that grows with the model: an eighth of the runs have most of it.
std::vector<double> Uneven() {
  const observe::Table table = QatRuns("w4a4", 0, 1);
  std::vector<double> noise;
  for (double n : *table.FindNumbers("N")) noise.push_back(n > 5e8 ? .3 : .03);
  return noise;
}

TEST(Uncertainty, SandwichHoldsUnderUnequalNoise) {
  fit::FitOptions sandwich;
  sandwich.covariance = fit::Covariance::kSandwich;
  double worst = 1;
  for (double share : Coverage(Uneven(), {}, sandwich)) {
    EXPECT_GT(share, .915);
    EXPECT_LT(share, .985);
  }
  // What it is for: equal noise is assumed wrongly, and one parameter's interval shows it.
  for (double share : Coverage(Uneven(), {}, {})) worst = std::min(worst, share);
  EXPECT_LT(worst, .92);
}

TEST(Uncertainty, StandardErrorsOfTheTargetCountUpToAFactorUnlessExact) {
  fit::ProblemOptions options;
  options.noise = "delta_se";
  for (double share : Coverage(Uneven(), options, {})) EXPECT_NEAR(share, .95, .035);
  // All of them too small by the same factor: the residuals tell.
  for (double share : Coverage(Uneven(), options, {}, 3)) EXPECT_NEAR(share, .95, .035);
  options.noise_exact = true;
  for (double share : Coverage(Uneven(), options, {})) EXPECT_NEAR(share, .95, .035);
  // Taken at their word, they are believed.
  for (double share : Coverage(Uneven(), options, {}, 3)) EXPECT_LT(share, .7);
}

TEST(Uncertainty, ExactNoiseNeedsStandardErrorsAndALossWithoutAScale) {
  fit::ProblemOptions options;
  options.noise_exact = true;
  const observe::Table table = Noisy(Uneven(), 1);
  EXPECT_FALSE(Pose("qat-unified", table, "log-least-squares", options).ok());
  options.noise = "delta_se";
  EXPECT_FALSE(Pose("qat-unified", table, "log-student-t", options).ok());
  const auto problem = Pose("qat-unified", table, "log-least-squares", options);
  ASSERT_TRUE(problem.ok()) << problem.status();
  const auto fit = fit::Fit(*problem);
  EXPECT_TRUE(std::isinf(fit->degrees));
  EXPECT_EQ(fit->objective_scale, 1);
}

TEST(Uncertainty, LeveragesSumToTheParameters) {
  const auto fit = fit::Fit(*Pose("chinchilla", ChinchillaRuns(60, .003, 7), "log-student-t"));
  double sum = 0;
  for (double h : fit->leverage) {
    EXPECT_GE(h, 0);
    EXPECT_LE(h, 1 + 1e-9);
    sum += h;
  }
  EXPECT_NEAR(sum, 5, 1e-6);
}

TEST(Uncertainty, NewRunsAreLessCertainThanTheCurve) {
  const auto fit = fit::Fit(*Pose("qat-unified", Noisy(Uneven(), 2), "log-student-t"));
  const observe::Table at = fit::Grid({{"N", {1e9}}, {"D", {5e10}}, {"G", {32, 64}}});
  const auto prediction = fit::Predict(*fit, at);
  ASSERT_TRUE(prediction.ok());
  ASSERT_EQ(prediction->new_run.size(), 2u);
  for (int row : {0, 1}) {
    EXPECT_LT(prediction->new_run[row].low, prediction->interval[row].low);
    EXPECT_GT(prediction->new_run[row].high, prediction->interval[row].high);
    EXPECT_GT(prediction->new_run[row].low, 0);
  }
}

TEST(Uncertainty, NewRunsTakeTheirOwnStandardErrors) {
  fit::ProblemOptions options;
  options.noise = "delta_se";
  const auto fit = fit::Fit(*Pose("qat-unified", Noisy(Uneven(), 2), "log-least-squares", options));
  observe::Table at = fit::Grid({{"N", {1e9, 1e9}}, {"D", {5e10}}, {"G", {32}}});
  ASSERT_TRUE(at.SetNumbers("se", {1e-6, 1e-2}).ok());
  fit::PredictOptions predict;
  predict.noise = "se";
  const auto prediction = fit::Predict(*fit, at, predict);
  ASSERT_TRUE(prediction.ok()) << prediction.status();
  EXPECT_NEAR(prediction->new_run[0].high / prediction->interval[0].high, 1, 1e-3);
  EXPECT_GT(prediction->new_run[1].high, 1.1 * prediction->interval[1].high);
  ASSERT_TRUE(at.SetNumbers("se", {1e-6, 0}).ok());
  EXPECT_FALSE(fit::Predict(*fit, at, predict).ok());
}

}  // namespace
}  // namespace qatlas::testing
