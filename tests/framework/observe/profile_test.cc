#include "framework/observe/profile.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <absl/strings/str_cat.h>

#include "framework/observe/csv.h"

namespace qatlas::observe {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Loaded Load(const std::string& text, bool pair = true) {
  Loaded loaded;
  const auto table = ParseCsv(text, "t.csv");
  EXPECT_TRUE(table.ok()) << table.status();
  loaded.table = *table;
  if (!pair) return loaded;
  const auto pairing = PairRuns(*table);
  EXPECT_TRUE(pairing.ok()) << pairing.status();
  loaded.table = pairing->table;
  loaded.paired = true;
  loaded.unpaired = pairing->unpaired;
  loaded.matched_by = pairing->matched_by;
  return loaded;
}

double LossAt(double n, double d) {
  return 1.8 + 480 * std::pow(n, -.35) + 2000 * std::pow(d, -.37);
}

// Full-precision and 4-bit runs; D = ratio·N where ratio > 0, else the full cross.
std::string Study(double ratio, int seeds = 1, double noise = 0) {
  std::string csv = "N,D,G,scheme,weight_bits,seed,loss\n";
  int i = 0;
  for (const double n : {1e6, 4e6, 16e6, 64e6}) {
    for (const double tokens : {1e8, 4e8, 16e8}) {
      const double d = ratio > 0 ? ratio * n * (tokens == 1e8 ? 1.01 : 1.0) : tokens;
      for (int seed = 0; seed < seeds; ++seed) {
        const double wild = std::sin(12.9898 * ++i) * 43758.5453;
        const double loss = LossAt(n, d) + noise * (wild - std::floor(wild) - .5);
        absl::StrAppend(&csv, n, ",", d, ",,fp,,", seed, ",", loss, "\n");
        absl::StrAppend(&csv, n, ",", d, ",128,w4,4,", seed, ",", loss + .05, "\n");
      }
      if (ratio > 0 && tokens == 4e8) break;
    }
  }
  return csv;
}

std::vector<std::string> Texts(const Profile& profile, Finding::Kind kind) {
  std::vector<std::string> texts;
  for (const Finding& finding : profile.findings) {
    if (finding.kind == kind) texts.push_back(finding.text);
  }
  return texts;
}

TEST(ProfileTest, ColumnsAreCounted) {
  const Profile profile =
      ProfileTable(Load("N,scheme,loss\n1e6,fp,3\n1e8,w4,2\n,w4,4\n1e6,,\n", false));
  ASSERT_EQ(profile.columns.size(), 3u);
  const ColumnProfile& n = profile.columns[0];
  EXPECT_EQ(n.count, 3u);
  EXPECT_EQ(n.missing, 1u);
  EXPECT_EQ(n.levels, 2u);
  EXPECT_EQ(n.minimum, 1e6);
  EXPECT_EQ(n.maximum, 1e8);
  EXPECT_NEAR(n.decades, 2, 1e-12);
  EXPECT_THAT(n.common[0].second, 2u);
  EXPECT_EQ(n.unit, "parameters");
  EXPECT_EQ(profile.columns[1].levels, 2u);
  EXPECT_EQ(profile.columns[1].missing, 1u);
  EXPECT_EQ(profile.full_precision, 2u);
  EXPECT_EQ(profile.quantized, 2u);
}

TEST(ProfileTest, BudgetsProportionalToSizeAreNotIdentifiable) {
  const Profile profile = ProfileTable(Load(Study(100)));
  EXPECT_THAT(Texts(profile, Finding::Kind::kCannot),
              Contains(AllOf(HasSubstr("The full-precision rows all lie at D ≈ 100·N"),
                             HasSubstr("the exponents of N and D cannot be told apart"))));
  ASSERT_FALSE(profile.collinearity.empty());
  EXPECT_EQ(profile.collinearity[0].second.verdict, Collinearity::Verdict::kInseparable);
  EXPECT_GT(profile.collinearity[0].second.correlation, .999);
  EXPECT_GT(profile.collinearity[0].second.condition, 100);
}

TEST(ProfileTest, AFullCrossIs) {
  const Profile profile = ProfileTable(Load(Study(0)));
  EXPECT_THAT(Texts(profile, Finding::Kind::kCannot),
              Not(Contains(HasSubstr("cannot be told apart"))));
  EXPECT_THAT(Texts(profile, Finding::Kind::kCan),
              Contains(HasSubstr("A law of the loss in N and D: 12")));
  EXPECT_THAT(Texts(profile, Finding::Kind::kCan), Contains(HasSubstr("A law of δ in N, D: 12")));
  EXPECT_THAT(Texts(profile, Finding::Kind::kCannot),
              Contains(HasSubstr("How δ depends on G: it is 128 in all rows")));
  EXPECT_NEAR(profile.collinearity[0].second.correlation, 0, 1e-9);
  EXPECT_NEAR(profile.collinearity[0].second.condition, 1, 1e-9);
  const CrossTable& cells = profile.cells[0].second;
  EXPECT_THAT(cells.factors, ElementsAre("N", "D"));
  EXPECT_EQ(cells.possible, 12u);
  EXPECT_EQ(cells.filled, 12u);
  EXPECT_THAT(cells.missing, IsEmpty());
}

TEST(ProfileTest, OnALineIsFoundWhereTheRatioIsNotConstant) {
  std::string csv = "N,D,loss\n";
  for (const double n : {1e6, 1e7, 1e8, 1e9}) {
    absl::StrAppend(&csv, n, ",", 30 * std::pow(n, 1.5), ",", 3 - std::log10(n) / 10, "\n");
  }
  const Profile profile = ProfileTable(Load(csv, false));
  EXPECT_EQ(profile.collinearity[0].second.verdict, Collinearity::Verdict::kInseparable);
  EXPECT_THAT(profile.collinearity[0].second.sentence, HasSubstr("one line, D ∝ N^1.5"));
}

TEST(ProfileTest, HolesOfTheCrossAreNamed) {
  const Profile profile =
      ProfileTable(Load("N,D,loss\n1e6,1e8,3\n1e6,2e8,2.9\n2e6,1e8,2.8\n3e6,1e8,2.7\n"
                        "3e6,2.001e8,2.6\n",
                        false));
  const CrossTable& cells = profile.cells[0].second;
  EXPECT_EQ(cells.possible, 6u);
  EXPECT_EQ(cells.filled, 5u);
  EXPECT_THAT(cells.missing, ElementsAre("N 2e+06, D 2e+08"));
  EXPECT_THAT(cells.counts, ElementsAre(ElementsAre(1, 1), ElementsAre(1, 0), ElementsAre(1, 1)));
}

TEST(ProfileTest, ReplicatesTellTheNoise) {
  const Profile one = ProfileTable(Load(Study(0)));
  EXPECT_THAT(Texts(one, Finding::Kind::kCannot),
              Contains(HasSubstr("no experiment was run with")));
  const Profile three = ProfileTable(Load(Study(0, 3, .01)));
  ASSERT_TRUE(three.replicates);
  EXPECT_EQ(three.replicates->replicated, 24u);
  EXPECT_EQ(three.replicates->noise.degrees_of_freedom, 48);
  EXPECT_NEAR(std::sqrt(three.replicates->noise.variance), .01 / std::sqrt(12), .0005);
}

TEST(ProfileTest, TooFewRowsAndNoPairsAreSaid) {
  const Profile profile = ProfileTable(
      Load("N,D,scheme,loss\n1e6,1e8,fp,3\n2e6,2e9,fp,2.8\n3e6,1e8,w4,3.1\n-1,1e8,w4,0\n"));
  EXPECT_THAT(Texts(profile, Finding::Kind::kCannot),
              Contains(HasSubstr("the full-precision rows with a loss are 2; more than 5")));
  EXPECT_THAT(Texts(profile, Finding::Kind::kCannot),
              Contains(HasSubstr("no quantized row has a full-precision pair")));
  EXPECT_EQ(profile.unpaired_count, 2u);
}

TEST(ProfileTest, NegativeDeltasNameTheChoice) {
  const Profile profile = ProfileTable(
      Load("N,D,scheme,loss\n1e6,1e8,fp,3\n1e6,1e8,w4,2.99\n2e6,1e8,fp,3\n2e6,1e8,w4,3.1\n"));
  EXPECT_EQ(profile.not_positive, 1u);
  EXPECT_THAT(Texts(profile, Finding::Kind::kLimited), Contains(HasSubstr("non_positive")));
}

TEST(OutlierTest, AWildRowIsFoundAndNoOther) {
  std::string csv = Study(0, 3, .003);
  csv += "16e6,4e8,,fp,,9,9.9\n";
  const auto table = ParseCsv(csv, "t.csv");
  const auto screen = ScreenOutliers(*table, "loss");
  ASSERT_TRUE(screen.ok());
  EXPECT_EQ(screen->screened, 73u);
  ASSERT_EQ(screen->count, 1u);
  EXPECT_EQ(table->Where(screen->outliers[0].row), "t.csv:74");
  EXPECT_NEAR(screen->outliers[0].expected, LossAt(16e6, 4e8), .1);
  EXPECT_GT(screen->outliers[0].score, 6);
}

TEST(OutlierTest, FewOrEqualRowsFlagNothing) {
  const auto few = ScreenOutliers(*ParseCsv("N,loss\n1,3\n2,9\n3,1\n", "t.csv"), "loss");
  EXPECT_THAT(few->reason, HasSubstr("too few rows"));
  std::string equal = "N,loss\n";
  for (int i = 1; i <= 20; ++i) absl::StrAppend(&equal, i, ",3\n");
  const auto exact = ScreenOutliers(*ParseCsv(equal, "t.csv"), "loss");
  EXPECT_EQ(exact->count, 0u);
}

TEST(ProfileTest, TextAndJsonSayTheSame) {
  const Loaded loaded = Load(Study(100) + "5e6,77,128,w4,4,0,3\n");
  const Profile profile = ProfileTable(loaded);
  const std::string text = ProfileAsText(profile, loaded.table);
  EXPECT_THAT(text, HasSubstr("17 rows: 8 full precision, 9 quantized"));
  EXPECT_THAT(text, HasSubstr("What cannot be fitted"));
  EXPECT_THAT(text, HasSubstr("t.csv:18: no full-precision row with N 5000000, D 77, seed 0"));
  EXPECT_THAT(text, Not(HasSubstr("nan")));
  const auto json = ProfileAsJson(profile, loaded.table);
  EXPECT_EQ(json["rows"], 17);
  EXPECT_EQ(json["collinearity"][0]["verdict"], "inseparable");
  EXPECT_EQ(json["pairs"]["unpaired"], 1);
  EXPECT_EQ(json["columns"][2]["name"], "G");
  EXPECT_EQ(json["columns"][2]["missing"], 8);
  EXPECT_EQ(json.dump().find("nan"), std::string::npos);
}

}  // namespace
}  // namespace qatlas::observe
