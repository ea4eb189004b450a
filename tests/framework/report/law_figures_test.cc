// What a law's section shows beyond its ranking: evidence, uncertainty, checklist.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "framework/report/law_tables.h"
#include "tests/framework/report/study.h"

namespace qatlas::report {
namespace {

using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;

class LawFiguresTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    study_ = new Study(PaperStudy());
    CompareLaws(study_);
    page_ = new Page(MakePage(study_->inputs));
    for (const Section& section : page_->sections) {
      if (section.id == "laws-delta") section_ = &section;
    }
  }
  static const Figure* FindFigure(const std::string& id) {
    for (const Figure& figure : section_->figures) {
      if (figure.id == id) return &figure;
    }
    return nullptr;
  }
  static const ShownTable* FindTable(const std::string& id) {
    for (const ShownTable& table : section_->tables) {
      if (table.id == id) return &table;
    }
    return nullptr;
  }
  static const compare::Comparison& Compared() { return study_->inputs.laws[0].comparison; }

  static Study* study_;
  static Page* page_;
  static const Section* section_;
};
Study* LawFiguresTest::study_ = nullptr;
Page* LawFiguresTest::page_ = nullptr;
const Section* LawFiguresTest::section_ = nullptr;

TEST_F(LawFiguresTest, EveryFigureSaysWhatToSeeAndHasItsData) {
  ASSERT_NE(section_, nullptr);
  std::set<std::string> ids;
  for (const Figure& figure : section_->figures) {
    ids.insert(figure.id);
    EXPECT_FALSE(figure.title.empty()) << figure.id;
    EXPECT_FALSE(figure.reading.empty()) << figure.id;
    EXPECT_GT(figure.data.rows(), 0u) << figure.id;
    EXPECT_THAT(figure.traces.dump(), Not(HasSubstr("nan"))) << figure.id;
  }
  EXPECT_THAT(
      ids, IsSupersetOf({"laws-delta-win-map", "laws-delta-extrapolation", "laws-delta-influence",
                         "laws-delta-profiles", "laws-delta-pairs", "laws-delta-surface"}));
}

TEST_F(LawFiguresTest, WinMapNamesTheFormOfTheLeastError) {
  const Figure& figure = *FindFigure("laws-delta-win-map");
  std::map<std::pair<std::string, double>, std::pair<double, std::string>> best;
  for (size_t i = 0; i < figure.data.rows(); ++i) {
    const double rmse = figure.data.NumberAt(i, "rmse");
    auto& entry = best.try_emplace({std::string(figure.data.TextAt(i, "column")),
                                    figure.data.NumberAt(i, "low")},
                                   INFINITY, "")
                      .first->second;
    if (rmse < entry.first) entry = {rmse, std::string(figure.data.TextAt(i, "form"))};
  }
  for (size_t i = 0; i < figure.data.rows(); ++i) {
    const auto& entry =
        best[{std::string(figure.data.TextAt(i, "column")), figure.data.NumberAt(i, "low")}];
    EXPECT_EQ(figure.data.TextAt(i, "best"), entry.second);
  }
}

TEST_F(LawFiguresTest, ProfilesCrossTheCutAtTheEndsOfTheInterval) {
  const Figure& figure = *FindFigure("laws-delta-profiles");
  const fit::FitResult& fit = Compared().ranking.front().fit;
  int closed = 0;
  for (const fit::Estimate& estimate : fit.estimates) {
    if (estimate.fixed || estimate.below != fit::End::kClosed) continue;
    // Between the last point above the cut and the first below it lies the lower end.
    double above = -INFINITY;
    double inside = INFINITY;
    for (size_t i = 0; i < figure.data.rows(); ++i) {
      if (figure.data.TextAt(i, "parameter") != estimate.name) continue;
      const double value = figure.data.NumberAt(i, "value");
      if (value >= estimate.value) continue;
      if (figure.data.NumberAt(i, "likelihood_ratio") > figure.data.NumberAt(i, "cut")) {
        above = std::max(above, value);
      } else {
        inside = std::min(inside, value);
      }
    }
    const double slack = .01 * (estimate.value - estimate.interval.low);
    EXPECT_LE(above, estimate.interval.low + slack) << estimate.name;
    EXPECT_GE(inside, estimate.interval.low - slack) << estimate.name;
    ++closed;
  }
  EXPECT_GT(closed, 1);
}

