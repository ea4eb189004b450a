#include "framework/compare/compare.h"

#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "framework/compare/held_out.h"
#include "framework/compare/json.h"
#include "tests/framework/fit/simulate.h"

namespace qatlas::testing {
namespace {

using ::testing::HasSubstr;

compare::Candidate Make(const std::string& law, const std::string& loss) {
  compare::Candidate candidate{law, Law(law), {}};
  candidate.problem.loss = fit::LossByName(loss).value();
  return candidate;
}

std::vector<compare::Candidate> QatForms() {
  return {Make("qat-unified", "log-least-squares"), Make("qat-no-data", "log-least-squares"),
          Make("qat-size-only", "log-least-squares")};
}

TEST(Compare, NamesTheLawThatMadeTheData) {
  compare::CompareOptions options;
  options.resampling.replicates = 50;
  auto result = compare::Compare(QatForms(), QatRuns("w4a16", .03, 5), options);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->ranking.size(), 3);
  EXPECT_EQ(result->ranking[0].name, "qat-unified");
  EXPECT_EQ(result->verdict, compare::Verdict::kDecided) << result->sentence;
  EXPECT_THAT(result->sentence, HasSubstr("qat-unified"));
  EXPECT_GT(result->ranking[0].weight_aicc, .99);
  EXPECT_EQ(result->ranking[0].bootstrap.size(), 4);
  // A form with a parameter for each (D, G) cannot predict a budget or group it has not seen.
  for (const compare::Ranked& form : result->ranking) {
    if (form.name != "qat-size-only") continue;
    for (const compare::HeldOut& held_out : form.by_scale) {
      if (held_out.what == "D") {
        EXPECT_EQ(held_out.folds, 0);
        EXPECT_EQ(held_out.refused, 4);
      }
    }
  }
  const std::string text = compare::ToJson(*result).dump();
  EXPECT_EQ(text.find("nan"), std::string::npos);
}

// Runs computed from published constants have no noise: the form that reproduces them is first.
TEST(Compare, PutsTheFormThatLeavesNoResidualsFirst) {
  compare::CompareOptions options;
  options.resampling.replicates = 20;
  const std::vector<compare::Candidate> forms = {Make("qat-no-data", "log-huber"),
                                                 Make("qat-unified", "log-huber"),
                                                 Make("qat-size-only", "log-huber")};
  auto result = compare::Compare(forms, QatRuns("w4a4", 0, 1), options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->refused, ::testing::IsEmpty());
  ASSERT_EQ(result->ranking.size(), 3);
  EXPECT_EQ(result->ranking[0].name, "qat-unified");
  EXPECT_TRUE(result->ranking[0].likelihood.exact);
  EXPECT_EQ(result->verdict, compare::Verdict::kDecided);
  // A parameter for each (D, G) reproduces whatever a formula of D and G gives.
  EXPECT_THAT(result->sentence, HasSubstr("qat-unified reproduces these 80 runs exactly: it leaves "
                                          "no residuals beyond rounding"));
  EXPECT_THAT(result->sentence, HasSubstr("so does qat-size-only with 36 parameters more; the "
                                          "next, qat-no-data, leaves a mean relative error of "));
  EXPECT_THAT(result->contenders, ::testing::ElementsAre("qat-unified"));
  const std::vector<double> published = Preset(*Law("qat-unified"), "w4a4");
  for (size_t i = 0; i < published.size(); ++i) {
    EXPECT_NEAR(result->ranking[0].fit.values[i] / published[i], 1, 1e-9);
  }
  EXPECT_THAT(compare::ToJson(*result).dump(), ::testing::Not(HasSubstr("nan")));
}

TEST(Compare, NamesEveryFormThatLeavesNoResiduals) {
  observe::Table table = QatRuns("w4a4", 0, 1);
  AddTarget(&table, *Law("qat-no-data"), {.9, .25, .6}, "delta", 0, 8);
  compare::CompareOptions options;
  options.bootstrap = false;
  auto result = compare::Compare(
      {Make("qat-unified", "log-huber"), Make("qat-no-data", "log-huber")}, table, options);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->ranking.size(), 2);
  EXPECT_EQ(result->ranking[0].name, "qat-no-data");
  EXPECT_EQ(result->verdict, compare::Verdict::kUndecided);
  EXPECT_THAT(result->sentence, HasSubstr("so does qat-unified with one parameter more."));
  ASSERT_EQ(result->nested.size(), 1);
  EXPECT_EQ(result->nested[0].restriction, "gammaD = 0");
}

