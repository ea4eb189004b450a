#include "framework/observe/load.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace qatlas::observe {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LoadTest : public ::testing::Test {
 protected:
  LoadTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "qatlas-load-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~LoadTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    return path;
  }

  std::string folder_;
};

// Tokens in billions, foreign names, baselines by a column of their own.
constexpr char kForeign[] =
    "params,tokens_b,kind,bits,loss,sd\n"
    "1000000,2,base,16,3.0,.01\n"
    "1000000,2,int,4,3.2,.02\n"
    "1000000,2,int,4,3.2,.02\n"
    "2000000,2,base,16,2.8,.01\n"
    "2000000,2,int,4,2.95,.02\n"
    "4000000,2,int,4,2.75,.02\n";

LoadSpec Foreign(const std::string& path) {
  LoadSpec spec;
  spec.files = {path};
  spec.import.columns = {{"N", "params"},
                         {"D", "tokens_b"},
                         {"weight_bits", "bits"},
                         {"loss", "loss"},
                         {"kind", "kind"}};
  spec.import.units = {{"D", "1e9"}};
  spec.pair.match = {"N", "D"};
  spec.pair.full_precision = "kind == 'base'";
  return spec;
}

TEST_F(LoadTest, MapsScalesMergesAndPairs) {
  const auto loaded = Load(Foreign(Write("f.csv", kForeign)));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->rows_read, 6u);
  ASSERT_EQ(loaded->table.rows(), 5u);
  EXPECT_EQ(loaded->table.NumberAt(0, "D"), 2e9);
  EXPECT_TRUE(loaded->paired);
  EXPECT_NEAR(loaded->table.NumberAt(1, "delta"), .2, 1e-12);
  EXPECT_NEAR(loaded->table.NumberAt(3, "delta"), .15, 1e-12);
  ASSERT_EQ(loaded->unpaired.size(), 1u);
  EXPECT_THAT(loaded->unpaired[0].reason,
              HasSubstr("f.csv:7: no full-precision row with N 4000000"));
  EXPECT_THAT(loaded->notes, ElementsAre(HasSubstr("1 row repeats an earlier one"),
                                         HasSubstr("1 row has no full-precision pair")));
}

// Bits and labels tell full precision where there is no scheme and no part.
TEST_F(LoadTest, PairsByBitsAndSaysWhereNothingIsOfFullPrecision) {
  LoadSpec spec;
  spec.files = {Write("bits.csv", "N,D,weight_bits,loss\n1,2,16,3\n1,2,4,3.25\n")};
  const auto bits = Load(spec);
  ASSERT_TRUE(bits.ok()) << bits.status();
  EXPECT_EQ(bits->table.NumberAt(1, "delta"), .25);

  spec.files = {Write("labels.csv", "N,D,precision,loss\n1,2,W4A4,3\n1,3,W4A4,3.25\n")};
  const auto none = Load(spec);
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_THAT(none->notes, ElementsAre(HasSubstr("No row is of full precision")));

  // What only bits tell may be wrong: two rows of full precision are no error then.
  spec.files = {Write("two.csv", "N,D,weight_bits,loss\n1,2,16,3\n1,2,16,3.1\n1,2,4,3.25\n")};
  const auto two = Load(spec);
  ASSERT_TRUE(two.ok()) << two.status();
  EXPECT_FALSE(two->paired);
  EXPECT_THAT(two->notes, ElementsAre(HasSubstr("No δ was computed: ")));
}

TEST_F(LoadTest, ColumnsThatAMappingLeavesOutStillTellRunsApart) {
  // Two seeds with the same rounded loss, and one run listed twice; also across files, where a
  // column is a number in one and text in the other.
  LoadSpec spec;
  spec.files = {Write("s.csv", "params,loss,trial\n1,3.2,0\n1,3.2,1\n1,3.2,1\n"),
                Write("t.csv", "params,loss,trial\n1,3.2,1\n1,3.2,x\n")};
  spec.import.columns = {{"N", "params"}, {"loss", "loss"}};
  const auto loaded = Load(spec);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->table.rows(), 3u);
  EXPECT_THAT(loaded->table.names(), ElementsAre("N", "loss"));
  EXPECT_THAT(loaded->notes, ElementsAre(HasSubstr("2 rows repeat an earlier one")));
}

