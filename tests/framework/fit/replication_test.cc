// The procedure of Besiroglu et al. 2024 on simulated runs, and agreement with NLopt.
#include <gtest/gtest.h>

#include "framework/fit/local.h"
#include "framework/fit/starts.h"
#include "tests/framework/fit/simulate.h"

namespace qatlas::testing {
namespace {

TEST(Replication, EveryStartSearchesTheWholeGrid) {
  auto problem = Pose("chinchilla", ChinchillaRuns(60, .003, 7), "log-huber");
  ASSERT_TRUE(problem.ok()) << problem.status();
  auto fit = fit::Fit(*problem, fit::FitOptions::EveryStart());
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_EQ(fit->starts, 4500);
  EXPECT_EQ(fit->searched, 4500);
  // Most starts lead to the optimum; the others end where a term is gone.
  EXPECT_GT(fit->agreeing, 3000);
  auto quick = fit::Fit(*problem);
  ASSERT_TRUE(quick.ok());
  EXPECT_NEAR(quick->objective / fit->objective, 1, 1e-9);
  EXPECT_LT(quick->searched, 30);
}

TEST(Replication, NeverEndsAboveNlopt) {
  auto problem = Pose("chinchilla", ChinchillaRuns(240, .003, 7), "log-huber");
  ASSERT_TRUE(problem.ok());
  auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok());
  fit::FitOptions tight;
  tight.max_iterations = 2000;
  fit::LocalSearcher searcher(*problem, tight);
  const fit::StartGrid grid(*problem, false, 60);
  double best = 1e300;
  for (fit::LocalSearch local : {fit::LocalSearch::kNloptLbfgs, fit::LocalSearch::kNloptSlsqp}) {
    for (int64_t i = 0; i < grid.size(); ++i) {
      best = std::min(best, searcher.RunNlopt(grid.At(i), local).objective);
    }
  }
  EXPECT_LE(fit->objective, best * (1 + 1e-9));
  EXPECT_NEAR(best / fit->objective, 1, 1e-4);
}

TEST(Replication, GradientMatchesDifferences) {
  for (const std::string& loss : fit::LossNames()) {
    auto problem = Pose("chinchilla", ChinchillaRuns(37, .01, 7), loss);
    ASSERT_TRUE(problem.ok());
    fit::LocalSearcher searcher(*problem, {});
    const std::vector<double> u = {.5, 6, .3, 7.5, .35};
    std::vector<double> gradient(5);
    searcher.ObjectiveAndGradient(u, gradient.data());
    for (int p = 0; p < 5; ++p) {
      std::vector<double> up = u, down = u;
      up[p] += 1e-6;
      down[p] -= 1e-6;
      const double slope = (searcher.Objective(up) - searcher.Objective(down)) / 2e-6;
      EXPECT_NEAR(gradient[p], slope, 1e-5 * (std::abs(slope) + 1e-3)) << loss << " " << p;
    }
  }
}

TEST(Replication, ThreadsDoNotChangeResults) {
  auto problem = Pose("chinchilla", ChinchillaRuns(50, .01, 3), "log-huber");
  ASSERT_TRUE(problem.ok());
  fit::FitOptions one, three;
  one.threads = 1;
  three.threads = 3;
  auto a = fit::Fit(*problem, one);
  auto b = fit::Fit(*problem, three);
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(a->coordinates, b->coordinates);
  EXPECT_EQ(a->agreeing, b->agreeing);
}

}  // namespace
}  // namespace qatlas::testing
