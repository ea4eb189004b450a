// Designs: better than chance and than the grid for what they cost, on simulated truth.
#include "framework/plan/design.h"

#include <algorithm>
#include <cmath>

#include "framework/fit/stats.h"
#include "framework/plan/design_state.h"
#include "framework/plan/naming.h"
#include "tests/framework/plan/worlds.h"

namespace qatlas::plan {
namespace {

using testing::Chen;

const std::map<std::string, std::vector<double>> kChenGrid = {
    {"N", {74.32e6, 144.70e6, 297.27e6, 594.54e6}},
    {"D", {10e9, 20e9, 50e9, 100e9}},
    {"G", {32, 64, 128, 256, 1024}}};

// qat-unified with its published constants against the form without data, brought near to it.
struct Rivals {
  Rivals() : chen("w4a4") {
    candidates = *CandidateGrid(kChenGrid, {}, true);
    auto near = LawNear(testing::Law("qat-no-data"), "qat-no-data", *chen.world.delta, candidates);
    EXPECT_TRUE(near.ok()) << near.status();
    rival = *std::move(near);
    laws = {chen.world.delta, &rival};
  }
  Chen chen;
  Law rival;
  std::vector<const Law*> laws;
  std::vector<Candidate> candidates;
};

std::vector<Point> Points(const std::vector<Candidate>& candidates,
                          const std::vector<size_t>& chosen) {
  std::vector<Point> points;
  for (size_t i : chosen) points.push_back(candidates[i].point);
  return points;
}

TEST(CandidateGrid, CostsAreSharedByRunsOfOneBaseline) {
  const auto candidates =
      CandidateGrid({{"N", {1e6, 2e6}}, {"D", {1e9}}, {"G", {32, 64}}}, {6, .5}, true);
  ASSERT_TRUE(candidates.ok());
  ASSERT_EQ(candidates->size(), 4u);
  Books books(*candidates, {});
  const auto at = [&](double n, double g) {
    for (size_t i = 0; i < candidates->size(); ++i) {
      const auto& numbers = (*candidates)[i].point.numbers;
      if (numbers.at("N") == n && numbers.at("G") == g) return i;
    }
    return candidates->size();
  };
  const double unit = 6e15;  // 6 N D at N = 1e6
  EXPECT_DOUBLE_EQ(books.Adds(at(1e6, 32)), 2.5 * unit);
  books.Add(at(1e6, 32));
  EXPECT_DOUBLE_EQ(books.Adds(at(1e6, 64)), 1.5 * unit) << "the baseline is there";
  books.Add(at(1e6, 64));
  EXPECT_DOUBLE_EQ(books.cost(), 4 * unit);
  EXPECT_DOUBLE_EQ(books.Frees(at(1e6, 64)), 1.5 * unit);
  EXPECT_DOUBLE_EQ(books.CostAfter(at(1e6, 64), at(2e6, 32)), 4 * unit - 1.5 * unit + 5 * unit);
  books.Remove(at(1e6, 64));
  EXPECT_DOUBLE_EQ(books.cost(), 2.5 * unit);
  EXPECT_FALSE(CandidateGrid({{"N", {1e6}}}, {}, true).ok());
  EXPECT_FALSE(CandidateGrid({{"N", {1e6}}, {"D", {-1}}}, {}, true).ok());
}

TEST(Duel, LinearizedStepsAgreeWithRefits) {
  const Rivals rivals;
  const auto& candidates = rivals.candidates;
  std::vector<Point> points;
  for (const Candidate& c : candidates) points.push_back(c.point);
  const auto truth = LogCurve::Create(*rivals.laws[0], points);
  const auto rival = LogCurve::Create(rivals.rival, points);
  ASSERT_TRUE(truth.ok() && rival.ok());
  std::vector<double> value;
  truth->Evaluate(truth->centre(), &value, nullptr);
  Duel duel(&*rival, value, std::vector<double>(points.size(), 1 / (.05 * .05)),
            rival->Precision(1), candidates.size());
  Books books(candidates, {});
  for (size_t i : {0u, 4u, 15u, 19u, 60u, 64u, 75u, 79u}) books.Add(i);
  duel.Refit(books);
  ASSERT_GT(duel.lambda(), 1);
  const double with = duel.LambdaWith(33), exchanged = duel.LambdaExchanged(books, 15, 33);
  books.Add(33);
  duel.Refit(books);
  EXPECT_NEAR(duel.lambda() / with, 1, .02);
  books.Remove(15);
  duel.Refit(books);
  EXPECT_NEAR(duel.lambda() / exchanged, 1, .02);
}

TEST(Discriminate, NamesTheLawWithFarFewerRunsThanTheGrid) {
  const Rivals rivals;
  DesignOptions options;
  options.until = .9;
  const auto design = Discriminate(rivals.laws, rivals.candidates, options);
  ASSERT_TRUE(design.ok()) << design.status();
  EXPECT_GE(design->named, .9);
  EXPECT_LE(design->runs.size(), 24u) << "the grid has 80";
  EXPECT_LT(design->cost, .5 * design->full_cost);
  EXPECT_LT(design->named_before, .01);
  // The prediction holds when runs are simulated and fitted; the same number of runs drawn at
  // random from the grid names the law less often.
  std::vector<size_t> chosen;
  for (const Chosen& run : design->runs) chosen.push_back(run.candidate);
  const RunError error = options.error;
  const auto named =
      SimulateNaming(rivals.laws, 0, Points(rivals.candidates, chosen), error, 6, 100, 5, 1);
  ASSERT_TRUE(named.ok()) << named.status();
  EXPECT_GE(named->Right(), .75);
  EXPECT_EQ(named->wrong, 0);
  int at_random = 0, sets = 0;
  for (uint64_t draw = 0; draw < 10; ++draw) {
    fit::Random random(11, draw);
    std::vector<size_t> subset;
    while (subset.size() < chosen.size()) {
      const size_t i = random.Below(rivals.candidates.size());
      if (std::find(subset.begin(), subset.end(), i) == subset.end()) subset.push_back(i);
    }
    const auto result =
        SimulateNaming(rivals.laws, 0, Points(rivals.candidates, subset), error, 6, 10, 5, 1);
    ASSERT_TRUE(result.ok());
    at_random += result->right;
    sets += result->sets;
  }
  EXPECT_GT(named->Right(), static_cast<double>(at_random) / sets + .1);
}

TEST(Discriminate, KeepsToTheBudgetAndSaysWhatCannotBeTold) {
  const Rivals rivals;
  DesignOptions options;
  options.budget = 5e20;
  const auto design = Discriminate(rivals.laws, rivals.candidates, options);
  ASSERT_TRUE(design.ok()) << design.status();
  EXPECT_LE(design->cost, 5e20 * (1 + 1e-9));
  double sum = 0;
  for (const Chosen& run : design->runs) sum += run.cost;
  EXPECT_NEAR(sum / design->cost, 1, 1e-9);
  EXPECT_GT(design->criterion, design->before);
  // The form without data is the unified one with gammaD = 0.
  ASSERT_EQ(design->notes.size(), 1u);
  EXPECT_NE(design->notes[0].find("qat-no-data against qat-unified:w4a4"), std::string::npos)
      << design->notes[0];
  DesignOptions more = options;
  more.budget = 2e21;
  const auto larger = Discriminate(rivals.laws, rivals.candidates, more);
  ASSERT_TRUE(larger.ok());
  EXPECT_GT(larger->named, design->named);
}

TEST(Discriminate, RefusesWhatHasNoAnswer) {
  const Rivals rivals;
  DesignOptions options;
  EXPECT_FALSE(Discriminate(rivals.laws, rivals.candidates, options).ok()) << "no end";
  options.runs = 5;
  EXPECT_FALSE(Discriminate({rivals.laws[0]}, rivals.candidates, options).ok());
  EXPECT_FALSE(Discriminate({rivals.laws[0], rivals.laws[0]}, rivals.candidates, options).ok());
  EXPECT_FALSE(
      Discriminate({rivals.laws[0], rivals.chen.world.loss}, rivals.candidates, options).ok());
  options.error = {0, 0};
  EXPECT_FALSE(Discriminate(rivals.laws, rivals.candidates, options).ok());
  options.error = {.05, 0};
  options.runs = 0;
  options.budget = 1;
  EXPECT_EQ(Discriminate(rivals.laws, rivals.candidates, options).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(Shrink, BeatsRunsOfTheSameNumberTakenInOrder) {
  const Chen chen("w4a4");
  const auto candidates = CandidateGrid(kChenGrid, {}, true);
  ASSERT_TRUE(candidates.ok());
  DesignOptions options;
  options.runs = 8;
  for (const Wanted& wanted :
       {Wanted{"gammaD", {}}, Wanted{"", testing::At(10e9, 1e12, 128)}, Wanted{}}) {
    const auto design = Shrink(*chen.world.delta, wanted, *candidates, options);
    ASSERT_TRUE(design.ok()) << design.status();
    EXPECT_EQ(design->runs.size(), 8u);
    EXPECT_LT(design->criterion, design->before);
    EXPECT_LE(design->full_criterion, design->criterion);
    // Eight runs of eighty, yet nearer to the whole grid than random eight would be (√10 apart).
    EXPECT_LT(design->criterion, 2.7 * design->full_criterion);
  }
  EXPECT_EQ(Shrink(*chen.world.delta, {"gammaX", {}}, *candidates, options).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(ProbabilityNamed, GrowsWithEvidenceAndIsNoneWithoutRuns) {
  EXPECT_EQ(ProbabilityNamed(100, 4, 3, 5, 6), 0) << "AICc of four parameters on five runs";
  double before = 0;
  for (const double lambda : {1., 5., 15., 40., 100.}) {
    const double p = ProbabilityNamed(lambda, 4, 3, 40, 6);
    EXPECT_GT(p, before);
    before = p;
  }
  EXPECT_GT(before, .99);
}

}  // namespace
}  // namespace qatlas::plan
