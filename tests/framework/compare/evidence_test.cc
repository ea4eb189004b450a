// Extrapolation, nesting, win maps, robustness: what stands behind a verdict.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "framework/compare/compare.h"
#include "framework/compare/extrapolation.h"
#include "framework/compare/held_out.h"
#include "framework/compare/json.h"
#include "framework/compare/nested.h"
#include "framework/compare/paired.h"
#include "framework/compare/robustness.h"
#include "framework/compare/summary.h"
#include "framework/compare/win_map.h"
#include "tests/framework/fit/simulate.h"

namespace qatlas::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

compare::Candidate MakeCandidate(const std::string& law, const std::string& loss) {
  compare::Candidate candidate{law, Law(law), {}};
  candidate.problem.loss = fit::LossByName(loss).value();
  return candidate;
}

compare::Comparison Compared(const std::vector<compare::Candidate>& forms,
                             const observe::Table& table, compare::CompareOptions options = {}) {
  options.bootstrap = false;
  auto result = compare::Compare(forms, table, options);
  EXPECT_TRUE(result.ok()) << result.status();
  return *std::move(result);
}

std::vector<compare::Candidate> DeltaForms() {
  return {MakeCandidate("qat-unified", "log-huber"), MakeCandidate("qat-no-data", "log-huber")};
}

const compare::Ranked& Form(const compare::Comparison& comparison, const std::string& name) {
  for (const compare::Ranked& form : comparison.ranking) {
    if (form.name == name) return form;
  }
  ADD_FAILURE() << "no form " << name;
  return comparison.ranking[0];
}

TEST(Maximum, IsTheDensitysWhateverTheLossOfTheFit) {
  const observe::Table table = ChinchillaRuns(80, .01, 4);
  for (auto model : {compare::NoiseModel::kGaussian, compare::NoiseModel::kStudentT,
                     compare::NoiseModel::kHuber}) {
    std::vector<double> reached;
    for (const char* loss : {"log-huber", "log-least-squares", "log-student-t"}) {
      auto problem = Pose("chinchilla", table, loss);
      ASSERT_TRUE(problem.ok());
      auto fit = fit::Fit(*problem);
      ASSERT_TRUE(fit.ok());
      auto best = compare::Maximize(*problem, {fit->coordinates}, model, {});
      ASSERT_TRUE(best.ok()) << best.status();
      EXPECT_TRUE(best->maximum);
      reached.push_back(best->log_likelihood);
      const auto at_fit = compare::FitLikelihood(*problem, fit->prediction, model);
      ASSERT_TRUE(at_fit.ok());
      EXPECT_GE(best->log_likelihood, at_fit->log_likelihood - 1e-6);
      // No step along any coordinate goes up, with the scale fitted anew.
      for (size_t c = 0; c < best->coordinates.size(); ++c) {
        for (double step : {-1e-3, 1e-3}) {
          std::vector<double> u = best->coordinates;
          u[c] += step;
          std::vector<double> prediction(problem->rows()), scratch;
          problem->Evaluate(problem->Values(u), prediction.data(), nullptr, problem->rows(),
                            &scratch);
          const auto beside = compare::FitLikelihood(*problem, prediction, model);
          ASSERT_TRUE(beside.ok());
          EXPECT_LT(beside->log_likelihood, best->log_likelihood + 1e-6);
        }
      }
    }
    EXPECT_NEAR(reached[0], reached[1], 1e-4) << compare::Name(model);
    EXPECT_NEAR(reached[0], reached[2], 1e-4) << compare::Name(model);
  }
}

TEST(Maximum, WeightsCountRuns) {
  // A run with weight 2 is two runs, of rows + 1.
  const observe::Table table = ChinchillaRuns(40, .01, 4);
  std::vector<size_t> rows;
  for (size_t row = 0; row < 40; ++row) rows.push_back(row);
  rows.push_back(7);
  auto twice = Pose("chinchilla", table.Take(rows), "log-least-squares");
  auto once = Pose("chinchilla", table, "log-least-squares");
  ASSERT_TRUE(twice.ok() && once.ok());
  std::vector<double> weight(40, 1.0);
  weight[7] = 2;
  const auto fit = fit::Fit(*once);
  ASSERT_TRUE(fit.ok());
  const auto a = compare::Maximize(*twice, {fit->coordinates}, compare::NoiseModel::kStudentT, {});
  const auto b = compare::Maximize(once->WithWeight(weight), {fit->coordinates},
                                   compare::NoiseModel::kStudentT, {});
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_NEAR(a->scale, b->scale, 1e-6 * a->scale);
  EXPECT_NEAR(a->log_likelihood / 41, b->log_likelihood / 40, 1e-6);
}

