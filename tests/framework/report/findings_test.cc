#include "framework/report/findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "framework/observe/csv.h"

namespace qatlas::report {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

decompose::Decomposition Split(const std::string& rows) {
  const auto table = observe::ParseCsv(
      "model,N,D,G,part,weight_bits,input_bits,seed,delta,delta_se\n" + rows, "f");
  EXPECT_TRUE(table.ok()) << table.status();
  const auto result = decompose::Decompose(*table);
  EXPECT_TRUE(result.ok()) << result.status();
  return *result;
}

// Two seeds a cell, .001 apart.
std::string Pair(const std::string& model, const std::string& cell, const std::string& part,
                 double delta) {
  std::string rows;
  for (int seed = 0; seed < 2; ++seed) {
    rows += model + "," + cell + "," + part + ",4,4," + std::to_string(seed) + "," +
            std::to_string(delta + .0005 * (2 * seed - 1)) + ",.0002\n";
  }
  return rows;
}

TEST(FindingsTest, PhraseNamesOnlyWhatHappened) {
  EXPECT_EQ(StepPhrase({}), "");
  EXPECT_EQ(StepPhrase({0, 5, 1, 0}), "falls in 5, is not clear of noise in 1 of 6 steps");
  EXPECT_EQ(StepPhrase({1, 0, 0, 0}), "rises in 1 of 1 step");
  EXPECT_EQ(StepPhrase({0, 0, 0, 2}), "has no known error in 2 of 2 steps");
}

TEST(FindingsTest, AgreesWithThePublishedDirection) {
  const Section section = FindingsSection(
      Split(Pair("s", "1e6,1e6,32", "both", .06) + Pair("m", "4e6,1e6,32", "both", .03)));
  EXPECT_THAT(section.findings,
              Contains(AllOf(HasSubstr("With growing model size N, δ falls in 1 of 1 step"),
                             HasSubstr("-0.0300 ± 0.0008"), HasSubstr("N 1M to 4M"),
                             HasSubstr("This agrees with Chen et al. 2025 (arXiv 2505.14302)"))));
}

TEST(FindingsTest, SaysWhenTheSignIsTheOtherWayRound) {
  const Section section = FindingsSection(
      Split(Pair("s", "1e6,1e6,32", "both", .03) + Pair("m", "4e6,1e6,32", "both", .06)));
  EXPECT_THAT(section.findings,
              Contains(AllOf(HasSubstr("rises in 1 of 1 step"),
                             HasSubstr("the other way round from Chen et al. 2025"))));
}

TEST(FindingsTest, ClaimsNothingWithinTheNoise) {
  const Section section = FindingsSection(
      Split(Pair("s", "1e6,1e6,32", "both", .0301) + Pair("m", "4e6,1e6,32", "both", .03)));
  ASSERT_EQ(section.findings.size(), 1u);
  EXPECT_THAT(section.findings[0],
              AllOf(HasSubstr("is not clear of noise in 1 of 1 step"),
                    HasSubstr("do not show whether δ falls with N"), Not(HasSubstr("agrees"))));
}

// One clear step of eight comes by chance in a fifth of the studies without any effect.
TEST(FindingsTest, OneClearStepOfManyIsNoAgreement) {
  std::string rows;
  for (int budget = 1; budget <= 9; ++budget) {
    rows += Pair("s", "1e6," + std::to_string(budget) + "e6,32", "both", budget < 9 ? .03 : .06);
  }
  const Section section = FindingsSection(Split(rows));
  EXPECT_THAT(section.findings,
              Contains(AllOf(HasSubstr("rises in 1, is not clear of noise in 7 of 8 steps"),
                             HasSubstr("is what chance alone would give"),
                             HasSubstr("do not show whether δ rises with D"),
                             Not(HasSubstr("agrees with")))));
}

TEST(FindingsTest, ContraryStepsAreNamed) {
  const Section section = FindingsSection(Split(Pair("s", "1e6,1e6,32", "both", .06) +
                                                Pair("s", "1e6,2e6,32", "both", .03) +
                                                Pair("s", "1e6,4e6,32", "both", .05)));
  EXPECT_THAT(section.findings,
              Contains(AllOf(HasSubstr("rises in 1, falls in 1 of 2 steps"),
                             HasSubstr("Clear steps go both ways"), HasSubstr("D 1M to 2M"))));
}

TEST(FindingsTest, PartsComeWithIntervals) {
  const std::string cell = "1e6,1e6,32";
  const Section section =
      FindingsSection(Split(Pair("s", cell, "both", .060) + Pair("s", cell, "weights", .020) +
                            Pair("s", cell, "inputs", .040) + Pair("s", cell, "fc2-8bit", .045) +
                            Pair("s", cell, "only:fc2", .030) + Pair("s", cell, "only:qkv", .010)));
  EXPECT_THAT(section.findings, Contains(AllOf(HasSubstr("inputs cost more in 1 of 1 cell"),
                                               HasSubstr("R = 2 (95%: "))));
  EXPECT_THAT(section.findings, Contains(AllOf(HasSubstr("Additivity"), HasSubstr(".906"))));
  EXPECT_THAT(section.findings,
              Contains(AllOf(HasSubstr("relief in 1 of 1 cell"), HasSubstr("25% (95%: "))));
  EXPECT_THAT(section.findings,
              Contains(AllOf(HasSubstr("Quantized alone, fc2 costs most: 0.0300 ± "),
                             HasSubstr("clear of noise"), HasSubstr("agrees with Chen"))));
}

TEST(FindingsTest, TheQuantizerIsNamedOnlyWhereSeveralOccur) {
  // Two sizes and the parts of each, under one quantizer or under a second one too.
  const auto findings = [](const std::vector<std::string>& quantizers) {
    std::string rows = "model,N,D,G,quantizer,part,weight_bits,input_bits,seed,delta,delta_se\n";
    for (const std::string& quantizer : quantizers) {
      for (int seed = 0; seed < 2; ++seed) {
        for (const std::string cell : {"s,1e6,1e6,32,", "m,4e6,1e6,32,"}) {
          const std::string end = ",4,4," + std::to_string(seed) + ",.0" +
                                  (cell[0] == 's' ? "6" : "3") + std::to_string(seed) + ",.0002\n";
          for (const char* part : {"both", "weights", "inputs"}) {
            rows += cell + quantizer + "," + part + end;
          }
        }
      }
    }
    const auto split = decompose::Decompose(observe::ParseCsv(rows, "f").value());
    EXPECT_TRUE(split.ok()) << split.status();
    return FindingsSection(*split).findings;
  };
  const std::vector<std::string> one = findings({"lattice"});
  EXPECT_THAT(one, Contains(HasSubstr("Additivity")));
  EXPECT_THAT(one, Contains(HasSubstr("N 1M to 4M")));
  for (const std::string& finding : one) EXPECT_THAT(finding, Not(HasSubstr("lattice")));
  const std::vector<std::string> two = findings({"lattice", "other"});
  EXPECT_THAT(two, Contains(AllOf(HasSubstr("Additivity"), HasSubstr("lattice"))));
  EXPECT_THAT(two, Contains(AllOf(HasSubstr("N 1M to 4M"), HasSubstr("lattice"))));
}

TEST(FindingsTest, AnotherCostliestRoleIsTheOtherWayRound) {
  const std::string cell = "1e6,1e6,32";
  const Section section =
      FindingsSection(Split(Pair("s", cell, "both", .060) + Pair("s", cell, "only:fc2", .010) +
                            Pair("s", cell, "only:qkv", .030)));
  EXPECT_THAT(section.findings, Contains(AllOf(HasSubstr("qkv costs most"),
                                               HasSubstr("the other way round from Chen"))));
}

}  // namespace
}  // namespace qatlas::report
