// Which starts are searched, when that is enough, and that other ways to search end in the same
// optimum.
#include "framework/fit/search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <qatlas/law_formula.h>

#include "framework/fit/procedure.h"
#include "tests/framework/fit/simulate.h"

namespace qatlas::testing {
namespace {

using ::testing::HasSubstr;

// A bump of width 1 at a place to be found: a exp(-(x - place)²/2).
class Bump : public LawFormula<Bump, 1, 2> {
 public:
  static LawSpec MakeSpec() {
    LawSpec spec;
    spec.target = kTargetDelta;
    spec.formula = "a exp(-(x - place)^2/2)";
    LawCovariate x;
    x.name = "x";
    x.minimum = 0;
    spec.covariates = {x};
    LawParameter height;
    height.name = height.meaning = "a";
    height.lower = 0;
    height.upper = 100;
    height.starts = {1};
    height.linear = true;
    LawParameter place;
    place.name = place.meaning = "place";
    place.lower = -5;
    place.upper = 25;
    for (int i = 0; i < 120; ++i) place.starts.push_back(.1 * i);
    spec.parameters = {height, place};
    return spec;
  }
  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [x] = covariates;
    const auto [a, place] = parameters;
    return a * Exp(-0.5 * ((x - place) * (x - place)));
  }
};

// Bumps of heights `first` at 2 and `second` at 8 over [0, 12].
fit::Problem TwoBumps(double first, double second) {
  std::vector<double> x, y;
  for (int i = 0; i <= 60; ++i) {
    x.push_back(.2 * i);
    y.push_back(first * std::exp(-.5 * std::pow(x.back() - 2, 2)) +
                second * std::exp(-.5 * std::pow(x.back() - 8, 2)));
  }
  observe::Table table;
  EXPECT_TRUE(table.SetNumbers("x", x).ok());
  EXPECT_TRUE(table.SetNumbers("delta", y).ok());
  auto problem = fit::Problem::Create(std::make_shared<Bump>(), "bump", table, {});
  EXPECT_TRUE(problem.ok()) << problem.status();
  return *problem;
}

TEST(StoppingRule, IsThatOfBoenderAndRinnooyKan) {
  const auto least = [](int optima) {
    int n = 1;
    while (!fit::SafeToStop(n, optima)) ++n;
    return n;
  };
  EXPECT_EQ(least(1), 8);
  EXPECT_EQ(least(2), 17);
  EXPECT_EQ(least(3), 30);
  EXPECT_FALSE(fit::SafeToStop(100, 0));
  EXPECT_FALSE(fit::SafeToStop(100, 99));
}

TEST(MultiStart, StopsEarlyWhereAllAgree) {
  const fit::MultiStart one = fit::SearchStarts(TwoBumps(1, 0), {});
  EXPECT_EQ(one.starts, 120);
  EXPECT_TRUE(one.stopped_early);
  EXPECT_LT(one.searches.size(), 32);
  fit::FitOptions all;
  all.stop_early = false;
  EXPECT_EQ(fit::SearchStarts(TwoBumps(1, 0), all).searches.size(), 32);
}

TEST(MultiStart, GoesOnWhereThereAreTwoOptima) {
  for (double second : {.9, 1.1}) {
    const fit::Problem problem = TwoBumps(1, second);
    const fit::MultiStart found = fit::SearchStarts(problem, {});
    EXPECT_GE(found.optima, 2);
    EXPECT_GT(found.searches.size(), 16);
    fit::FitOptions options;
    options.searched = 0;
    auto every = fit::Fit(problem, options);
    auto some = fit::Fit(problem);
    ASSERT_TRUE(every.ok() && some.ok());
    EXPECT_EQ(every->searched, 120);
    EXPECT_NEAR(some->objective / every->objective, 1, 1e-9);
    EXPECT_NEAR(some->values[1], second > 1 ? 8 : 2, .1);
    EXPECT_LT(some->agreeing, some->searched);
  }
}

// The starts that look best all lie in the wrong basin: only those that are spread find the other.
TEST(MultiStart, SearchesBeyondTheStartsThatLookBest) {
  class Far : public Bump {
   public:
    Far() : spec_(MakeSpec()) {
      std::vector<double>& starts = spec_.parameters[1].starts;
      starts.clear();
      for (int i = 0; i < 60; ++i) starts.push_back(7 + .03 * i);
      // Up the hill at 2, from where its height still says little.
      for (int i = 0; i < 20; ++i) starts.push_back(4.2 + .02 * i);
    }
    const LawSpec& Spec() const override { return spec_; }

   private:
    LawSpec spec_;
  };
  const fit::Problem near = TwoBumps(1, .8);
  observe::Table table;
  ASSERT_TRUE(table.SetNumbers("x", near.points().columns()[0]).ok());
  ASSERT_TRUE(table.SetNumbers("delta", {near.target().begin(), near.target().end()}).ok());
  auto problem = fit::Problem::Create(std::make_shared<Far>(), "bump", table, {});
  ASSERT_TRUE(problem.ok()) << problem.status();
  auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok());
  EXPECT_NEAR(fit->values[1], 2, .1);
  EXPECT_GE(fit->optima, 2);
}