TEST(Paired, TermsThatErrTogetherWidenTheError) {
  // Ten cells of four replicates that agree within a cell: ten draws, not forty.
  std::vector<double> values;
  std::vector<int> cell;
  for (int i = 0; i < 40; ++i) {
    values.push_back(std::sin(1.7 * (i / 4)) + .2);
    cell.push_back(i / 4);
  }
  const compare::PairedMean alone = compare::MeanOfPairs(values, {});
  const compare::PairedMean cells = compare::MeanOfPairs(values, {cell});
  EXPECT_DOUBLE_EQ(alone.mean, cells.mean);
  EXPECT_NEAR(cells.design_effect, 4 * (10 / 9.0) / (40 / 39.0), 1e-9);
  EXPECT_GT(cells.p, alone.p);
  // Independent rows: the usual standard error.
  double squares = 0;
  for (double v : values) squares += (v - alone.mean) * (v - alone.mean);
  EXPECT_NEAR(alone.standard_error, std::sqrt(squares / 39 / 40), 1e-12);
  EXPECT_EQ(compare::MeanOfPairs({NAN, NAN}, {}).count, 0);
}

TEST(Extrapolation, ErrorGrowsWhereTheFormIsWrong) {
  // Data matter; a form without them misses more the further it predicts.
  const auto result = Compared(DeltaForms(), QatRuns("w4a16", .03, 5));
  ASSERT_EQ(Form(result, "qat-no-data").extrapolation.size(), 3);
  const auto& along = Form(result, "qat-no-data").extrapolation[1];
  EXPECT_EQ(along.axis, "D");
  ASSERT_EQ(along.windows.size(), 2);
  EXPECT_EQ(along.windows[0].threshold, 20e9);
  EXPECT_EQ(along.windows[0].trained, 40);
  EXPECT_EQ(along.windows[0].error.size(), 40);
  EXPECT_EQ(along.predictions, 60);
  ASSERT_EQ(along.fan.size(), 3);
  EXPECT_EQ(along.fan[2].high, 8);
  EXPECT_GT(along.fan[2].mean_relative_error, 1.1 * along.fan[0].mean_relative_error);
  EXPECT_LT(along.fan[2].bias, -.1);   // it predicts too little
  EXPECT_LT(along.difference_p, .05);  // two windows: one degree of freedom
  const auto& right = Form(result, "qat-unified").extrapolation[1];
  EXPECT_LT(right.mean_relative_error, .06);
}

TEST(Extrapolation, DoesNotGuessWhatTheRunsLeaveOpen) {
  const observe::Table table = QatRuns("w4a16", .03, 5);
  auto problem = Pose("qat-unified", table, "log-least-squares");
  ASSERT_TRUE(problem.ok());
  auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok());
  std::vector<char> keep(80);
  for (int64_t i = 0; i < 80; ++i) keep[i] = problem->points().columns()[1][i] == 10e9;
  // One D: the exponent of D would be the full fit's.
  EXPECT_FALSE(compare::LeaveRowsOut(*fit, keep, compare::NoiseModel::kStudentT, {}).fitted);
  EXPECT_THAT(compare::Thresholds({1, 2, 3, 4}), ElementsAre(2, 3));
  EXPECT_TRUE(compare::Thresholds({1, 2}).empty());
}

TEST(Scores, HoldOneErrorAgainstLossAndDelta) {
  observe::Table table = QatRuns("w4a16", .03, 5);
  std::vector<double> loss;
  for (size_t row = 0; row < 80; ++row) loss.push_back(3 + table.NumberAt(row, "delta"));
  ASSERT_TRUE(table.SetNumbers("loss", loss).ok());
  const auto result = Compared(DeltaForms(), table);
  const auto& scores = result.ranking[0].cross_validation.scores;
  ASSERT_EQ(scores.size(), 2);
  EXPECT_EQ(scores[0].of, "loss");
  EXPECT_DOUBLE_EQ(scores[0].rmse, scores[1].rmse);
  EXPECT_DOUBLE_EQ(scores[1].mean_relative_error,
                   result.ranking[0].cross_validation.mean_relative_error);
  EXPECT_LT(scores[0].mean_relative_error, .1 * scores[1].mean_relative_error);
}

