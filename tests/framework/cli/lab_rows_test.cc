#include "framework/cli/lab_rows.h"

#include <string>
#include <vector>

#include "framework/observe/csv.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qatlas::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kRuns[] =
    "run,model,D,scheme,part,precision,seed,loss,delta\n"
    "fp1,s,1,fp,none,fp,0,3.4,\n"
    "fp2,s,2,fp,none,fp,0,3.2,\n"
    "both1,s,1,wa,both,W4A4,0,3.5,.1\n"
    "both2,s,2,wa,both,W4A4,0,3.4,.2\n"
    "blank,s,2,wa,,W3A3,0,3.6,.4\n"
    "weights,s,2,wa,weights,W4,0,3.3,.1\n"
    "failed,s,2,wa,both,W2A2,0,,\n";

observe::Table Read(const std::string& text) {
  const auto table = observe::ParseCsv(text, "f");
  EXPECT_TRUE(table.ok()) << table.status();
  return *table;
}

std::vector<std::string> Chosen(const std::string& target, const std::string& where,
                                std::vector<std::string>* notes) {
  const auto rows = ChooseRows(Read(kRuns), target, where, notes);
  EXPECT_TRUE(rows.ok()) << rows.status();
  std::vector<std::string> runs;
  if (!rows.ok()) return runs;
  for (size_t row = 0; row < rows->rows(); ++row) runs.emplace_back(rows->TextAt(row, "run"));
  return runs;
}

TEST(ChooseRowsTest, ConditionsKeepTheKindUnlessTheyNameIt) {
  std::vector<std::string> notes;
  EXPECT_THAT(Chosen("delta", "", &notes), ElementsAre("both1", "both2", "blank"));
  EXPECT_THAT(notes, ElementsAre(HasSubstr("1 row without a finite delta was left out: f:8")));
  EXPECT_THAT(Chosen("delta", "D > 1", &notes), ElementsAre("both2", "blank"));
  EXPECT_THAT(Chosen("delta", "scheme == 'wa' && D > 1", &notes), ElementsAre("both2", "blank"));
  EXPECT_THAT(Chosen("delta", "part == 'weights' || D < 2", &notes),
              ElementsAre("both1", "weights"));

  EXPECT_THAT(Chosen("loss", "", &notes), ElementsAre("fp1", "fp2"));
  EXPECT_THAT(Chosen("loss", "D > 1", &notes), ElementsAre("fp2"));
  EXPECT_THAT(Chosen("loss", "D < 2 && (scheme == 'fp' || scheme == 'wa')", &notes),
              ElementsAre("fp1", "both1"));
  EXPECT_THAT(Chosen("loss", "part == 'weights'", &notes), ElementsAre("weights"));
  // A text is no column.
  EXPECT_THAT(Chosen("loss", "run == 'part' || D == 1", &notes), ElementsAre("fp1"));
}

// Without scheme and part, labels and bits tell what is quantized: a law of the full-precision loss
// is not fitted to quantized runs too.
TEST(ChooseRowsTest, LabelsAndBitsTellWhereNothingElseDoes) {
  for (const char* text :
       {"run,precision,loss\na,fp,3\nb,W4A4,3.1\n", "run,weight_bits,loss\na,16,3\nb,4,3.1\n",
        "run,quantized,loss\na,0,3\nb,1,3.1\n"}) {
    std::vector<std::string> notes;
    const auto rows = ChooseRows(Read(text), "loss", "", &notes);
    ASSERT_TRUE(rows.ok()) << rows.status();
    ASSERT_EQ(rows->rows(), 1u) << text;
    EXPECT_EQ(rows->TextAt(0, "run"), "a");
    EXPECT_THAT(notes, ElementsAre(HasSubstr("1 quantized row was left out")));
    const auto both = ChooseRows(Read(text), "loss", "", &notes, /*joint=*/true);
    ASSERT_TRUE(both.ok()) << both.status();
    EXPECT_EQ(both->rows(), 2u);
  }
  std::vector<std::string> notes;
  const auto named =
      ChooseRows(Read("weight_bits,loss\n16,3\n4,3.1\n"), "loss", "weight_bits == 4", &notes);
  ASSERT_TRUE(named.ok()) << named.status();
  EXPECT_EQ(named->rows(), 1u);
  EXPECT_THAT(notes, IsEmpty());
  EXPECT_EQ(
      ChooseRows(Read("precision,weight_bits,loss\nfp,4,3\n"), "loss", "", &notes).status().code(),
      absl::StatusCode::kInvalidArgument);
}

TEST(ChooseRowsTest, ATableWithoutDeltaSaysWhatToDo) {
  std::vector<std::string> notes;
  const absl::Status status = ChooseRows(Read("N,D,loss\n1,2,3\n"), "delta", "", &notes).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--target loss"));
}

TEST(ChooseRowsTest, Refusals) {
  std::vector<std::string> notes;
  EXPECT_EQ(ChooseRows(Read(kRuns), "delta", "D >", &notes).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(
      std::string(
          ChooseRows(Read(kRuns), "loss", "precision == 'W4A4'", &notes).status().message()),
      HasSubstr("2 rows are of another kind"));
}

// A run that diverged is no run that was not measured.
TEST(ChooseRowsTest, WrittenNanAndInfinityAreRefusedUnlessLeftOut) {
  const std::string head = "model,N,D,loss\n";
  for (const char* wild : {"nan", "NaN", "inf", "-inf"}) {
    std::vector<std::string> notes;
    const observe::Table table = Read(head + "a,1,1,3.1\na,1,2," + wild + "\na,1,3,\na,1,4,3\n");
    const auto refused = ChooseRows(table, "loss", "", &notes);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument) << wild;
    EXPECT_THAT(std::string(refused.status().message()),
                ::testing::AllOf(HasSubstr("1 row has a loss that is NaN or infinite: f:3"),
                                 HasSubstr("--map 'where=abs(loss) < 1e9'")));
    // The way out that it names; an empty field stays missing.
    const auto chosen = ChooseRows(table, "loss", "abs(loss) < 1e9", &notes);
    ASSERT_TRUE(chosen.ok()) << chosen.status();
    EXPECT_EQ(chosen->rows(), 2u);
    // Rows of another kind are not looked at.
    EXPECT_TRUE(
        ChooseRows(Read("scheme,loss\nfp,3\nwa," + std::string(wild) + "\n"), "loss", "", &notes)
            .ok());
  }
  std::vector<std::string> notes;
  const auto missing = ChooseRows(Read(head + "a,1,1,3\na,1,3,\na,1,4,NA\n"), "loss", "", &notes);
  ASSERT_TRUE(missing.ok()) << missing.status();
  EXPECT_THAT(notes, ElementsAre(HasSubstr("2 rows without a finite loss were left out")));
}

TEST(GroupColumnsTest, NeedEverySeed) {
  EXPECT_THAT(GroupColumns(Read("model,N,seed\ns,1,0\ns,1,1\n")), ElementsAre("model", "seed"));
  EXPECT_THAT(GroupColumns(Read("N,seed\n1,0\n1,1\n")), ElementsAre("N", "seed"));
  EXPECT_THAT(GroupColumns(Read("model,seed\ns,0\ns,\n")), IsEmpty());
  EXPECT_THAT(GroupColumns(Read("model\ns\n")), IsEmpty());
}

}  // namespace
}  // namespace qatlas::cli