TEST(MultiStart, IsTheSameWhateverTheThreads) {
  auto problem = Pose("chinchilla", ChinchillaRuns(50, .01, 3), "log-huber");
  ASSERT_TRUE(problem.ok());
  fit::FitOptions one, three;
  one.threads = 1;
  three.threads = 3;
  const fit::MultiStart a = fit::SearchStarts(*problem, one);
  const fit::MultiStart b = fit::SearchStarts(*problem, three);
  ASSERT_EQ(a.searches.size(), b.searches.size());
  for (size_t i = 0; i < a.searches.size(); ++i) {
    EXPECT_EQ(a.searches[i].coordinates, b.searches[i].coordinates);
  }
}

TEST(Projection, EndsInTheOptimumOfTheFullSearch) {
  for (const std::string& loss : fit::LossNames()) {
    for (uint64_t seed : {1, 2}) {
      auto problem = Pose("chinchilla", ChinchillaRuns(80, .01, seed), loss);
      ASSERT_TRUE(problem.ok());
      fit::FitOptions full, projected;
      full.searched = projected.searched = 0;
      projected.projected = true;
      auto a = fit::Fit(*problem, full);
      auto b = fit::Fit(*problem, projected);
      ASSERT_TRUE(a.ok() && b.ok());
      EXPECT_NEAR(b->objective / a->objective, 1, 1e-9) << loss;
      EXPECT_TRUE(b->converged) << loss;
      EXPECT_GE(b->agreeing, 20) << loss;  // of 25
      for (int p = 0; p < 5; ++p) EXPECT_NEAR(b->values[p] / a->values[p], 1, 1e-3) << loss << p;
    }
  }
}

TEST(Projection, TakesFewStepsWhereTheOthersAreHeld) {
  // One step: with alpha and beta held the problem is linear.
  fit::ProblemOptions options;
  options.fixed = {{"alpha", .34}, {"beta", .37}};
  auto problem = Pose("chinchilla", ChinchillaRuns(80, .01, 1), "least-squares", options);
  ASSERT_TRUE(problem.ok());
  fit::FitOptions projected;
  projected.projected = true;
  const fit::Refit refit = fit::FitFrom(*problem, {0, 2, 2}, projected);
  EXPECT_TRUE(refit.converged);
  EXPECT_LE(refit.iterations, 3);
  const fit::Refit full = fit::FitFrom(*problem, {0, 2, 2}, {});
  EXPECT_NEAR(refit.objective / full.objective, 1, 1e-9);
}