TEST(Nested, FindsTheRestrictionByNumbers) {
  const auto delta = Compared(
      {MakeCandidate("qat-size-only", "log-huber"), MakeCandidate("qat-no-data", "log-huber"),
       MakeCandidate("qat-unified", "log-huber")},
      QatRuns("w4a16", .03, 5));
  ASSERT_EQ(delta.nested.size(), 3);
  for (const compare::NestedTest& test : delta.nested) {
    EXPECT_NE(test.restricted, "qat-size-only");
    EXPECT_FALSE(test.on_bound);
    if (test.full == "qat-unified") {
      EXPECT_EQ(test.restricted, "qat-no-data");
      EXPECT_EQ(test.restriction, "gammaD = 0");
      EXPECT_EQ(test.degrees, 1);
      EXPECT_LT(test.p, 1e-6);
    } else {
      EXPECT_THAT(test.restriction, HasSubstr("one gammaN for all"));
    }
  }
  const auto loss = Compared(
      {MakeCandidate("chinchilla", "log-huber"), MakeCandidate("chinchilla-tied", "log-huber"),
       MakeCandidate("kaplan", "log-huber")},
      ChinchillaRuns(60, .005, 3));
  ASSERT_EQ(loss.nested.size(), 1);
  EXPECT_EQ(loss.nested[0].restricted, "chinchilla-tied");
  EXPECT_EQ(loss.nested[0].full, "chinchilla");
  EXPECT_EQ(loss.nested[0].restriction, "alpha = beta");
}

TEST(Nested, KnowsAFixedParameterAndABound) {
  const observe::Table table = QatRuns("w4a16", .03, 5);
  compare::Candidate held = MakeCandidate("qat-unified", "log-huber");
  held.name = "held";
  held.problem.fixed = {{"gammaG", 0}};
  const auto result = Compared({MakeCandidate("qat-unified", "log-huber"), held}, table);
  ASSERT_EQ(result.nested.size(), 1);
  EXPECT_EQ(result.nested[0].restriction, "gammaG = 0");
  EXPECT_TRUE(result.nested[0].on_bound);
  EXPECT_LE(result.nested[0].p_on_bound, result.nested[0].p);
  // The F of few runs is chi-squared for many.
  EXPECT_NEAR(compare::RatioTail(5, 2, 1000000, 4), compare::ChiSquaredTail(5, 2), 1e-4);
  EXPECT_GT(compare::RatioTail(5, 2, 20, 5), compare::ChiSquaredTail(5, 2));
}

TEST(WinMap, NamesTheFormThatPredictsARegion) {
  // The form without data fits budgets in the middle; at the ends it misses.
  const auto result = Compared(DeltaForms(), QatRuns("w4a16", .03, 5));
  ASSERT_EQ(result.win_maps.size(), 4);
  EXPECT_THAT(result.win_maps[0].columns, ElementsAre("N", "D", "G"));
  EXPECT_EQ(result.win_maps[0].regions.size(), 80);
  EXPECT_FALSE(result.win_maps[0].regions[0].clear);  // one run tells nothing
  const compare::WinMap& by_data = result.win_maps[2];
  ASSERT_EQ(by_data.regions.size(), 4);
  EXPECT_TRUE(by_data.relative);
  int64_t rows = 0;
  for (const compare::WinRegion& region : by_data.regions) rows += region.rows;
  EXPECT_EQ(rows, 80);
  for (size_t end : {0, 3}) {
    EXPECT_EQ(by_data.regions[end].winner, "qat-unified");
    EXPECT_TRUE(by_data.regions[end].clear);
    EXPECT_GT(by_data.regions[end].difference, 0);
  }
}

TEST(Robustness, FindsTheRunThatDecides) {
  // Truth without data, and a few runs that pretend an effect: one of them is far out.
  observe::Table table = QatRuns("w4a4", 0, 1);
  AddTarget(&table, *Law("qat-no-data"), {.9, .25, .6}, "delta", .02, 8);
  for (size_t row = 0; row < 80; ++row) {
    if (table.NumberAt(row, "D") == 100e9 && row == 79) {
      ASSERT_TRUE(table.SetNumber(row, "delta", 1.5 * table.NumberAt(row, "delta")).ok());
    }
  }
  compare::CompareOptions options;
  options.noise = compare::NoiseModel::kGaussian;
  const auto result = Compared(DeltaForms(), table, options);
  const compare::Robustness& robustness = result.robustness;
  EXPECT_EQ(robustness.examined_runs, 80);
  EXPECT_EQ(robustness.runs[0].row, 79);
  EXPECT_EQ(robustness.runs[0].where, "row 80");
  EXPECT_GT(std::abs(robustness.runs[0].shift), 1);
  EXPECT_EQ(robustness.runs[0].values.size(), result.ranking[0].fit.values.size());
  // Without it, the same as a comparison of the other rows.
  std::vector<size_t> rest;
  for (size_t row = 0; row < 79; ++row) rest.push_back(row);
  const auto without = Compared(DeltaForms(), table.Take(rest), options);
  const double gap =
      Form(without, result.ranking[1].name).aicc - Form(without, result.ranking[0].name).aicc;
  EXPECT_NEAR(robustness.runs[0].gap, gap, 1e-4);
  EXPECT_EQ(robustness.runs[0].first, without.ranking[0].name);
  // Least squares on logarithms does not survive such an outlier; the residuals say so.
  bool told = false;
  for (const std::string& note : robustness.notes) {
    told = told || note.find("speak against the density") != std::string::npos;
  }
  EXPECT_TRUE(told);
}

