#include "framework/fit/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "framework/fit/local.h"
#include "tests/framework/fit/simulate.h"

namespace qatlas::testing {
namespace {

using ::testing::HasSubstr;

TEST(Profile, EndsWhereARefitHasRisenByTheCut) {
  for (const char* loss : {"log-student-t", "log-least-squares", "least-squares"}) {
    const auto problem = Pose("chinchilla", ChinchillaRuns(60, .01, 7), loss);
    const auto fit = fit::Fit(*problem);
    ASSERT_TRUE(fit.ok());
    for (const fit::Estimate& estimate : fit->estimates) {
      const auto profile = fit::ProfileParameter(*fit, estimate.name);
      ASSERT_TRUE(profile.ok()) << profile.status();
      EXPECT_EQ(profile->below, fit::End::kClosed);
      EXPECT_EQ(profile->above, fit::End::kClosed);
      EXPECT_LT(profile->interval.low, estimate.value);
      EXPECT_GT(profile->interval.high, estimate.value);
      // From scratch, with the parameter fixed there.
      for (double end : {profile->interval.low, profile->interval.high}) {
        fit::ProblemOptions options;
        options.fixed = {{estimate.name, end}};
        const auto held = Pose("chinchilla", ChinchillaRuns(60, .01, 7), loss, options);
        ASSERT_TRUE(held.ok()) << held.status();
        const double rise = fit::Fit(*held)->objective - fit->objective;
        EXPECT_NEAR(std::sqrt(2 * rise / fit->objective_scale), profile->cut, .01 * profile->cut)
            << loss << " " << estimate.name;
      }
      EXPECT_NEAR(estimate.interval.low, profile->interval.low, 1e-9 * std::abs(estimate.value));
    }
  }
}

TEST(Profile, OfALinearFormIsStudentsInterval) {
  // ln δ is linear in ln k and the exponents, so both kinds are exact and the same.
  const auto problem = Pose("qat-unified", QatRuns("w4a4", .2, 3), "log-least-squares");
  const auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok());
  for (const fit::Estimate& estimate : fit->estimates) {
    const fit::Interval& a = estimate.interval;
    const fit::Interval& b = estimate.covariance_interval;
    if (estimate.log) {
      EXPECT_NEAR(std::log(a.high / a.low) / std::log(b.high / b.low), 1, 3e-3);
    } else {
      EXPECT_NEAR((a.high - a.low) / (b.high - b.low), 1, 3e-3) << estimate.name;
    }
  }
  const observe::Table far = fit::Grid({{"N", {7e9}}, {"D", {1e12}}, {"G", {32, 128}}});
  fit::PredictOptions by_profile;
  by_profile.profile = true;
  const auto profiled = fit::Predict(*fit, far, by_profile);
  const auto linear = fit::Predict(*fit, far);
  ASSERT_TRUE(profiled.ok()) << profiled.status();
  for (int row : {0, 1}) {
    EXPECT_NEAR(profiled->interval[row].low / linear->interval[row].low, 1, 3e-3);
    EXPECT_NEAR(profiled->interval[row].high / linear->interval[row].high, 1, 3e-3);
  }
}

TEST(Profile, OfAPredictionIsTheBestFitThroughThatValue) {
  const auto problem = Pose("chinchilla", ChinchillaRuns(60, .01, 7), "log-student-t");
  const auto fit = fit::Fit(*problem);
  observe::Table far;
  ASSERT_TRUE(far.SetNumbers("N", {70e9}).ok());
  ASSERT_TRUE(far.SetNumbers("D", {1.4e12}).ok());
  fit::ProfileOptions options;
  options.points = 9;
  const auto profiles = fit::ProfilePredictions(*fit, far, options);
  ASSERT_TRUE(profiles.ok()) << profiles.status();
  const fit::Profile& profile = profiles->front();
  EXPECT_GE(profile.points.size(), 9u);
  const auto form = Law("chinchilla");
  fit::LocalSearcher searcher(*problem, {});
  for (const fit::ProfilePoint& point : profile.points) {
    const std::vector<double> theta = problem->Values(point.coordinates);
    EXPECT_NEAR(ValueAt(*form, theta, {70e9, 1.4e12}), point.value, 1e-9);
    // At the least objective for a value, the objective's gradient is along the prediction's.
    std::vector<double> gradient(5), slope(5);
    searcher.ObjectiveAndGradient(point.coordinates, gradient.data());
    for (int i = 0; i < 5; ++i) {
      std::vector<double> up = point.coordinates, down = up;
      up[i] += 1e-5;
      down[i] -= 1e-5;
      slope[i] = (ValueAt(*form, problem->Values(up), {70e9, 1.4e12}) -
                  ValueAt(*form, problem->Values(down), {70e9, 1.4e12})) /
                 2e-5;
    }
    double gg = 0, gs = 0, ss = 0;
    for (int i = 0; i < 5; ++i) {
      gg += gradient[i] * gradient[i];
      gs += gradient[i] * slope[i];
      ss += slope[i] * slope[i];
    }
    if (std::abs(point.root) > .1) {
      EXPECT_GT(gs * gs / (gg * ss), .999) << point.value;
    }
  }
  EXPECT_LT(profile.interval.low, profile.estimate);
  EXPECT_GT(profile.interval.high, profile.estimate);
}

TEST(Profile, KeepsTheCurveForDrawing) {
  const auto problem = Pose("chinchilla", ChinchillaRuns(60, .003, 7), "log-student-t");
  const auto fit = fit::Fit(*problem);
  fit::ProfileOptions options;
  options.points = 21;
  const auto profile = fit::ProfileParameter(*fit, "alpha", options);
  ASSERT_TRUE(profile.ok());
  ASSERT_GE(profile->points.size(), 21u);
  for (size_t i = 1; i < profile->points.size(); ++i) {
    EXPECT_LE(profile->points[i - 1].value, profile->points[i].value);
    EXPECT_LE(profile->points[i - 1].root, profile->points[i].root + 1e-3);
  }
  EXPECT_LT(profile->points.front().root, -profile->cut);
  EXPECT_GT(profile->points.back().root, profile->cut);
  // A wider level gives a wider interval, from the same curve.
  options.level = .99;
  const auto wider = fit::ProfileParameter(*fit, "alpha", options);
  EXPECT_LT(wider->interval.low, profile->interval.low);
  EXPECT_GT(wider->interval.high, profile->interval.high);
}

TEST(Profile, SaysThatASideIsOpen) {
  // All runs at 100 tokens a parameter: one of the two terms does as well as both.
  observe::Table table;
  const std::vector<double> n = fit::LogSpaced(30e6, 800e6, 24);
  std::vector<double> d = n;
  for (double& x : d) x *= 100;
  ASSERT_TRUE(table.SetNumbers("N", n).ok());
  ASSERT_TRUE(table.SetNumbers("D", d).ok());
  AddTarget(&table, *Law("chinchilla"), {std::begin(kBesiroglu), std::end(kBesiroglu)}, "loss",
            .003, 11);
  const auto fit = fit::Fit(*Pose("chinchilla", table, "log-student-t"));
  ASSERT_TRUE(fit.ok());
  int unclosed = 0;
  for (const fit::Estimate& estimate : fit->estimates) {
    if (estimate.below != fit::End::kClosed) {
      ++unclosed;
      EXPECT_EQ(estimate.interval.low, 0) << estimate.name;  // the bound of every parameter here
    }
    if (estimate.above == fit::End::kOpen) {
      ++unclosed;
      EXPECT_TRUE(std::isinf(estimate.interval.high)) << estimate.name;
    }
  }
  EXPECT_GE(unclosed, 2);
  EXPECT_FALSE(fit->identifiability.identifiable);
}

TEST(Profile, RefusesWhatHasNone) {
  fit::ProblemOptions options;
  options.fixed = {{"alpha", .35}};
  const auto problem = Pose("chinchilla", ChinchillaRuns(40, .003, 7), "log-student-t", options);
  const auto fit = fit::Fit(*problem);
  EXPECT_THAT(std::string(fit::ProfileParameter(*fit, "alpha").status().message()),
              HasSubstr("held fixed"));
  EXPECT_THAT(std::string(fit::ProfileParameter(*fit, "bet").status().message()),
              HasSubstr("beta"));
  const auto exact = fit::Fit(*Pose("chinchilla", ChinchillaRuns(5, .003, 7), "least-squares"));
  EXPECT_THAT(std::string(fit::ProfileParameter(*exact, "beta").status().message()),
              HasSubstr("no residuals"));
}

}  // namespace
}  // namespace qatlas::testing
