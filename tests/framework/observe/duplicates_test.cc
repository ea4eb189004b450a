#include "framework/observe/duplicates.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "framework/observe/csv.h"

namespace qatlas::observe {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Table Parse(const std::string& text) {
  const auto table = ParseCsv(text, "t.csv");
  EXPECT_TRUE(table.ok()) << table.status();
  return *table;
}

constexpr char kTwice[] =
    "run,N,D,seed,loss\n"
    "a,1e6,1e8,0,3.5\n"
    "b,2e6,1e8,0,3.1\n"
    "a,1e6,1e8,0,3.5\n"
    "c,2e6,,,-0\n"
    "a,1e6,1e8,0,3.5\n"
    "c,2e6,NA,,0\n"
    "d,1e6,1e8,0,3.5\n";

TEST(DuplicatesTest, RowsThatAgreeEverywhereAreFound) {
  EXPECT_THAT(ExactDuplicates(Parse(kTwice)), ElementsAre(ElementsAre(0, 2, 4), ElementsAre(3, 5)));
  EXPECT_THAT(ExactDuplicates(Parse("N,loss\n1,2\n2,2\n")), IsEmpty());
  EXPECT_THAT(ExactDuplicates(Parse("N,loss\n")), IsEmpty());
  EXPECT_THAT(ExactDuplicates(Table()), IsEmpty());
}

TEST(DuplicatesTest, MergingKeepsTheFirstAndSaysSo) {
  const auto merged = ApplyDuplicateRule(Parse(kTwice), DuplicateRule::kMerge);
  ASSERT_TRUE(merged.ok());
  EXPECT_EQ(merged->removed, 3u);
  ASSERT_EQ(merged->table.rows(), 4u);
  EXPECT_EQ(merged->table.Where(0), "t.csv:2");
  EXPECT_EQ(merged->table.Where(3), "t.csv:8");  // another run: no duplicate
  EXPECT_THAT(merged->notes,
              ElementsAre(AllOf(HasSubstr("3 rows repeat"), HasSubstr("t.csv:2, t.csv:4, t.csv:6"),
                                HasSubstr("(t.csv:5, t.csv:7)"), HasSubstr("first of each"))));
}

TEST(DuplicatesTest, TheOtherRules) {
  const auto kept = ApplyDuplicateRule(Parse(kTwice), DuplicateRule::kKeep);
  ASSERT_TRUE(kept.ok());
  EXPECT_EQ(kept->table.rows(), 7u);
  EXPECT_THAT(kept->notes, ElementsAre(HasSubstr("count as separate runs")));
  const auto refused = ApplyDuplicateRule(Parse(kTwice), DuplicateRule::kRefuse);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("t.csv:4"));
  EXPECT_TRUE(ApplyDuplicateRule(Parse("N\n1\n2\n"), DuplicateRule::kRefuse).ok());
  EXPECT_EQ(*DuplicateRuleByName("merge"), DuplicateRule::kMerge);
  EXPECT_FALSE(DuplicateRuleByName("drop").ok());
}

TEST(ReplicatesTest, SeedsGiveThePureError) {
  // Two cells of two and three seeds, one single: squares .02, (.01 + .01 + 0), over 1 + 2.
  const auto found = FindReplicates(
      Parse("N,D,seed,loss\n1,1,0,3.1\n1,1,1,3.3\n2,1,0,2.9\n2,1,1,3.0\n2,1,2,3.1\n3,1,0,2.5\n"));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(found->covariates, ElementsAre("N", "D"));
  EXPECT_EQ(found->cells, 3u);
  EXPECT_EQ(found->replicated, 2u);
  EXPECT_EQ(found->noise.degrees_of_freedom, 3);
  EXPECT_EQ(found->noise.cells_single, 1);
  EXPECT_NEAR(found->noise.variance, .04 / 3, 1e-12);
  const double relative = .02 / (3.2 * 3.2) + .02 / 9;
  EXPECT_NEAR(found->relative.variance, relative / 3, 1e-12);
  EXPECT_THAT(found->conflicts, IsEmpty());
}

TEST(ReplicatesTest, OneSeedWithTwoLossesIsAConflictAndNoNoise) {
  const auto found =
      FindReplicates(Parse("run,N,weight_bits,seed,loss\n"
                           "a,1,16,0,3.0\nb,1,16,0,3.2\n"  // precisions labelled alike
                           "c,2,16,0,2.8\nd,2,16,1,2.9\n"
                           "e,3,16,0,2.7\nf,3,16,0,2.7\n"));  // one run under two ids
  ASSERT_TRUE(found.ok());
  EXPECT_THAT(found->conflicts, ElementsAre(ElementsAre(0, 1)));
  EXPECT_THAT(found->repeats, ElementsAre(ElementsAre(4, 5)));
  EXPECT_EQ(found->replicated, 1u);
  EXPECT_NEAR(found->noise.variance, .005, 1e-12);
}

TEST(ReplicatesTest, UnknownSeedsCountAsDifferent) {
  const auto found = FindReplicates(Parse("N,loss\n1,3.0\n1,3.2\n"));
  ASSERT_TRUE(found.ok());
  EXPECT_FALSE(found->has_seed);
  EXPECT_THAT(found->conflicts, IsEmpty());
  EXPECT_NEAR(found->noise.variance, .02, 1e-12);
  const auto single = FindReplicates(Parse("N,loss\n1,3.0\n2,3.2\n"));
  EXPECT_FALSE(single->noise.known());
  EXPECT_TRUE(std::isnan(single->noise.variance));
  EXPECT_EQ(FindReplicates(Parse("N\n1\n")).status().code(), absl::StatusCode::kNotFound);
}

TEST(LabelTest, FormatsAreHeldAgainstTheBits) {
  const auto found =
      LabelContradictions(Parse("kind,activation_kind,precision,weight_bits,input_bits\n"
                                "HadamardFP4Trust,int8,W4A4,16,8\n"
                                "none,BF16,bf16,16,16\n"
                                "W3A8,int8,W3A8,3,4\n"
                                "int8,int8,W4A4,4,4\n"));
  EXPECT_THAT(found,
              ElementsAre(AllOf(HasSubstr("'W4A4' stands for several weight_bits"),
                                HasSubstr("4 (t.csv:5), 16 (t.csv:2)")),
                          HasSubstr("kind 'HadamardFP4Trust' names 4 bits, but weight_bits is 16"),
                          HasSubstr("kind 'int8' names 8 bits, but weight_bits is 4: t.csv:5"),
                          HasSubstr("kind 'W3A8' names 8 bits, but input_bits is 4: t.csv:4"),
                          HasSubstr("activation_kind 'int8' names 8 bits, but input_bits is 4: "
                                    "t.csv:4 and 1 more"),
                          HasSubstr("precision 'W4A4' names 4 bits, but weight_bits is 16"),
                          HasSubstr("precision 'W4A4' names 4 bits, but input_bits is 8"),
                          HasSubstr("precision 'W3A8' names 8 bits, but input_bits is 4")));
}

TEST(LabelTest, ASchemeMayStandForSeveralWidths) {
  EXPECT_THAT(LabelContradictions(Parse("scheme,precision,weight_bits\n"
                                        "w4a4,W4A4,4\nw4a4,W3A3,3\nfp,,\nw4a4,W4A4,\n")),
              IsEmpty());
  EXPECT_THAT(LabelContradictions(Parse("scheme,weight_bits\nFP4,16\n")),
              ElementsAre(HasSubstr("scheme 'FP4' names 4 bits, but weight_bits is 16")));
}

}  // namespace
}  // namespace qatlas::observe