TEST(Robustness, LossesThatTheResidualsRefuteDoNotCount) {
  const auto result = Compared(DeltaForms(), QatRuns("w4a16", .1, 5));
  ASSERT_EQ(result.robustness.losses.size(), 5);
  for (const compare::Variant& variant : result.robustness.losses) {
    EXPECT_EQ(variant.aicc.size(), 2);
    // Noise is a share of δ: equal noise for all runs is refuted.
    if (variant.what.rfind("log", 0) != 0) {
      EXPECT_FALSE(variant.plausible) << variant.what;
    }
  }
  // The density of the ranking is not among them, and its criterion is that of its variant.
  const auto student = Compared({MakeCandidate("qat-unified", "log-least-squares"),
                                 MakeCandidate("qat-no-data", "log-student-t")},
                                QatRuns("w4a16", .1, 5));
  EXPECT_NEAR(student.ranking[0].aicc, result.ranking[0].aicc, 1e-4);
}

TEST(Robustness, CountsParametersOtherwise) {
  observe::Table table = QatRuns("w4a16", .03, 5);
  std::vector<double> total;
  for (size_t row = 0; row < 80; ++row) total.push_back(table.NumberAt(row, "N") + 77e6);
  ASSERT_TRUE(table.SetNumbers("N_total", total).ok());
  const auto result = Compared(DeltaForms(), table);
  ASSERT_EQ(result.robustness.sizes.size(), 1);
  EXPECT_EQ(result.robustness.sizes[0].what, "N = N_total");
  // The same as a comparison with that column in the place of N.
  auto forms = DeltaForms();
  for (compare::Candidate& form : forms) form.problem.columns["N"] = "N_total";
  const auto other = Compared(forms, table);
  EXPECT_NEAR(result.robustness.sizes[0].aicc[0], other.ranking[0].aicc, 1e-4);
  EXPECT_TRUE(other.robustness.sizes.empty());
  forms = DeltaForms();
  for (compare::Candidate& form : forms) form.recountable = false;
  EXPECT_TRUE(Compared(forms, table).robustness.sizes.empty());
}

TEST(Evidence, IsToldAndHasNoNan) {
  observe::Table table = QatRuns("w4a16", .03, 5);
  auto forms = DeltaForms();
  forms.push_back(MakeCandidate("qat-size-only", "log-huber"));
  const auto result = Compared(forms, table);
  EXPECT_EQ(result.verdict, compare::Verdict::kDecided) << result.sentence;
  EXPECT_THAT(result.sentence, HasSubstr("without any one run"));
  EXPECT_THAT(result.contenders, ElementsAre("qat-unified"));
  double shares = 0;
  for (const auto& form : result.ranking) shares += form.bootstrap_first;
  EXPECT_NEAR(shares, 1, 1e-12);
  // A form with 40 parameters gains nothing from runs that come twice.
  EXPECT_GT(result.ranking[0].bootstrap_first, .99);
  const std::string text = compare::Evidence(result);
  for (const char* part :
       {"Extrapolation: relative error", "  along compute",
        "qat-no-data is qat-unified with gammaD = "
        "0",
        "Best on held-out runs", "  by D: ", "Leaving out any one of 80 runs", "resamples"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_EQ(text.find("nan"), std::string::npos) << text;
  const auto json = compare::ToJson(result);
  EXPECT_EQ(json.dump().find("nan"), std::string::npos);
  EXPECT_EQ(json["win_maps"].size(), 4);
  EXPECT_EQ(json["robustness"]["runs"].size(), 80);
  EXPECT_EQ(json["ranking"][0]["extrapolation"][0]["axis"], "N");
}

// Threads change nothing.
TEST(Evidence, DoesNotDependOnThreads) {
  const observe::Table table = QatRuns("w4a16", .1, 6);
  compare::CompareOptions options;
  options.threads = 1;
  const auto one = compare::ToJson(Compared(DeltaForms(), table, options)).dump();
  options.threads = 3;
  EXPECT_EQ(compare::ToJson(Compared(DeltaForms(), table, options)).dump(), one);
}

}  // namespace
}  // namespace qatlas::testing
