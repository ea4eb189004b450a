// Covariates that rows may lack, and parameters that lean on them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/framework/fit/simulate.h"

namespace qatlas::testing {
namespace {

using ::testing::HasSubstr;

const double kMissing = std::nan("");

// Runs of the published `precision` law at these bits; no column for the key-value cache.
observe::Table RunsOfBits(const std::vector<double>& weights, const std::vector<double>& inputs) {
  observe::Table table = fit::Grid({{"N", {3e7, 2e8, 1.3e9}},
                                    {"D", {1e9, 1e10, 1e11}},
                                    {"weight_bits", weights},
                                    {"input_bits", inputs}});
  const auto form = Law("precision");
  AddTarget(&table, *form, Preset(*form, "kumar-2024"), "loss", 0, 1);
  return table;
}

TEST(Missing, ParameterThatNoRowNeedsIsLeftOut) {
  const auto problem =
      Pose("precision", RunsOfBits({kMissing, 2, 4}, {kMissing, 3, 8}), "log-least-squares");
  ASSERT_TRUE(problem.ok()) << problem.status();
  EXPECT_EQ(problem->coordinates(), 7);
  const auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_NEAR(Find(*fit, "gamma_w").value, 2.6745, 1e-3);
  EXPECT_NEAR(Find(*fit, "gamma_i").value, 2.2102, 1e-3);
  EXPECT_TRUE(problem->parameters()[7].unused);
  EXPECT_EQ(problem->parameters()[7].name, "gamma_kv");
  // Without the operand it predicts, with it it refuses.
  observe::Table table = fit::Grid({{"N", {1e8}}, {"D", {1e10}}, {"weight_bits", {3}}});
  EXPECT_TRUE(fit::Predict(*fit, table).ok());
  ASSERT_TRUE(table.SetNumbers("kv_bits", {4}).ok());
  EXPECT_THAT(std::string(fit::Predict(*fit, table).status().message()),
              HasSubstr("the row has kv_bits"));
}

TEST(Missing, HeldParameterIsKnownAllTheSame) {
  fit::ProblemOptions options;
  options.fixed["gamma_kv"] = .9578;
  const auto problem = Pose("precision", RunsOfBits({kMissing, 2, 4}, {kMissing, 3, 8}),
                            "log-least-squares", options);
  ASSERT_TRUE(problem.ok()) << problem.status();
  const auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok()) << fit.status();
  const observe::Table table =
      fit::Grid({{"N", {1e8}}, {"D", {1e10}}, {"weight_bits", {3}}, {"kv_bits", {4}}});
  const auto prediction = fit::Predict(*fit, table);
  ASSERT_TRUE(prediction.ok()) << prediction.status();
  const auto form = Law("precision");
  EXPECT_NEAR(prediction->value[0],
              ValueAt(*form, Preset(*form, "kumar-2024"), {1e8, 1e10, 3, kUnquantizedBits, 4}),
              1e-4);
}

TEST(Missing, TieToAParameterThatNoRowNeedsIsRefused) {
  fit::ProblemOptions options;
  options.tied["gamma_w"] = "gamma_kv";
  const auto problem = Pose("precision", RunsOfBits({kMissing, 2, 4}, {kMissing, 3, 8}),
                            "log-least-squares", options);
  EXPECT_THAT(std::string(problem.status().message()), HasSubstr("no row depends on"));
}

// A split parameter gets no category from rows that do not depend on it.
TEST(Missing, RowsWithoutTheCovariateMakeNoCategory) {
  observe::Table table = RunsOfBits({kMissing, 2, 4}, {kMissing});
  std::vector<std::string> label;
  for (size_t row = 0; row < table.rows(); ++row) {
    const double bits = table.NumberAt(row, "weight_bits");
    label.push_back(std::isnan(bits) ? "anything" : row % 2 == 0 ? "a" : "b");
  }
  ASSERT_TRUE(table.SetTexts("method", label).ok());
  fit::ProblemOptions options;
  options.per["gamma_w"] = {"method"};
  const auto problem = Pose("precision", table, "log-least-squares", options);
  ASSERT_TRUE(problem.ok()) << problem.status();
  std::vector<std::string> free;
  for (int i = 0; i < problem->coordinates(); ++i) free.push_back(problem->coordinate(i).name);
  EXPECT_THAT(free, ::testing::UnorderedElementsAre("A", "alpha", "B", "beta", "E", "gamma_w[a]",
                                                    "gamma_w[b]"));
}

TEST(Missing, WhatLeansOnAGivenCovariateIsNeeded) {
  observe::Table table = fit::Grid({{"N", {3e7, 2e8, 1e9}}, {"D", {1e9, 1e10, 1e11}}});
  const size_t rows = table.rows();
  std::vector<double> exponent(rows, 2), mantissa(rows, 1), group(rows, 32);
  exponent[0] = mantissa[0] = group[0] = kMissing;
  ASSERT_TRUE(table.SetNumbers("exponent_bits", exponent).ok());
  ASSERT_TRUE(table.SetNumbers("mantissa_bits", mantissa).ok());
  ASSERT_TRUE(table.SetNumbers("G", group).ok());
  const auto form = Law("floating-point");
  const auto read = fit::ReadCovariates(*form, {}, table);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ((*read)[2][0], 1);  // no group, no error
  EXPECT_EQ((*read)[2][1], 32);
  ASSERT_TRUE(table.SetNumber(3, "mantissa_bits", kMissing).ok());
  EXPECT_THAT(std::string(fit::ReadCovariates(*form, {}, table).status().message()),
              HasSubstr("row 4: mantissa_bits is missing"));
  ASSERT_TRUE(table.Drop("mantissa_bits").ok());
  EXPECT_THAT(std::string(fit::ReadCovariates(*form, {}, table).status().message()),
              HasSubstr("no column 'mantissa_bits'"));
}

TEST(Missing, ManyRowsThatLackAValueAreOneProblem) {
  const observe::Table table = RunsOfBits({kMissing, 4}, {8});
  const absl::Status status = fit::ReadCovariates(*Law("undertrained"), {}, table).status();
  EXPECT_EQ(std::string(status.message()),
            "row 1: weight_bits is missing, as in 9 of 18 rows; give it, or leave them out (--map "
            "'where=weight_bits > 0')");
}

TEST(Missing, LargestValuesAreKept) {
  observe::Table table = fit::Grid({{"N", {3e7}}, {"D", {1e9}}, {"weight_gmse", {1.5}}});
  EXPECT_THAT(
      std::string(fit::ReadCovariates(*Law("representation"), {}, table).status().message()),
      HasSubstr("weight_gmse = 1.5 is above"));
}

}  // namespace
}  // namespace qatlas::testing
