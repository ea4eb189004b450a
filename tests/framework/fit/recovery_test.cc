// Constants that data were generated from are found again.
#include <gtest/gtest.h>

#include "tests/framework/fit/simulate.h"

namespace qatlas::testing {
namespace {

TEST(Recovery, ChinchillaWithoutNoise) {
  for (const char* loss : {"log-huber", "least-squares", "log-least-squares", "huber"}) {
    auto problem = Pose("chinchilla", ChinchillaRuns(60, 0, 5), loss);
    ASSERT_TRUE(problem.ok()) << problem.status();
    auto fit = fit::Fit(*problem);
    ASSERT_TRUE(fit.ok()) << fit.status();
    for (int p = 0; p < 5; ++p) {
      EXPECT_NEAR(fit->values[p] / kBesiroglu[p], 1, 1e-5) << loss << " " << p;
    }
    EXPECT_TRUE(fit->identifiability.identifiable) << fit->identifiability.reason;
    EXPECT_GT(fit->agreeing, 1) << loss;
  }
}

TEST(Recovery, ChinchillaWithNoiseLiesWithinItsErrors) {
  for (const char* loss : {"log-huber", "log-least-squares"}) {
    auto problem = Pose("chinchilla", ChinchillaRuns(240, .005, 11), loss);
    ASSERT_TRUE(problem.ok()) << problem.status();
    auto fit = fit::Fit(*problem);
    ASSERT_TRUE(fit.ok()) << fit.status();
    for (int p = 0; p < 5; ++p) {
      const fit::Estimate& e = fit->estimates[p];
      const double off = e.log ? std::log(e.value / kBesiroglu[p]) : e.value - kBesiroglu[p];
      EXPECT_LT(std::abs(off), 4 * e.search_standard_error) << loss << " " << e.name;
      EXPECT_LT(e.interval.low, e.value);
      EXPECT_GT(e.interval.high, e.value);
    }
    EXPECT_NEAR(fit->residual_scale, .005, .001) << loss;
    EXPECT_GT(fit->r_squared, .99);
  }
}

TEST(Recovery, TiedExponent) {
  observe::Table table = ChinchillaRuns(40, 0, 3);
  const auto form = Law("chinchilla-tied");
  const auto chen = Preset(*form, "chen-2025");
  AddTarget(&table, *form, chen, "loss", 0, 1);
  auto problem = Pose("chinchilla-tied", table, "log-huber");
  ASSERT_TRUE(problem.ok()) << problem.status();
  auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok()) << fit.status();
  for (int p = 0; p < 4; ++p) EXPECT_NEAR(fit->values[p] / chen[p], 1, 1e-5);
  // The same through a tie in the problem.
  fit::ProblemOptions tied;
  tied.tied["beta"] = "alpha";
  auto free = Pose("chinchilla", table, "log-huber", tied);
  ASSERT_TRUE(free.ok()) << free.status();
  EXPECT_EQ(free->coordinates(), 4);
  auto same = fit::Fit(*free);
  ASSERT_TRUE(same.ok()) << same.status();
  EXPECT_NEAR(Find(*same, "beta").value, chen[2], 1e-5);
  EXPECT_EQ(Find(*same, "beta").value, Find(*same, "alpha").value);
}

TEST(Recovery, EveryPublishedQatLaw) {
  const auto form = Law("qat-unified");
  for (const LawPreset& preset : form->Spec().presets) {
    const auto truth = Preset(*form, preset.name);
    for (const char* loss : {"least-squares", "log-huber"}) {
      auto problem = Pose("qat-unified", QatRuns(preset.name, 0, 1), loss);
      ASSERT_TRUE(problem.ok()) << problem.status();
      auto fit = fit::Fit(*problem);
      ASSERT_TRUE(fit.ok()) << fit.status();
      for (int p = 0; p < 4; ++p) {
        EXPECT_NEAR(fit->values[p] / truth[p], 1, 1e-5) << preset.name << " " << loss << " " << p;
      }
    }
    auto noisy = Pose("qat-unified", QatRuns(preset.name, .05, 9), "log-least-squares");
    ASSERT_TRUE(noisy.ok());
    auto fit = fit::Fit(*noisy);
    ASSERT_TRUE(fit.ok());
    for (int p = 0; p < 4; ++p) {
      const fit::Estimate& e = fit->estimates[p];
      const double off = e.log ? std::log(e.value / truth[p]) : e.value - truth[p];
      EXPECT_LT(std::abs(off), 4 * e.search_standard_error) << preset.name << " " << e.name;
    }
  }
}

TEST(Recovery, LawsOfTheAblation) {
  observe::Table table = QatRuns("w4a4", 0, 1);
  const auto no_data = Law("qat-no-data");
  const std::vector<double> truth = {.9, .25, .6};
  AddTarget(&table, *no_data, truth, "delta", 0, 1);
  auto problem = Pose("qat-no-data", table, "least-squares");
  ASSERT_TRUE(problem.ok()) << problem.status();
  auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok()) << fit.status();
  for (int p = 0; p < 3; ++p) EXPECT_NEAR(fit->values[p] / truth[p], 1, 1e-6);

