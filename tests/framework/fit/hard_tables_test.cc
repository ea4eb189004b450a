// Tables that break fits: an answer or a clear refusal, never a NaN.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/framework/fit/simulate.h"

namespace qatlas::testing {
namespace {

using ::testing::HasSubstr;

void ExpectNumbers(const fit::FitResult& fit) {
  EXPECT_TRUE(std::isfinite(fit.objective));
  for (double value : fit.values) EXPECT_TRUE(std::isfinite(value));
  for (double value : fit.prediction) ASSERT_TRUE(std::isfinite(value));
  EXPECT_TRUE(std::isfinite(fit.rmse));
  EXPECT_TRUE(std::isfinite(fit.r_squared));
}

TEST(HardTables, ManyRows) {
  // As many as take seconds at most; the benchmark goes to a million.
  auto problem = Pose("chinchilla", ChinchillaRuns(50000, .01, 3), "log-huber");
  ASSERT_TRUE(problem.ok()) << problem.status();
  fit::FitOptions options;
  options.searched = 8;
  auto fit = fit::Fit(*problem, options);
  ASSERT_TRUE(fit.ok()) << fit.status();
  ExpectNumbers(*fit);
  EXPECT_NEAR(fit->values[2], .3478, .005);
  EXPECT_TRUE(fit->identifiability.identifiable);
}

TEST(HardTables, TwentyParametersOnThirtyRows) {
  // Four parameters for each of five group sizes: six rows each.
  observe::Table table = QatRuns("w4a4", .02, 3).Filter([](size_t row) { return row % 8 < 3; });
  ASSERT_EQ(table.rows(), 30);
  fit::ProblemOptions options;
  for (const char* name : {"k", "gammaN", "gammaD", "gammaG"}) options.per[name] = {"G"};
  auto problem = Pose("qat-unified", table, "log-least-squares", options);
  if (!problem.ok()) {
    // One G does not tell k and gammaG apart.
    EXPECT_THAT(std::string(problem.status().message()), HasSubstr("gammaG"));
    options.per.erase("gammaG");
    options.fixed["gammaG"] = .7;
    problem = Pose("qat-unified", table, "log-least-squares", options);
  }
  ASSERT_TRUE(problem.ok()) << problem.status();
  auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok()) << fit.status();
  ExpectNumbers(*fit);
  EXPECT_GE(problem->coordinates(), 15);
}

TEST(HardTables, ExactDuplicates) {
  observe::Table once = ChinchillaRuns(40, .01, 3);
  observe::Table thrice = once;
  ASSERT_TRUE(thrice.AppendTable(once).ok());
  ASSERT_TRUE(thrice.AppendTable(once).ok());
  for (const std::string& loss : fit::LossNames()) {
    auto a = Pose("chinchilla", once, loss);
    auto b = Pose("chinchilla", thrice, loss);
    ASSERT_TRUE(a.ok() && b.ok());
    auto first = fit::Fit(*a);
    auto second = fit::Fit(*b);
    ASSERT_TRUE(first.ok() && second.ok());
    EXPECT_NEAR(second->objective / first->objective, 3, 1e-7) << loss;
    EXPECT_NEAR(second->values[0], first->values[0], 1e-3) << loss;
  }
  // One run, ten times over.
  observe::Table same = once.Filter([](size_t row) { return row == 0; });
  for (int i = 0; i < 9; ++i) {
    ASSERT_TRUE(same.AppendTable(once.Filter([](size_t row) { return row == 0; })).ok());
  }
  auto refused = Pose("chinchilla", same, "log-huber");
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("in every row"));
}

TEST(HardTables, WildOutliers) {
  observe::Table table = ChinchillaRuns(80, .003, 9);
  ASSERT_TRUE(table.SetNumber(5, "loss", 1e30).ok());
  ASSERT_TRUE(table.SetNumber(6, "loss", 1e-30).ok());
  ASSERT_TRUE(table.SetNumber(7, "N", 1e300).ok());
  ASSERT_TRUE(table.SetNumber(8, "D", 1).ok());
  for (const std::string& loss : fit::LossNames()) {
    auto problem = Pose("chinchilla", table, loss);
    if (!problem.ok()) continue;  // a refusal says why
    auto fit = fit::Fit(*problem);
    if (!fit.ok()) {
      EXPECT_FALSE(fit.status().message().empty());
      continue;
    }
    ExpectNumbers(*fit);
  }
  // The robust one with a logarithm is not moved much.
  ASSERT_TRUE(table.SetNumber(7, "N", 1e9).ok());
  ASSERT_TRUE(table.SetNumber(8, "D", 1e10).ok());
  auto problem = Pose("chinchilla", table, "log-student-t");
  ASSERT_TRUE(problem.ok());
  auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok());
  EXPECT_NEAR(fit->values[2], .3478, .05);
}

TEST(HardTables, LossesBelowTheFloor) {
  fit::ProblemOptions options;
  options.fixed["E"] = 5;  // above every loss
  for (const std::string& loss : fit::LossNames()) {
    auto problem = Pose("chinchilla", ChinchillaRuns(40, .01, 3), loss, options);
    ASSERT_TRUE(problem.ok());
    auto fit = fit::Fit(*problem);
    if (!fit.ok()) continue;
    ExpectNumbers(*fit);
    EXPECT_FALSE(fit->identifiability.identifiable) << loss;
  }
}

TEST(HardTables, NoRowsAndOneRow) {
  observe::Table table = ChinchillaRuns(10, 0, 1);
  EXPECT_FALSE(Pose("chinchilla", table.Filter([](size_t) { return false; }), "log-huber").ok());
  EXPECT_FALSE(Pose("chinchilla", table.Filter([](size_t row) { return row == 1; }), "huber").ok());
}

}  // namespace
}  // namespace qatlas::testing
