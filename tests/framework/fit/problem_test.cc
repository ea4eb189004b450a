#include "framework/fit/problem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/framework/fit/simulate.h"

namespace qatlas::testing {
namespace {

using ::testing::HasSubstr;

std::string Message(const absl::StatusOr<fit::Problem>& problem) {
  EXPECT_FALSE(problem.ok());
  return std::string(problem.status().message());
}

TEST(Problem, NamesAMissingColumnAndTheNearest) {
  observe::Table table = QatRuns("w4a4", 0, 1);
  ASSERT_TRUE(table.Rename("G", "group").ok());
  EXPECT_THAT(Message(Pose("qat-unified", table, "least-squares")), HasSubstr("'G'"));
  fit::ProblemOptions options;
  options.columns["G"] = "group";
  EXPECT_TRUE(Pose("qat-unified", table, "least-squares", options).ok());
}

TEST(Problem, RefusesFewerRowsThanParameters) {
  const observe::Table table = ChinchillaRuns(4, 0, 1);
  const std::string message = Message(Pose("chinchilla", table, "log-huber"));
  EXPECT_THAT(message, HasSubstr("4 rows for 5 free parameters"));
  fit::ProblemOptions options;
  options.fixed["E"] = 1.8;
  EXPECT_TRUE(Pose("chinchilla", table, "log-huber", options).ok());
}

TEST(Problem, RefusesTargetsThatAreNoLoss) {
  observe::Table table = ChinchillaRuns(10, 0, 1);
  ASSERT_TRUE(table.SetNumber(3, "loss", -1).ok());
  ASSERT_TRUE(table.SetNumber(5, "loss", std::nan("")).ok());
  ASSERT_TRUE(table.SetNumber(6, "N", std::nan("")).ok());
  ASSERT_TRUE(table.SetNumber(7, "D", 0).ok());
  const std::string message = Message(Pose("chinchilla", table, "least-squares"));
  EXPECT_THAT(message, HasSubstr("row 7: N is missing"));
  EXPECT_THAT(message, HasSubstr("row 8: D = 0"));
  ASSERT_TRUE(table.SetNumber(6, "N", 1e8).ok());
  ASSERT_TRUE(table.SetNumber(7, "D", 1e9).ok());
  const std::string targets = Message(Pose("chinchilla", table, "least-squares"));
  EXPECT_THAT(targets, HasSubstr("row 4: loss = -1"));
  EXPECT_THAT(targets, HasSubstr("row 6: loss is missing"));
}

TEST(Problem, SaysWhatAConstantCovariateLeavesOpen) {
  const observe::Table table =
      QatRuns("w4a4", 0, 1).Filter([&](size_t row) { return row % 5 == 0; });
  // Only G = 32 is left.
  const std::string message = Message(Pose("qat-unified", table, "least-squares"));
  EXPECT_THAT(message, HasSubstr("G is 32 in every row"));
  EXPECT_THAT(message, HasSubstr("gammaG"));
  fit::ProblemOptions options;
  options.fixed["gammaG"] = .8;
  EXPECT_TRUE(Pose("qat-unified", table, "least-squares", options).ok());
}

TEST(Problem, TreatsNegativeDeltasAsAsked) {
  observe::Table table = QatRuns("w4a4", 0, 1);
  ASSERT_TRUE(table.SetNumber(2, "delta", -.001).ok());
  EXPECT_THAT(Message(Pose("qat-unified", table, "log-huber")), HasSubstr("row 3"));
  fit::ProblemOptions options;
  options.non_positive = fit::NonPositive::kDrop;
  auto dropped = Pose("qat-unified", table, "log-huber", options);
  ASSERT_TRUE(dropped.ok());
  EXPECT_EQ(dropped->rows(), 79);
  EXPECT_EQ(dropped->dropped(), 1);
  auto fit = fit::Fit(*dropped);
  ASSERT_TRUE(fit.ok());
  EXPECT_THAT(fit->notes, ::testing::Contains(HasSubstr("1 rows with delta of 0 or less")));
  options.non_positive = fit::NonPositive::kLinear;
  auto linear = Pose("qat-unified", table, "log-huber", options);
  ASSERT_TRUE(linear.ok());
  EXPECT_EQ(linear->rows(), 80);
  EXPECT_EQ(linear->loss().space, fit::Space::kLinear);
}

TEST(Problem, NamesUnknownParameters) {
  fit::ProblemOptions options;
  options.fixed["alhpa"] = .3;
  EXPECT_THAT(Message(Pose("chinchilla", ChinchillaRuns(10, 0, 1), "log-huber", options)),
              HasSubstr("did you mean 'alpha'"));
  options = {};
  options.fixed["alpha"] = -3;
  EXPECT_THAT(Message(Pose("chinchilla", ChinchillaRuns(10, 0, 1), "log-huber", options)),
              HasSubstr("outside"));
  options = {};
  options.tied["alpha"] = "alpha";
  EXPECT_THAT(Message(Pose("chinchilla", ChinchillaRuns(10, 0, 1), "log-huber", options)),
              HasSubstr("itself"));
  EXPECT_FALSE(fit::LossByName("log-hubr").ok());
}

TEST(Problem, NoiseWeighsRowsByTheirErrors) {
  observe::Table table = QatRuns("w4a4", 0, 1);
  // One wild row with a large stated error hardly moves the fit.
  ASSERT_TRUE(table.SetNumber(7, "delta", .5).ok());
  std::vector<double> se(80, 1e-4);
  se[7] = 10;
  ASSERT_TRUE(table.SetNumbers("delta_se", se).ok());
  fit::ProblemOptions options;
  options.noise = "delta_se";
  auto problem = Pose("qat-unified", table, "least-squares", options);
  ASSERT_TRUE(problem.ok()) << problem.status();
  auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok());
  EXPECT_NEAR(fit->values[1], .2186, 1e-4);
  se[3] = 0;
  ASSERT_TRUE(table.SetNumbers("delta_se", se).ok());
  EXPECT_THAT(Message(Pose("qat-unified", table, "least-squares", options)), HasSubstr("row 4"));
}

TEST(Identifiability, OneBudgetPerSizeLeavesChinchillaOpen) {
  // D = 100 N throughout, with the noise of real runs: five parameters are not determined.
  observe::Table table = ChinchillaRuns(8, 0, 1);
  std::vector<double> n, d;
  for (int i = 0; i < 8; ++i) {
    n.push_back(30e6 * std::pow(1.7, i));
    d.push_back(100 * n.back());
  }
  ASSERT_TRUE(table.SetNumbers("N", n).ok());
  ASSERT_TRUE(table.SetNumbers("D", d).ok());
  AddTarget(&table, *Law("chinchilla"), {std::begin(kBesiroglu), std::end(kBesiroglu)}, "loss",
            .003, 4);
  auto problem = Pose("chinchilla", table, "log-huber");
  ASSERT_TRUE(problem.ok()) << problem.status();
  auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_FALSE(fit->identifiability.identifiable);
  EXPECT_FALSE(fit->identifiability.reason.empty());
}

TEST(Identifiability, NamesTheOpenDirection) {
  // A and eff of the difference form enter only together.
  observe::Table table = fit::Grid({{"N", fit::LogSpaced(1e7, 1e9, 12)}});
  const auto form = Law("effective-parameter-delta");
  AddTarget(&table, *form, {400, .3, .7}, "delta", .01, 1);
  ASSERT_TRUE(table.SetTexts("precision", std::vector<std::string>(12, "W4A4")).ok());
  auto problem = Pose("effective-parameter-delta", table, "log-least-squares");
  ASSERT_TRUE(problem.ok()) << problem.status();
  auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok());
  EXPECT_FALSE(fit->identifiability.identifiable);
  ASSERT_GE(fit->identifiability.open_direction.size(), 2);
  fit::ProblemOptions options;
  options.fixed = {{"A", 400}, {"alpha", .3}};
  auto held = Pose("effective-parameter-delta", table, "log-least-squares", options);
  ASSERT_TRUE(held.ok());
  auto good = fit::Fit(*held);
  ASSERT_TRUE(good.ok());
  EXPECT_TRUE(good->identifiability.identifiable);
  EXPECT_NEAR(Find(*good, "eff[W4A4]").value, .7, .01);
}

}  // namespace
}  // namespace qatlas::testing
