// Intervals contain the truth about as often as they claim. 300 simulated data sets tell 95% from
// less than 91%; docs/laws.md has the figures of larger simulations.
#include <gtest/gtest.h>

#include "tests/framework/fit/simulate.h"

namespace qatlas::testing {
namespace {

// The share of data sets, by parameter, in which the default interval contains the truth.
std::vector<double> Coverage(const fit::Problem& noiseless, const std::vector<double>& truth,
                             double noise, int data_sets) {
  std::vector<double> share(truth.size(), 0.0);
  fit::FitOptions options;
  options.searched = 4;
  for (int s = 0; s < data_sets; ++s) {
    fit::Random random(77, s);
    std::vector<double> target(noiseless.target().begin(), noiseless.target().end());
    for (double& y : target) y *= std::exp(noise * random.Normal());
    auto fit = fit::Fit(noiseless.WithTarget(target), options);
    EXPECT_TRUE(fit.ok()) << fit.status();
    if (!fit.ok()) return share;
    for (size_t p = 0; p < truth.size(); ++p) {
      const fit::Interval& interval = fit->estimates[p].interval;
      share[p] += interval.low <= truth[p] && truth[p] <= interval.high ? 1.0 / data_sets : 0.0;
    }
  }
  return share;
}

TEST(Coverage, OfChinchillaOnSixtyRuns) {
  for (const char* loss : {"log-huber", "log-least-squares"}) {
    auto problem = Pose("chinchilla", ChinchillaRuns(60, 0, 99), loss);
    ASSERT_TRUE(problem.ok());
    for (double share :
         Coverage(*problem, {std::begin(kBesiroglu), std::end(kBesiroglu)}, .003, 300)) {
      EXPECT_GT(share, .91) << loss;
      EXPECT_LT(share, .985) << loss;
    }
  }
}

TEST(Coverage, OfTheUnifiedLawOnEightyRuns) {
  const auto form = Law("qat-unified");
  auto problem = Pose("qat-unified", QatRuns("w4a4", 0, 1), "log-least-squares");
  ASSERT_TRUE(problem.ok());
  for (double share : Coverage(*problem, Preset(*form, "w4a4"), .2, 300)) {
    EXPECT_GT(share, .91);
    EXPECT_LT(share, .985);
  }
}

}  // namespace
}  // namespace qatlas::testing