TEST(Compare, IsUndecidedWhereDataHaveNoEffect) {
  // Truth without data: the unified law can only lose its extra parameter, by a little.
  observe::Table table = QatRuns("w4a4", 0, 1);
  AddTarget(&table, *Law("qat-no-data"), {.9, .25, .6}, "delta", .05, 8);
  compare::CompareOptions options;
  options.bootstrap = false;
  auto result = compare::Compare(
      {Make("qat-unified", "log-least-squares"), Make("qat-no-data", "log-least-squares")}, table,
      options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->verdict, compare::Verdict::kUndecided);
  EXPECT_THAT(result->sentence, ::testing::StartsWith("Undecided on 80 runs"));
}

TEST(Compare, SaysWhenThereIsOneFormOnly) {
  compare::CompareOptions options;
  options.bootstrap = false;
  const observe::Table table = QatRuns("w4a16", .03, 5);
  auto alone = compare::Compare({Make("qat-unified", "log-least-squares")}, table, options);
  ASSERT_TRUE(alone.ok()) << alone.status();
  EXPECT_EQ(alone->verdict, compare::Verdict::kUndecided);
  EXPECT_THAT(alone->sentence, ::testing::StartsWith("qat-unified was fitted to 80 runs (mean"));
  EXPECT_THAT(alone->sentence, HasSubstr("no other form was asked for"));
  // A form that cannot be fitted (no column precision) was asked for.
  auto left = compare::Compare({Make("qat-unified", "log-least-squares"),
                                Make("effective-parameter-delta", "log-least-squares")},
                               table, options);
  ASSERT_TRUE(left.ok()) << left.status();
  ASSERT_EQ(left->refused.size(), 1);
  EXPECT_THAT(left->sentence, HasSubstr("no other form could be fitted"));
}

// Seeds that shift a whole grid leave the exponents alone: drawn whole, so do the replicates;
// single runs mix the shifts.
TEST(Compare, BootstrapsDrawGroupsWhereThereAreEnough) {
  observe::Table table;
  fit::Random random(3, 0);
  for (int seed = 0; seed < 8; ++seed) {
    observe::Table runs = QatRuns("w4a16", .002, 20 + seed);
    const double shift = std::exp(.1 * random.Normal());
    std::vector<double> delta;
    for (size_t row = 0; row < runs.rows(); ++row) {
      delta.push_back(shift * runs.NumberAt(row, "delta"));
    }
    ASSERT_TRUE(runs.SetNumbers("delta", delta).ok());
    ASSERT_TRUE(runs.SetNumbers("seed", std::vector<double>(runs.rows(), seed)).ok());
    ASSERT_TRUE(table.AppendTable(runs).ok());
  }
  compare::CompareOptions options;
  options.resampling.replicates = 100;
  options.folds = 2;
  options.scales = {};
  const auto run = [&](const std::vector<std::string>& together, const observe::Table& rows) {
    options.resampled_together = together;
    auto result = compare::Compare({Make("qat-no-data", "log-least-squares")}, rows, options);
    EXPECT_TRUE(result.ok()) << result.status();
    return *std::move(result);
  };
  const compare::Comparison pairs = run({}, table);
  const compare::Comparison groups = run({"seed"}, table);
  EXPECT_EQ(pairs.resampled_groups, 0);
  EXPECT_EQ(groups.resampled_groups, 8);
  ASSERT_FALSE(groups.ranking[0].bootstrap.empty());
  const auto gamma = [](const compare::Comparison& c) {
    return c.ranking[0].bootstrap[1].standard_error;
  };
  EXPECT_LT(gamma(groups), gamma(pairs) / 5);
  // Four seeds are too few groups.
  const observe::Table few = table.Filter([&](size_t r) { return table.NumberAt(r, "seed") < 4; });
  EXPECT_EQ(run({"seed"}, few).resampled_groups, 0);
  options.resampled_together = {"sede"};
  EXPECT_EQ(
      compare::Compare({Make("qat-no-data", "log-least-squares")}, table, options).status().code(),
      absl::StatusCode::kNotFound);
}

