#include "framework/observe/pairs.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "framework/observe/csv.h"

namespace qatlas::observe {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Table Read(const std::string& text) {
  const auto table = ParseCsv(text, "f");
  EXPECT_TRUE(table.ok()) << table.status();
  return *table;
}

TEST(PairsTest, PairsByModelDataAndSeed) {
  const auto pairing =
      PairRuns(Read("run,model,D,seed,scheme,loss,loss_se\n"
                    "q0,s,1e6,0,w4,3.25,.04\n"
                    "b0,s,1e6,0,fp,3.0,.03\n"
                    "q1,s,1e6,1,w4,3.5,\n"
                    "b1,s,1e6,1,,3.0,.03\n"
                    "x,s,2e6,0,w4,2.9,\n"));
  ASSERT_TRUE(pairing.ok()) << pairing.status();
  EXPECT_THAT(pairing->quantized, ElementsAre(0, 2));
  EXPECT_THAT(pairing->full_precision, ElementsAre(1, 3));
  EXPECT_THAT(pairing->matched_by, ElementsAre("model", "D", "seed"));
  EXPECT_EQ(pairing->table.NumberAt(0, "delta"), .25);
  EXPECT_DOUBLE_EQ(pairing->table.NumberAt(0, "delta_se"), .05);
  EXPECT_EQ(pairing->table.TextAt(0, "baseline"), "b0");
  EXPECT_EQ(pairing->table.NumberAt(2, "delta"), .5);
  EXPECT_TRUE(std::isnan(pairing->table.NumberAt(2, "delta_se")));
  EXPECT_TRUE(std::isnan(pairing->table.NumberAt(1, "delta")));
  ASSERT_EQ(pairing->unpaired.size(), 1u);
  EXPECT_EQ(pairing->unpaired[0].row, 4u);
  EXPECT_EQ(pairing->unpaired[0].reason,
            "f:6 (run 'x'): no full-precision row with model 's', D 2000000, seed 0");
  EXPECT_EQ(pairing->Deltas().rows(), 2u);
}

TEST(PairsTest, TwoBaselinesAreAnErrorThatNamesBoth) {
  const auto pairing = PairRuns(
      Read("run,model,D,seed,scheme,loss\nb,s,1,0,fp,3\nc,s,1,0,fp,3.1\nq,s,1,0,w4,3.2\n"));
  EXPECT_THAT(std::string(pairing.status().message()),
              AllOf(HasSubstr("f:4 (run 'q'): two full-precision rows fit"),
                    HasSubstr("f:2 (run 'b') and f:3 (run 'c')")));
  // Not an error where no row needs them.
  EXPECT_TRUE(PairRuns(Read("model,D,scheme,loss\ns,1,fp,3\ns,1,fp,3.1\nt,1,w4,3.2\n")).ok());
}

TEST(PairsTest, GivenDeltasAndBaselinesStand) {
  const Table table = Read(
      "run,model,D,scheme,loss,baseline,delta,delta_se\n"
      "b,s,1,fp,3,,,\nc,s,1,fp,3.5,,,\nq,s,1,w4,4,c,,\nr,s,1,w4,4,,.7,.01\n");
  const auto pairing = PairRuns(table);
  ASSERT_TRUE(pairing.ok()) << pairing.status();
  EXPECT_EQ(pairing->table.NumberAt(2, "delta"), .5);
  EXPECT_EQ(pairing->table.NumberAt(3, "delta"), .7);
  EXPECT_EQ(pairing->table.NumberAt(3, "delta_se"), .01);
  PairingRule again;
  again.recompute = true;
  EXPECT_FALSE(PairRuns(table, again).ok());  // r then fits both b and c.
}

TEST(PairsTest, UnknownBaselineIsAnError) {
  const auto pairing =
      PairRuns(Read("run,model,D,scheme,loss,baseline\nb,s,1,fp,3,\nq,s,1,w4,4,nope\n"));
  EXPECT_THAT(std::string(pairing.status().message()),
              HasSubstr("f:3 (run 'q'): its baseline 'nope' is the run of no row"));
}

TEST(PairsTest, FailedRunsAreListed) {
  const auto pairing = PairRuns(Read(
      "N,D,seed,part,loss\n1,1,0,none,\n1,1,0,both,3\n2,1,0,none,3\n2,1,0,both,\n2,1,,both,4\n"));
  ASSERT_TRUE(pairing.ok()) << pairing.status();
  EXPECT_THAT(pairing->matched_by, ElementsAre("N", "D", "seed"));
  ASSERT_EQ(pairing->unpaired.size(), 3u);
  EXPECT_THAT(pairing->unpaired[0].reason, HasSubstr("its full-precision row f:2 has no loss"));
  EXPECT_THAT(pairing->unpaired[1].reason, HasSubstr("f:5: it has no loss"));
  EXPECT_THAT(pairing->unpaired[2].reason, HasSubstr("f:6: its seed is missing"));
  EXPECT_TRUE(pairing->quantized.empty());
}

TEST(PairsTest, RuleIsConfigurable) {
  PairingRule rule;
  rule.match = {"tokens", "width"};
  rule.full_precision = "contains(quantizer, 'No')";
  rule.loss = "train_loss";
  const auto pairing = PairRuns(
      Read("tokens,width,quantizer,train_loss\n1,8,No,3\n1,16,No,2\n1,16,FP4,2.25\n"), rule);
  ASSERT_TRUE(pairing.ok()) << pairing.status();
  EXPECT_EQ(pairing->table.NumberAt(2, "delta"), .25);
  EXPECT_FALSE(pairing->table.Has("baseline"));
}

TEST(PairsTest, WhatCannotBeToldIsSaid) {
  EXPECT_THAT(std::string(PairRuns(Read("N,D,los\n1,2,3\n")).status().message()),
              AllOf(HasSubstr("cannot tell which rows are full precision"),
                    HasSubstr("no column 'loss'; did you mean 'los'?")));
  EXPECT_THAT(std::string(PairRuns(Read("scheme,loss\nfp,3\n")).status().message()),
              AllOf(HasSubstr("no column 'N'"), HasSubstr("no column 'D'")));
}

}  // namespace
}  // namespace qatlas::observe