TEST_F(LoadTest, WeightAndNoiseSeeTheFileAndTheMapping) {
  LoadSpec spec = Foreign(Write("f.csv", kForeign));
  spec.import.derived = {{"weight", "N / 1e6"}, {"loss_se", "sd"}};
  const auto loaded = Load(spec);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->table.NumberAt(4, "weight"), 4);
  EXPECT_NEAR(loaded->table.NumberAt(1, "delta_se"), std::hypot(.01, .02), 1e-12);
}

TEST_F(LoadTest, UnitsMayBeExpressionsAndActOnKeptColumns) {
  LoadSpec spec;
  spec.files = {Write("u.csv", "N,D,scale\n2,3,10\n4,5,100\n")};
  spec.import.units = {{"D", "scale"}};
  spec.import.where = "D > 100";  // after the unit
  const auto loaded = Load(spec);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ASSERT_EQ(loaded->table.rows(), 1u);
  EXPECT_EQ(loaded->table.NumberAt(0, "D"), 500);
  EXPECT_EQ(loaded->table.NumberAt(0, "scale"), 100);
}

TEST_F(LoadTest, SeveralFilesAndPatterns) {
  Write("a1.csv", "N,loss\n1,3\n");
  Write("a2.csv", "loss,N\n2,5\n");
  LoadSpec spec;
  spec.files = {folder_ + "/a*.csv"};
  const auto loaded = Load(spec);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->table.rows(), 2u);
  EXPECT_EQ(loaded->table.NumberAt(1, "N"), 5);
  EXPECT_THAT(loaded->table.Where(1), HasSubstr("a2.csv:2"));
  EXPECT_THAT(loaded->notes, IsEmpty());
  spec.files = {folder_ + "/b*.csv"};
  spec.files_place = "lab.toml:2:9";
  EXPECT_THAT(std::string(Load(spec).status().message()),
              AllOf(HasSubstr("lab.toml:2:9: no file fits"), HasSubstr("b*.csv")));
}

TEST_F(LoadTest, ProblemsNameThePlaceInTheRecipe) {
  LoadSpec spec = Foreign(Write("f.csv", kForeign));
  spec.import.columns[0].second = "parms";
  spec.import.columns[1].second = "tokens_b *";
  spec.import.where = "los > 3";
  spec.import.places = {{"N", "lab.toml:3:5"}, {"D", "lab.toml:4:5"}, {"where", "lab.toml:9:9"}};
  const std::string message(Load(spec).status().message());
  EXPECT_THAT(message, HasSubstr("lab.toml:3:5: N = parms: "));
  EXPECT_THAT(message, HasSubstr("did you mean 'params'"));
  EXPECT_THAT(message, HasSubstr("lab.toml:4:5: D = tokens_b *: "));
  EXPECT_THAT(message, HasSubstr("lab.toml:9:9: where = los > 3: "));
}

TEST_F(LoadTest, UnitsOfWhatIsNotThereAndDoubleColumnsAreProblems) {
  LoadSpec spec = Foreign(Write("f.csv", kForeign));
  spec.import.units = {{"G", "2"}, {"kind", "2"}};
  spec.import.derived = {{"loss", "sd"}};
  spec.import.places = {{"units.G", "lab.toml:5:1"}};
  const std::string message(Load(spec).status().message());
  EXPECT_THAT(message, HasSubstr("lab.toml:5:1: units of G = 2: no column 'G'"));
  EXPECT_THAT(message, HasSubstr("units of kind = 2"));
}

TEST_F(LoadTest, AFilterThatLeavesNothingAndPairingThatCannotBe) {
  LoadSpec spec = Foreign(Write("f.csv", kForeign));
  spec.import.where = "params > 1e9";
  EXPECT_THAT(std::string(Load(spec).status().message()), HasSubstr("none of 6 rows meets it"));
  spec = Foreign(Write("f.csv", kForeign));
  spec.pair.full_precision = "";
  EXPECT_TRUE(Load(spec)->paired);  // by their bits
  spec.import.columns = {{"N", "params"}, {"D", "tokens_b"}, {"loss", "loss"}};
  EXPECT_FALSE(Load(spec)->paired);  // nothing tells full precision: auto does not pair
  spec.pairing = PairingMode::kAlways;
  spec.pair_place = "lab.toml:7:1";
  EXPECT_THAT(std::string(Load(spec).status().message()),
              HasSubstr("lab.toml:7:1: pairing: cannot tell which rows are full precision"));
  spec.pairing = PairingMode::kNever;
  EXPECT_FALSE(Load(spec)->paired);
}

}  // namespace
}  // namespace qatlas::observe