TEST(Compare, SaysWhenRunsAreTooFew) {
  const observe::Table table =
      QatRuns("w4a4", .03, 5).Filter([](size_t row) { return row % 13 == 0; });
  ASSERT_EQ(table.rows(), 7);
  compare::CompareOptions options;
  options.bootstrap = false;
  options.folds = 0;
  auto result = compare::Compare(
      {Make("qat-unified", "log-least-squares"), Make("qat-no-data", "log-least-squares")}, table,
      options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->verdict, compare::Verdict::kTooFew);
  EXPECT_THAT(result->sentence, HasSubstr("Too few runs"));
}

TEST(Compare, RefusesMixedTargetsAndDoubleNames) {
  const observe::Table table = QatRuns("w4a4", .03, 5);
  const auto mixed = compare::Compare(
      {Make("qat-unified", "log-least-squares"), Make("chinchilla", "log-huber")}, table);
  EXPECT_THAT(std::string(mixed.status().message()), HasSubstr("predicts delta"));
  const auto twice =
      compare::Compare({Make("qat-unified", "log-huber"), Make("qat-unified", "log-huber")}, table);
  EXPECT_THAT(std::string(twice.status().message()), HasSubstr("two laws"));
  EXPECT_FALSE(compare::Compare({}, table).ok());
}

TEST(Compare, JudgesAllFormsOnTheSameRuns) {
  observe::Table table = QatRuns("w4a4", .03, 5);
  ASSERT_TRUE(table.SetNumber(4, "delta", -.001).ok());
  auto forms = QatForms();
  forms.pop_back();
  forms[0].problem.non_positive = fit::NonPositive::kDrop;
  forms[1].problem.loss = fit::LossByName("least-squares").value();
  compare::CompareOptions options;
  options.bootstrap = false;
  auto result = compare::Compare(forms, table, options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->rows, 79);
  for (const auto& form : result->ranking) EXPECT_EQ(form.fit.problem->rows(), 79);
  ASSERT_FALSE(result->notes.empty());
}

TEST(Compare, BringsDeltaAndLossToOneTarget) {
  const auto chen = Preset(*Law("chinchilla-tied"), "chen-2025");
  observe::Table table = QatRuns("w4a4", .02, 5);
  auto fp = fit::Evaluate(*Law("chinchilla-tied"), chen, table);
  ASSERT_TRUE(fp.ok());
  std::vector<double> loss;
  for (size_t row = 0; row < table.rows(); ++row) {
    loss.push_back((*fp)[row] + table.NumberAt(row, "delta"));
  }
  ASSERT_TRUE(table.SetNumbers("loss", loss).ok());
  ASSERT_TRUE(table.SetTexts("precision", std::vector<std::string>(80, "W4A4")).ok());

  auto sum = compare::LossFromDelta(Law("qat-unified"), Law("chinchilla-tied"), chen);
  ASSERT_TRUE(sum.ok()) << sum.status();
  compare::Candidate composed{"chen + qat-unified", *sum, {}};
  auto eff = compare::DeltaFromLoss(Law("effective-parameter"), Law("chinchilla-tied"), chen);
  ASSERT_TRUE(eff.ok()) << eff.status();
  compare::Candidate view{"effective-parameter", *eff, {}};
  view.problem.fixed = {
      {"E", chen[0]}, {"A", chen[1]}, {"alpha", chen[2]}, {"B", chen[3]}, {"beta", chen[2]}};
  compare::CompareOptions options;
  options.bootstrap = false;
  auto as_delta = compare::Compare({Make("qat-unified", "least-squares"), view}, table, options);
  ASSERT_TRUE(as_delta.ok()) << as_delta.status();
  ASSERT_EQ(as_delta->ranking.size(), 2);
  EXPECT_EQ(as_delta->ranking[0].name, "qat-unified");
  EXPECT_EQ(as_delta->verdict, compare::Verdict::kDecided) << as_delta->sentence;

  auto fitted = fit::Problem::Create(composed.form, composed.name, table, composed.problem);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  auto fit = fit::Fit(*fitted);
  ASSERT_TRUE(fit.ok());
  const auto& best = as_delta->ranking[0].fit;
  for (size_t p = 0; p < 4; ++p) EXPECT_NEAR(fit->values[p] / best.values[p], 1, 1e-4);
  EXPECT_FALSE(compare::LossFromDelta(Law("chinchilla"), Law("chinchilla"), chen).ok());
}