  // One curve for each of 20 (D, G); the unified law's are of that shape.
  auto curves = Pose("qat-size-only", QatRuns("w4a4", 0, 1), "least-squares");
  ASSERT_TRUE(curves.ok()) << curves.status();
  EXPECT_EQ(curves->coordinates(), 40);
  EXPECT_EQ(curves->blocks(), 20);
  auto fitted = fit::Fit(*curves);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  const auto unified = Law("qat-unified");
  const auto w4a4 = Preset(*unified, "w4a4");
  EXPECT_NEAR(Find(*fitted, "gammaN[20000000000, 64]").value, w4a4[1], 1e-6);
  const double k = w4a4[0] * std::pow(20e9, w4a4[2]) * std::pow(6.0, w4a4[3]);
  EXPECT_NEAR(Find(*fitted, "k[20000000000, 64]").value / k, 1, 1e-5);
}

// One scheme at two precisions has two; full precision is "fp" in our tables and empty in others.
TEST(Recovery, EffectiveParametersByPrecision) {
  const auto form = Law("effective-parameter");
  struct Runs {
    const char *scheme, *precision;
    double eff;
  };
  observe::Table table;
  for (const Runs& runs : std::vector<Runs>{
           {"fp", "fp", 1.0}, {"fp", "", 1.0}, {"wa", "W4A4", .747}, {"wa", "W3A3", .43}}) {
    observe::Table part = ChinchillaRuns(30, 0, 17);
    std::vector<double> theta(std::begin(kBesiroglu), std::end(kBesiroglu));
    theta.push_back(runs.eff);
    AddTarget(&part, *form, theta, "loss", 0, 1);
    for (const auto& [column, text] :
         {std::pair("scheme", runs.scheme), std::pair("precision", runs.precision)}) {
      ASSERT_TRUE(part.SetTexts(column, std::vector<std::string>(part.rows(), text)).ok());
    }
    ASSERT_TRUE(table.AppendTable(part).ok());
  }
  auto problem = Pose("effective-parameter", table, "log-huber");
  ASSERT_TRUE(problem.ok()) << problem.status();
  EXPECT_EQ(problem->coordinates(), 7);  // eff of full precision is 1
  auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_NEAR(Find(*fit, "eff[W4A4]").value, .747, 1e-5);
  EXPECT_NEAR(Find(*fit, "eff[W3A3]").value, .43, 1e-5);
  EXPECT_TRUE(Find(*fit, "eff[fp]").fixed);
  EXPECT_TRUE(Find(*fit, "eff[]").fixed);
  EXPECT_NEAR(Find(*fit, "A").value / 482.01, 1, 1e-4);
}

TEST(Recovery, SeveralSchemesInOneFit) {
  observe::Table table;
  for (const char* preset : {"w4a4", "w4a16"}) {
    observe::Table part = QatRuns(preset, 0, 1);
    ASSERT_TRUE(part.SetTexts("precision", std::vector<std::string>(part.rows(), preset)).ok());
    ASSERT_TRUE(table.AppendTable(part).ok());
  }
  fit::ProblemOptions options;
  for (const char* name : {"k", "gammaN", "gammaD", "gammaG"}) options.per[name] = {"precision"};
  auto problem = Pose("qat-unified", table, "log-least-squares", options);
  ASSERT_TRUE(problem.ok()) << problem.status();
  auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_NEAR(Find(*fit, "gammaG[w4a4]").value, .7779, 1e-5);
  EXPECT_NEAR(Find(*fit, "gammaD[w4a16]").value, .1610, 1e-5);
}

}  // namespace
}  // namespace qatlas::testing