TEST_F(LawFiguresTest, PairsCarryTheCorrelationOfTheFit) {
  const Figure& figure = *FindFigure("laws-delta-pairs");
  const fit::FitResult& fit = Compared().ranking.front().fit;
  const int p = fit.problem->coordinates();
  ASSERT_GE(p, 2);
  const double r = fit.covariance[1] / std::sqrt(fit.covariance[0] * fit.covariance[p + 1]);
  EXPECT_EQ(figure.data.TextAt(0, "first"), fit.problem->coordinate(0).name);
  EXPECT_EQ(figure.data.TextAt(0, "second"), fit.problem->coordinate(1).name);
  EXPECT_NEAR(figure.data.NumberAt(0, "correlation"), r, 1e-12);
  // The ring passes through the point one joint radius away along the first axis.
  double furthest = 0;
  for (const auto& x : figure.traces[0]["x"]) {
    const double u = fit.problem->coordinate(0).log ? std::log(x.get<double>()) : x.get<double>();
    furthest = std::max(furthest, std::abs(u - fit.coordinates[0]));
  }
  EXPECT_NEAR(furthest, std::sqrt(-2 * std::log(.05) * fit.covariance[0]), 1e-9 + 1e-3 * furthest);
}

TEST_F(LawFiguresTest, ChecklistAnswersEveryQuestion) {
  const ShownTable* table = FindTable("laws-delta-checklist");
  ASSERT_NE(table, nullptr);
  EXPECT_GT(table->data.rows(), 18u);
  std::map<std::string, std::string> answers;
  for (size_t i = 0; i < table->data.rows(); ++i) {
    EXPECT_FALSE(table->data.TextAt(i, "answer").empty()) << table->data.TextAt(i, "question");
    answers[std::string(table->data.TextAt(i, "question"))] =
        std::string(table->data.TextAt(i, "answer"));
  }
  EXPECT_THAT(answers["Over which range?"], HasSubstr("(4 levels)"));
  EXPECT_THAT(answers["How many parameters are free?"], HasSubstr("on 80 runs"));
  EXPECT_THAT(answers["How was the learning rate chosen at each size?"],
              HasSubstr("not in the table"));
  EXPECT_THAT(answers["Do the runs determine the parameters?"], HasSubstr("yes (condition"));
}

TEST_F(LawFiguresTest, OtherWaysToFitAreListed) {
  const ShownTable* table = FindTable("laws-delta-robustness");
  ASSERT_NE(table, nullptr);
  EXPECT_EQ(table->data.rows(),
            Compared().robustness.losses.size() + Compared().robustness.sizes.size());
  EXPECT_NE(FindTable("laws-delta-nested") != nullptr, Compared().nested.empty());
}

// One parameter without a limit does not take the others' intervals from them.
TEST_F(LawFiguresTest, IntervalsAreBlankOnlyWhereTheyAreOpen) {
  compare::Comparison comparison = Compared();
  fit::FitResult& fit = comparison.ranking[0].fit;
  ASSERT_GE(fit.estimates.size(), 2u);
  fit.identifiability.identifiable = false;
  fit.estimates[0].above = fit::End::kOpen;
  fit.estimates[0].interval.high = std::numeric_limits<double>::infinity();
  const ShownTable table = ParameterTable("t", comparison);
  EXPECT_EQ(table.shown.TextAt(0, "note"), "not identifiable");
  EXPECT_THAT(std::string(table.shown.TextAt(0, "95% interval")), HasSubstr(" to ∞"));
  EXPECT_EQ(table.shown.TextAt(1, "note"), "");
  EXPECT_EQ(table.data.NumberAt(1, "low"), fit.estimates[1].interval.low);
  EXPECT_THAT(std::string(table.shown.TextAt(1, "95% interval")), Not(HasSubstr("∞")));
  // Where another optimum is as good no interval is worth the name.
  fit.estimates[0].above = fit::End::kClosed;
  fit.estimates[0].interval.high = 1;
  const ShownTable blank = ParameterTable("t", comparison);
  EXPECT_TRUE(std::isnan(blank.data.NumberAt(1, "low")));
  EXPECT_EQ(blank.shown.TextAt(1, "note"), "not identifiable");
}

TEST_F(LawFiguresTest, NumbersOfACategorySayWhatTheyCount) {
  const fit::FitResult& fitted = Compared().ranking[0].fit;
  const std::string parameter = fitted.estimates[0].parameter;
  fit::ProblemOptions options;
  options.per = {{parameter, {"D", "G"}}};
  const auto problem = fit::Problem::Create(fitted.problem->shared_form(), "law",
                                            study_->inputs.observations, options);
  ASSERT_TRUE(problem.ok()) << problem.status();
  fit::FitResult result;
  result.problem = std::make_shared<const fit::Problem>(*problem);
  EXPECT_EQ(ParameterLabel(result, parameter, "131072, 16", "name"),
            parameter + "[D 131072, G 16]");
  EXPECT_EQ(ParameterLabel(result, parameter, "W4A4, 16", "name"), parameter + "[W4A4, G 16]");
  EXPECT_EQ(ParameterLabel(result, parameter, "", "name"), "name");
}

}  // namespace
}  // namespace qatlas::report