TEST(Projection, KeepsBounds) {
  // Runs of which least squares would make E negative.
  observe::Table table = ChinchillaRuns(60, 0, 5);
  AddTarget(&table, *Law("chinchilla"), {1e-9, 60, .12, 900, .3}, "loss", .004, 3);
  for (size_t row = 0; row < table.rows(); ++row) {
    ASSERT_TRUE(table.SetNumber(row, "loss", table.NumberAt(row, "loss") - 1).ok());
  }
  for (const char* loss : {"least-squares", "huber", "log-least-squares", "log-huber"}) {
    auto problem = Pose("chinchilla", table, loss);
    ASSERT_TRUE(problem.ok()) << problem.status();
    fit::FitOptions full, projected;
    full.searched = projected.searched = 0;
    full.max_iterations = projected.max_iterations = 3000;
    projected.projected = true;
    auto a = fit::Fit(*problem, full);
    auto b = fit::Fit(*problem, projected);
    ASSERT_TRUE(a.ok() && b.ok());
    EXPECT_LT(b->values[0], 1e-3) << loss;
    EXPECT_NEAR(b->objective / a->objective, 1, 1e-6) << loss;
  }
  // A bound away from 0 is met exactly.
  auto capped = fit::Fit(TwoBumps(150, 0), [] {
    fit::FitOptions options;
    options.projected = true;
    return options;
  }());
  ASSERT_TRUE(capped.ok());
  EXPECT_EQ(capped->values[0], 100);
  EXPECT_TRUE(capped->estimates[0].at_bound);
}

TEST(Projection, SolvesOneValuePerCategory) {
  observe::Table table;
  for (const char* preset : {"w4a4", "w4a16", "w16a4"}) {
    observe::Table part = QatRuns(preset, .03, 1);
    ASSERT_TRUE(part.SetTexts("precision", std::vector<std::string>(part.rows(), preset)).ok());
    ASSERT_TRUE(table.AppendTable(part).ok());
  }
  fit::ProblemOptions options;
  options.per["k"] = {"precision"};
  for (const char* loss : {"least-squares", "log-huber", "student-t"}) {
    auto problem = Pose("qat-unified", table, loss, options);
    ASSERT_TRUE(problem.ok()) << problem.status();
    fit::FitOptions projected;
    projected.projected = true;
    auto a = fit::Fit(*problem);
    auto b = fit::Fit(*problem, projected);
    ASSERT_TRUE(a.ok() && b.ok());
    EXPECT_NEAR(b->objective / a->objective, 1, 1e-8) << loss;
  }
}

TEST(GlobalSearch, EndsInTheSameOptimumAndRepeats) {
  auto problem = Pose("chinchilla", ChinchillaRuns(60, .005, 7), "log-huber");
  ASSERT_TRUE(problem.ok());
  auto grid = fit::Fit(*problem);
  ASSERT_TRUE(grid.ok());
  for (const char* name : {"mlsl", "crs2", "isres"}) {
    fit::FitOptions options;
    ASSERT_TRUE(fit::SetSearch(name, &options).ok());
    options.evaluations = 5000;
    auto first = fit::Fit(*problem, options);
    auto second = fit::Fit(*problem, options);
    ASSERT_TRUE(first.ok() && second.ok());
    EXPECT_NEAR(first->objective / grid->objective, 1, 1e-8) << name;
    EXPECT_EQ(first->coordinates, second->coordinates) << name;
    EXPECT_EQ(first->starts, 4);
  }
}

TEST(Procedure, HoffmannIsEveryStartUnderHuberOfTheLogarithm) {
  auto procedure = fit::ProcedureByName("hoffmann");
  ASSERT_TRUE(procedure.ok());
  EXPECT_EQ(procedure->loss.Name(), "log-huber(0.001)");
  auto problem = Pose("chinchilla", ChinchillaRuns(30, .003, 7), "log-huber");
  ASSERT_TRUE(problem.ok());
  auto fit = fit::Fit(*problem, procedure->options);
  ASSERT_TRUE(fit.ok());
  EXPECT_EQ(fit->starts, 4500);
  EXPECT_EQ(fit->searched, 4500);
  EXPECT_FALSE(fit->stopped_early);
  for (const std::string& name : fit::ProcedureNames()) {
    EXPECT_TRUE(fit::ProcedureByName(name).ok());
  }
  EXPECT_THAT(std::string(fit::ProcedureByName("hofmann").status().message()),
              HasSubstr("did you mean 'hoffmann'"));
  fit::FitOptions options;
  EXPECT_THAT(std::string(fit::SetSearch("mlsk", &options).message()), HasSubstr("'mlsl'"));
  for (const std::string& name : fit::SearchNames()) {
    EXPECT_TRUE(fit::SetSearch(name, &options).ok());
  }
}

}  // namespace
}  // namespace qatlas::testing
