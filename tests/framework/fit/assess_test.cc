// Rows in tiles against all rows at once.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "framework/fit/local.h"
#include "framework/fit/loss.h"
#include "tests/framework/fit/simulate.h"

namespace qatlas::testing {
namespace {

// Not a multiple of a tile, nor of the lanes.
constexpr int kManyRuns = 5 * fit::LocalSearcher::kTile + 517;

observe::Table ManyRuns() {
  observe::Table table = ChinchillaRuns(kManyRuns, .01, 3);
  std::vector<std::string> corpus;
  for (int i = 0; i < kManyRuns; ++i) corpus.push_back(i % 7 == 0 ? "a" : i % 3 == 0 ? "b" : "c");
  EXPECT_TRUE(table.SetTexts("corpus", corpus).ok());
  return table;
}

class Tiles : public ::testing::TestWithParam<std::string> {
 protected:
  // One B for every corpus: blocks that end inside tiles.
  fit::Problem Posed() {
    fit::ProblemOptions options;
    options.per["B"] = {"corpus"};
    auto problem = Pose("chinchilla", ManyRuns(), GetParam(), options);
    EXPECT_TRUE(problem.ok()) << problem.status();
    return *std::move(problem);
  }
};

TEST_P(Tiles, SumToWhatAllRowsGive) {
  const fit::Problem problem = Posed();
  std::vector<double> theta;
  for (const fit::Parameter& parameter : problem.parameters()) {
    theta.push_back(1.03 * kBesiroglu[parameter.base]);
  }
  const std::vector<double> u = problem.Coordinates(theta);
  const int m = problem.coordinates();
  ASSERT_EQ(m, 7);
  fit::LocalSearcher tiled(problem, {});
  std::vector<double> gradient(m);
  const double objective = tiled.ObjectiveAndGradient(u, gradient.data());
  EXPECT_EQ(tiled.Objective(u), objective);

  fit::LocalSearcher whole(problem, {});
  const auto at = whole.Linearize(u);
  EXPECT_NEAR(objective / at.objective, 1, 1e-12);
  for (int a = 0; a < m; ++a) {
    double sum = 0, size = 0;
    for (int64_t i = 0; i < problem.rows(); ++i) {
      const double term = at.jacobian[a * whole.padded() + i] * at.slope[i];
      sum += term;
      size += std::abs(term);
    }
    EXPECT_NEAR(gradient[a], sum, 1e-12 * size) << a;
  }
  EXPECT_EQ(whole.Objective(u), at.objective);
}

TEST_P(Tiles, SolveLinearParametersAsAllRowsDo) {
  const fit::Problem problem = Posed();
  std::vector<double> theta;
  for (const fit::Parameter& parameter : problem.parameters()) {
    theta.push_back((parameter.linear ? 5 : 1) * kBesiroglu[parameter.base]);
  }
  std::vector<double> a = problem.Coordinates(theta), b = a;
  fit::LocalSearcher tiled(problem, {}), whole(problem, {});
  whole.Linearize(b);  // From here on all rows at once.
  tiled.SolveLinear(&a);
  whole.SolveLinear(&b);
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-9) << i;
  EXPECT_NE(a, problem.Coordinates(theta));
}

TEST_P(Tiles, EndAtTheOptimumOfAllRows) {
  const fit::Problem problem = Posed();
  std::vector<double> theta;
  for (const fit::Parameter& parameter : problem.parameters()) {
    theta.push_back(1.2 * kBesiroglu[parameter.base]);
  }
  const std::vector<double> start = problem.Coordinates(theta);
  fit::LocalSearcher tiled(problem, {}), whole(problem, {});
  whole.Linearize(start);
  const fit::Refit a = tiled.Run(start), b = whole.Run(start);
  EXPECT_TRUE(a.converged && b.converged);
  EXPECT_NEAR(a.objective / b.objective, 1, 1e-9);
  for (size_t i = 0; i < start.size(); ++i) EXPECT_NEAR(a.coordinates[i], b.coordinates[i], 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Losses, Tiles, ::testing::ValuesIn(fit::LossNames()),
                         [](const ::testing::TestParamInfo<std::string>& info) {
                           std::string name = info.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace qatlas::testing
