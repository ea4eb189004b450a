#include "framework/decompose/decompose.h"

#include <cmath>
#include <random>

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "framework/decompose/json.h"
#include "framework/observe/csv.h"

namespace qatlas::decompose {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

observe::Table Read(const std::string& text) {
  const auto table = observe::ParseCsv(text, "f");
  EXPECT_TRUE(table.ok()) << table.status();
  return *table;
}

constexpr char kHeader[] = "model,D,G,part,weight_bits,input_bits,seed,delta,delta_se\n";

Decomposition Split(const std::string& rows) {
  const auto result = Decompose(Read(kHeader + rows));
  EXPECT_TRUE(result.ok()) << result.status();
  return *result;
}

TEST(DecomposeTest, PartsAndRatiosByHand) {
  const Decomposition split = Split(
      "s,1e6,32,both,4,4,0,.058,.0003\n"
      "s,1e6,32,both,4,4,1,.062,.0005\n"
      "s,1e6,32,weights,4,16,0,.019,.0002\n"
      "s,1e6,32,weights,4,16,1,.021,.0002\n"
      "s,1e6,32,inputs,16,4,0,.039,.0002\n"
      "s,1e6,32,inputs,16,4,1,.041,.0002\n"
      "s,1e6,32,fc2-8bit,4,4,0,.044,.0002\n"
      "s,1e6,32,fc2-8bit,4,4,1,.046,.0002\n");
  ASSERT_EQ(split.cells.size(), 1u);
  const Cell& cell = split.cells[0];
  EXPECT_TRUE(cell.missing.empty());
  EXPECT_NEAR(cell.both->value, .06, 1e-15);
  EXPECT_NEAR(cell.both->evaluation_se, .0004, 1e-15);
  EXPECT_EQ(cell.both->seeds, 2);
  // Squares: 8e-6 + 3 * 2e-6 over 4 degrees of freedom; the mean of two seeds has half.
  EXPECT_NEAR(split.parts.seed_variance.variance, 3.5e-6, 1e-18);
  EXPECT_EQ(split.parts.seed_variance.degrees_of_freedom, 4);
  EXPECT_NEAR(cell.both->training_se, std::sqrt(3.5e-6 / 2), 1e-12);
  EXPECT_NEAR(cell.inputs_to_weights->value, 2, 1e-12);
  EXPECT_NEAR(cell.additivity->value, 1, 1e-12);
  EXPECT_NEAR(cell.fc2_relief->value, .25, 1e-12);
  EXPECT_EQ(cell.additivity->basis, Basis::kTotal);
  EXPECT_EQ(cell.fc2_relief->method, RatioMethod::kDelta);
}

TEST(DecomposeTest, MissingPartsAreNamedNeverZero) {
  const Decomposition split = Split("s,1e6,32,both,4,4,0,.06,\ns,1e6,32,weights,4,,0,.02,\n");
  const Cell& cell = split.cells[0];
  EXPECT_THAT(cell.missing, ElementsAre("inputs", "fc2-8bit"));
  EXPECT_FALSE(cell.inputs.has_value());
  EXPECT_FALSE(cell.inputs_to_weights.has_value());
  EXPECT_FALSE(cell.additivity.has_value());
  const auto json = ToJson(split);
  EXPECT_TRUE(json["cells"][0]["inputs"].is_null());
  EXPECT_TRUE(json["cells"][0]["additivity"].is_null());
  EXPECT_TRUE(json["cells"][0]["both"]["total_se"].is_null());
  EXPECT_EQ(json["cells"][0]["both"]["value"], .06);
  EXPECT_EQ(json["cells"][0]["cell"]["model"], "s");
}

TEST(DecomposeTest, OneSeedLeavesTheTrainingErrorUnknown) {
  const Decomposition split = Split("s,1e6,32,both,4,4,0,.06,.001\ns,2e6,32,both,4,4,0,.09,.001\n");
  EXPECT_TRUE(std::isnan(split.cells[0].both->training_se));
  EXPECT_EQ(split.cells[0].both->evaluation_se, .001);
  EXPECT_THAT(split.notes, ElementsAre(HasSubstr("The training error is unknown")));
  ASSERT_EQ(split.trends.steps.size(), 1u);
  EXPECT_EQ(split.trends.steps[0].verdict, Verdict::kErrorUnknown);
  EXPECT_EQ(split.trends.summaries[0].error_unknown, 1);
}

TEST(DecomposeTest, NegativeAndZeroDeltas) {
  const Decomposition split = Split(
      "s,1e6,32,both,8,8,0,-.0004,\ns,1e6,32,both,8,8,1,.0002,\n"
      "s,1e6,32,weights,8,,0,.0001,\ns,1e6,32,weights,8,,1,-.0001,\n"
      "s,1e6,32,inputs,,8,0,-.0002,\ns,1e6,32,inputs,,8,1,.0001,\n");
  const Cell& cell = split.cells[0];
  EXPECT_NEAR(cell.both->value, -.0001, 1e-12);
  EXPECT_EQ(cell.weights->value, 0);
  EXPECT_TRUE(std::isnan(cell.inputs_to_weights->value));
  EXPECT_EQ(cell.inputs_to_weights->note, "the denominator is zero");
  EXPECT_EQ(cell.additivity->method, RatioMethod::kUnbounded);
  const auto json = ToJson(split);
  EXPECT_EQ(json["cells"][0]["additivity"]["method"], "unbounded");
  EXPECT_TRUE(json["cells"][0]["additivity"]["low"].is_null());
}

TEST(DecomposeTest, RolesFromBothSides) {
  const Decomposition split = Split(
      "s,1e6,32,both,3,3,0,.06,.001\n"
      "s,1e6,32,only:fc2,3,3,0,.03,.001\n"
      "s,1e6,32,not:fc2,3,3,0,.035,.001\n"
      "s,1e6,32,only:qkv,3,3,0,.012,.001\n");
  const Cell& cell = split.cells[0];
  ASSERT_EQ(cell.roles.size(), 2u);
  EXPECT_EQ(cell.roles[0].role, "fc2");
  EXPECT_NEAR(cell.roles[0].only->value, .03, 1e-15);
  EXPECT_NEAR(cell.roles[0].without->value, .025, 1e-15);
  EXPECT_NEAR(cell.roles[0].without->evaluation_se, std::sqrt(2) * .001, 1e-12);
  EXPECT_FALSE(cell.roles[1].without.has_value());
  EXPECT_THAT(cell.missing, ElementsAre("weights", "inputs", "fc2-8bit", "not:qkv"));
  EXPECT_THAT(cell.only_sum->roles, ElementsAre("fc2", "qkv"));
  EXPECT_NEAR(cell.only_sum->sum.value, .042, 1e-15);
  EXPECT_NEAR(cell.only_sum->of_both->value, .7, 1e-12);
  EXPECT_THAT(cell.without_sum->roles, ElementsAre("fc2"));
}

TEST(DecomposeTest, CellsByBits) {
  // Weights at 4 bits belong to W4A4 and W4A8; weights at 2 bits stand alone; nominal bits of the
  // unquantized operand do not matter.
  const Decomposition split = Split(
      "s,1,32,both,4,4,0,.06,\ns,1,32,both,4,8,0,.03,\ns,1,32,weights,4,4,0,.02,\n"
      "s,1,32,inputs,16,4,0,.05,\ns,1,32,weights,2,16,0,.2,\ns,1,64,inputs,,3,0,.07,\n"
      "s,1,64,weights,3,,0,.03,\n");
  ASSERT_EQ(split.cells.size(), 4u);
  EXPECT_EQ(split.cells[0].weights->value, .02);
  EXPECT_EQ(split.cells[1].weights->value, .02);
  EXPECT_THAT(split.cells[1].missing, ElementsAre("inputs", "fc2-8bit"));
  EXPECT_EQ(split.cells[2].weight_bits, 2);
  EXPECT_TRUE(std::isnan(split.cells[2].input_bits));
  EXPECT_NEAR(split.cells[3].inputs_to_weights->value, .07 / .03, 1e-12);
}

TEST(DecomposeTest, BitsFromTheLabelAndPartsFromTheBits) {
  const auto split = Decompose(
      Read("model,precision,delta\ns,W4A4,.06\ns,W4A16,.02\ns,W16A4,.04\ns,W16A16,0\ns,,.1\n"));
  ASSERT_TRUE(split.ok()) << split.status();
  ASSERT_EQ(split->cells.size(), 1u);
  EXPECT_NEAR(split->cells[0].inputs_to_weights->value, 2, 1e-12);
}

TEST(DecomposeTest, QuantizersAreCellsOfTheirOwn) {
  const auto split =
      Decompose(Read("model,quantizer,part,weight_bits,input_bits,seed,delta\n"
                     "s,int,both,4,4,0,.06\ns,int,weights,4,,0,.02\ns,int,inputs,,4,0,.04\n"
                     "s,int,fc2-8bit,4,4,0,.045\n"
                     "s,lsq,both,4,4,0,.05\ns,lsq,weights,4,,0,.02\ns,lsq,inputs,,4,0,.02\n"));
  ASSERT_TRUE(split.ok()) << split.status();
  ASSERT_EQ(split->cells.size(), 2u);
  EXPECT_TRUE(split->cells[0].missing.empty());
  EXPECT_NEAR(split->cells[0].inputs_to_weights->value, 2, 1e-12);
  EXPECT_NEAR(split->cells[0].fc2_relief->value, .25, 1e-12);
  EXPECT_THAT(split->cells[1].missing, ElementsAre("fc2-8bit"));
  EXPECT_NEAR(split->cells[1].inputs_to_weights->value, 1, 1e-12);
  EXPECT_NEAR(split->cells[1].additivity->value, 1.25, 1e-12);
}

TEST(DecomposeTest, PartsMeetWhereWeightsAndInputsHaveTheirOwnQuantizers) {
  const auto split =
      Decompose(Read("model,quantizer,granularity,part,weight_bits,input_bits,seed,delta\n"
                     "s,lsq+int,per-channel+token,both,4,4,0,.06\n"
                     "s,lsq,per-channel,weights,4,,0,.01\ns,int,per-token,inputs,,4,0,.04\n"
                     "s,int,per-channel,weights,4,,0,.02\n"
                     "s,int,per-channel+token,both,4,4,0,.09\n"));
  ASSERT_TRUE(split.ok()) << split.status();
  ASSERT_EQ(split->cells.size(), 2u);
  EXPECT_NEAR(split->cells[0].inputs_to_weights->value, 4, 1e-12);
  EXPECT_NEAR(split->cells[0].additivity->value, 1.2, 1e-12);
  EXPECT_NEAR(split->cells[1].inputs_to_weights->value, 2, 1e-12);
  EXPECT_NEAR(split->cells[1].additivity->value, 1.5, 1e-12);
  // The same run, whether its row names both quantizers or the one that it used.
  const auto twice =
      Decompose(Read("model,quantizer,part,weight_bits,input_bits,seed,delta\n"
                     "s,lsq+int,weights,4,,0,.01\ns,lsq,weights,4,,0,.01\n"));
  EXPECT_THAT(std::string(twice.status().message()), HasSubstr("two rows of one cell"));
}

TEST(DecomposeTest, ASchemeOfOneOperandHasNoBitsOfTheOther) {
  // As runs of ours are written: part `both` is all that the scheme quantizes.
  const Decomposition split =
      Split("s,1e6,32,both,1.585,,0,.06,\ns,1e6,32,both,4,,0,.02,\ns,1e6,32,only:fc2,4,,0,.01,\n");
  ASSERT_EQ(split.cells.size(), 2u);
  EXPECT_EQ(split.cells[0].weight_bits, 1.585);
  EXPECT_TRUE(std::isnan(split.cells[0].input_bits));
  EXPECT_NEAR(split.cells[0].weights->value, .06, 1e-15);
  EXPECT_FALSE(split.cells[0].both.has_value());
  EXPECT_NEAR(split.cells[1].weights->value, .02, 1e-15);
  const Decomposition inputs = Split("s,1e6,32,both,,8,0,.03,\n");
  EXPECT_NEAR(inputs.cells[0].inputs->value, .03, 1e-15);
}

TEST(DecomposeTest, BadRowsAreReportedTogether) {
  const auto split =
      Decompose(Read(std::string(kHeader) +
                     "s,1,32,both,4,4,0,.06,\ns,1,32,both,4,4,0,.07,\ns,1,32,wieghts,4,4,0,.07,\n"
                     "s,1,32,inputs,4,,0,.07,\n"));
  EXPECT_THAT(std::string(split.status().message()),
              AllOf(HasSubstr("f:2 and f:3: two rows of one cell, part 'both' and seed"),
                    HasSubstr("f:4: part 'wieghts' is unknown"),
                    HasSubstr("f:5: the bits of part 'inputs' are not given")));
  EXPECT_EQ(Decompose(Read("model,loss\ns,1\n")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(Decompose(Read("model,part,delta\ns,none,\n")).status().message()),
              HasSubstr("no quantized row has a delta"));
}

constexpr char kSchemes[] =
    "model,N,D,scheme,options,part,weight_bits,input_bits,fc2_input_bits,seed,loss,delta\n";

// Two schemes of one grid that differ in FC2's input alone, with parts of the first.
TEST(DecomposeTest, Fc2InputBitsMakeCells) {
  const auto split =
      Decompose(Read(std::string(kSchemes) + "s,1,9,w4a4,,both,4,4,4,1,3.1,.06\n"
                                             "s,1,9,fc2,,both,4,4,8,1,3.05,.05\n"
                                             "s,1,9,w4a4,,weights,4,,,1,3.02,.02\n"
                                             "s,1,9,w4a4,,inputs,,4,4,1,3.04,.04\n"
                                             "s,1,9,w4a4,,fc2-8bit,4,4,8,1,3.045,.045\n"
                                             "s,1,9,w4a4,,only:qkv,4,4,4,1,3.01,.01\n"
                                             "s,1,9,w4a4,,only:fc2,4,4,4,1,3.03,.03\n"));
  ASSERT_TRUE(split.ok()) << split.status();
  EXPECT_EQ(split->parts.cell_columns.back(), "fc2_input_bits");
  ASSERT_EQ(split->cells.size(), 2u);
  const Cell &uniform = split->cells[0], &mixed = split->cells[1];
  EXPECT_NEAR(uniform.additivity->value, 1, 1e-12);
  EXPECT_NEAR(uniform.fc2_relief->value, .25, 1e-12);
  EXPECT_EQ(uniform.roles.size(), 2u);
  EXPECT_EQ(mixed.both->value, .05);
  EXPECT_EQ(std::get<double>(mixed.key.back().second), 8);
  // What does not depend on FC2's input is the same run for both.
  EXPECT_EQ(mixed.weights->value, .02);
  ASSERT_EQ(mixed.roles.size(), 1u);
  EXPECT_EQ(mixed.roles[0].role, "qkv");
  EXPECT_FALSE(mixed.inputs.has_value());
}

TEST(DecomposeTest, SchemeAndOptionsTellCellsApartWhereRowsCollide) {
  const auto split = Decompose(Read(std::string(kSchemes) + "s,1,9,a,clip=x,both,4,4,4,1,3.1,.06\n"
                                                            "s,1,9,a,clip=y,both,4,4,4,1,3.1,.07\n"
                                                            "s,1,9,a,clip=y,inputs,,4,4,1,3.1,.03\n"
                                                            "s,1,9,b,,both,4,4,4,1,3.1,.05\n"
                                                            "s,1,9,w,,weights,4,,,1,3.1,.02\n"));
  ASSERT_TRUE(split.ok()) << split.status();
  ASSERT_EQ(split->cells.size(), 3u);
  for (const Cell& cell : split->cells) EXPECT_EQ(cell.weights->value, .02);
  EXPECT_FALSE(split->cells[0].inputs.has_value());
  EXPECT_EQ(split->cells[1].inputs->value, .03);
  EXPECT_EQ(split->cells[2].both->value, .05);
  // Where nothing collides a table with the column has the cells of one without it.
  const auto plain = Decompose(Read(std::string(kSchemes) + "s,1,9,a,,both,4,4,4,1,3.1,.06\n"
                                                            "s,1,9,w,,weights,4,,,1,3.1,.02\n"));
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_THAT(plain->parts.cell_columns, ElementsAre("model", "N", "D"));
}

TEST(DecomposeTest, CollidingCellsAloneAreLeftOutAndRepeatedRunsCountOnce) {
  const auto split = Decompose(Read(std::string(kSchemes) + "s,1,9,a,,both,4,4,4,1,3.1,.06\n"
                                                            "s,1,9,a,,both,4,4,4,1,3.2,.07\n"
                                                            "s,1,9,a,,weights,4,,,1,3.1,.02\n"
                                                            "s,1,9,a,,wieghts,4,,,1,3.1,.02\n"
                                                            "s,1,8,a,,both,4,4,4,1,3.1,.05\n"
                                                            "s,1,8,b,,both,4,4,4,1,3.1,.05\n"));
  ASSERT_TRUE(split.ok()) << split.status();
  ASSERT_EQ(split->parts.deltas.size(), 2u);
  EXPECT_EQ(split->parts.deltas[0].part, "weights");
  EXPECT_EQ(split->parts.deltas[1].seeds.size(), 1u);
  EXPECT_THAT(split->notes,
              ::testing::Contains(AllOf(
                  HasSubstr("3 rows were left out"), HasSubstr("f:2 and f:3: two rows of one"),
                  HasSubstr("--map scheme=COLUMN"), HasSubstr("first of 2 such problems"))));
  EXPECT_THAT(split->notes, ::testing::Contains(HasSubstr("1 row is the same run as another")));
}

TEST(DecomposeTest, TotalErrorsCoverTheTruth) {
  // 200 studies of 6 cells with 3 seeds: truth within 2 pooled errors about 95% of the time.
  std::mt19937 random(11);
  std::normal_distribution<double> training(0, .002);
  int covered = 0, all = 0;
  for (int study = 0; study < 200; ++study) {
    observe::Table table;
    for (int cell = 0; cell < 6; ++cell) {
      for (int seed = 0; seed < 3; ++seed) {
        ASSERT_TRUE(table
                        .Append({{"model", std::string("s")},
                                 {"D", 1.0 + cell},
                                 {"part", std::string("both")},
                                 {"precision", std::string("W4A4")},
                                 {"seed", static_cast<double>(seed)},
                                 {"delta", .01 * cell + training(random)},
                                 {"delta_se", 0.0}})
                        .ok());
      }
    }
    const auto split = Decompose(table);
    ASSERT_TRUE(split.ok());
    for (int cell = 0; cell < 6; ++cell) {
      const Estimate& both = *split->cells[cell].both;
      covered += std::abs(both.value - .01 * cell) <= 2 * both.total_se();
      ++all;
    }
  }
  EXPECT_NEAR(static_cast<double>(covered) / all, .94, .025);
}

}  // namespace
}  // namespace qatlas::decompose