TEST(Compare, GroupsTargetsApart) {
  observe::Table table = QatRuns("w4a4", .02, 5);
  observe::Table full = ChinchillaRuns(30, .003, 2);
  ASSERT_TRUE(table.AppendTable(full).ok());
  compare::CompareOptions options;
  options.bootstrap = false;
  auto result = compare::CompareByTarget(
      {Make("qat-unified", "log-least-squares"), Make("chinchilla", "log-huber"),
       Make("chinchilla-tied", "log-huber")},
      table, options);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->size(), 2);
  EXPECT_EQ((*result)[0].rows, 80);
  EXPECT_EQ((*result)[1].rows, 30);
  EXPECT_EQ((*result)[1].ranking.size(), 2);
}

TEST(HeldOut, KeepsGroupsTogether) {
  const observe::Table table = QatRuns("w4a4", .02, 5);
  auto folds = compare::RandomFolds(table, 4, {"N", "D"}, 3);
  ASSERT_TRUE(folds.ok());
  for (size_t row = 0; row < 80; ++row) EXPECT_EQ((*folds)[row], (*folds)[row / 5 * 5]);
  EXPECT_EQ(std::set<int>(folds->begin(), folds->end()).size(), 4);
  EXPECT_TRUE(compare::LevelFolds(table, "weight_bits").empty());
  EXPECT_EQ(compare::LevelFolds(table, "G").size(), 80);
  // Scattered sizes are left out by ranges: tables of many rows must not take a fit a row.
  const observe::Table scattered = ChinchillaRuns(200, .003, 4);
  const std::vector<int> ranges = compare::LevelFolds(scattered, "N");
  ASSERT_EQ(ranges.size(), 200);
  EXPECT_EQ(*std::max_element(ranges.begin(), ranges.end()), 9);
  for (size_t a = 0; a < 200; ++a) {
    EXPECT_EQ(std::count(ranges.begin(), ranges.end(), ranges[a]), 20);
    for (size_t b = 0; b < 200; ++b) {
      if (ranges[a] < ranges[b]) {
        EXPECT_LT(scattered.NumberAt(a, "N"), scattered.NumberAt(b, "N"));
      }
    }
  }
}

TEST(Curves, FollowTheFitThroughItsRuns) {
  const observe::Table table = QatRuns("w4a4", .02, 5);
  auto problem = Pose("qat-unified", table, "log-least-squares");
  ASSERT_TRUE(problem.ok());
  auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok());
  auto curves = compare::Curves(*fit, table, "N", 20, 100);
  ASSERT_TRUE(curves.ok()) << curves.status();
  ASSERT_EQ(curves->size(), 20);  // D by G
  EXPECT_EQ((*curves)[0]["x"].size(), 20);
  EXPECT_EQ((*curves)[0]["observed"].size(), 4);
  EXPECT_FALSE(compare::Curves(*fit, table, "weight_bits").ok());
}

}  // namespace
}  // namespace qatlas::testing
