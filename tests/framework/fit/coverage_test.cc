// The default intervals of the default loss contain the truth about as often as they claim: in
// 2,000 simulated data sets a case, between 93% and 97% of the time for every parameter. The
// binomial error is .5 points. docs/laws.md has the same of every kind of interval.
#include "tests/framework/fit/coverage.h"

#include <gtest/gtest.h>

#include "tests/framework/fit/simulate.h"

namespace qatlas::testing {
namespace {

constexpr int kSimulated = 2000;
constexpr double kLeast = .93, kMost = .97;

struct Design {
  observe::Table table;  // with noiseless targets
  std::vector<double> truth;
};

Design DesignOf(const CoverageCase& of) {
  if (of.law == "chinchilla") {
    return {ChinchillaRuns(of.runs, 0, 99), {std::begin(kBesiroglu), std::end(kBesiroglu)}};
  }
  return {QatRuns("w4a4", 0, 1), Preset(*Law(of.law), "w4a4")};
}

class Coverage : public ::testing::TestWithParam<CoverageCase> {};

TEST_P(Coverage, OfTheDefaultIntervals) {
  const CoverageCase& of = GetParam();
  const Design design = DesignOf(of);
  const auto problem = Pose(of.law, design.table, fit::kDefaultLoss);
  ASSERT_TRUE(problem.ok()) << problem.status();
  ASSERT_EQ(problem->rows(), of.runs);
  const observe::Table far = Extrapolated(of.law);
  const double far_truth = fit::Evaluate(*Law(of.law), design.truth, far)->front();
  // Of the 24 starts that the default searches, four: the best four end in the same optimum.
  fit::FitOptions options;
  options.searched = 4;
  options.threads = 1;
  const size_t p = design.truth.size();
  std::vector<int> inside(p + 2, 0);
  int identifiable = 0;
  for (int s = 0; s < kSimulated; ++s) {
    const auto fit = fit::Fit(problem->WithTarget(Draw(of, problem->target(), s)), options);
    ASSERT_TRUE(fit.ok()) << fit.status();
    identifiable += fit->identifiability.identifiable;
    for (size_t i = 0; i < p; ++i) {
      inside[i] += Contains(fit->estimates[i].interval, design.truth[i]);
    }
    const auto prediction = fit::Predict(*fit, far);
    ASSERT_TRUE(prediction.ok()) << prediction.status();
    inside[p] += Contains(prediction->interval[0], far_truth);
    fit::Random random(555, s);
    const double run = far_truth * std::exp(of.noise * Noise(of, &random));
    inside[p + 1] += Contains(prediction->new_run[0], run);
  }
  for (size_t i = 0; i < inside.size(); ++i) {
    const std::string what = i < p    ? problem->parameters()[i].name
                             : i == p ? "the curve far outside the runs"
                                      : "a new run there";
    const double share = inside[i] / static_cast<double>(kSimulated);
    EXPECT_GE(share, kLeast) << what;
    EXPECT_LE(share, kMost) << what;
  }
  EXPECT_GE(identifiable, .99 * kSimulated);
}

std::string TestName(const ::testing::TestParamInfo<CoverageCase>& info) {
  const CoverageCase& of = info.param;
  return (of.law == "chinchilla" ? "Chinchilla" : "QatUnified") + std::to_string(of.runs) + "Runs" +
         std::to_string(static_cast<int>(std::lround(1000 * of.noise))) + "PerMille" +
         (of.heavy ? "Heavy" : "Gaussian");
}

INSTANTIATE_TEST_SUITE_P(Cases, Coverage, ::testing::ValuesIn(CoverageCases()), TestName);

}  // namespace
}  // namespace qatlas::testing
