// [observations]: a recipe that reads runs that are there.
#include "fixture.h"

namespace qatlas::recipe {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kLaboratory[] = R"toml([recipe]
name = "lab"

[observations]
files = ["runs/*.csv", "more.jsonl"]
columns = { N = "params", D = "flop / (6*params)", seed = 0 }
units = { D = 1e9, G = "scale" }
where = "bits == 4"
noise = "0.003 * loss"
duplicates = "keep"

[observations.pair]
match = ["N", "D"]
full_precision = "kind == 'base'"
recompute = true
)toml";

TEST(ObservationsSection, ALaboratoryRecipeNeedsNothingToTrain) {
  const auto recipe = Read(kLaboratory);
  ASSERT_TRUE(recipe.ok()) << recipe.status();
  ASSERT_TRUE(recipe->observations.has_value());
  const ObservationsSettings& settings = *recipe->observations;
  EXPECT_THAT(settings.files, ElementsAre("runs/*.csv", "more.jsonl"));
  EXPECT_EQ(settings.files_where, "r.toml:5:9");
  ASSERT_EQ(settings.columns.size(), 3u);
  EXPECT_EQ(settings.columns[1].name, "D");
  EXPECT_EQ(settings.columns[1].text, "flop / (6*params)");
  EXPECT_EQ(settings.columns[1].where, "r.toml:6:31");
  EXPECT_EQ(settings.columns[2].text, "0");
  ASSERT_EQ(settings.units.size(), 2u);
  EXPECT_EQ(std::stod(settings.units[0].text), 1e9);
  EXPECT_EQ(settings.filter.text, "bits == 4");
  EXPECT_EQ(settings.filter.where, "r.toml:8:9");
  EXPECT_EQ(settings.noise.text, "0.003 * loss");
  EXPECT_EQ(settings.weight.text, "");
  EXPECT_EQ(settings.duplicates, "keep");
  EXPECT_EQ(settings.pair.when, "auto");
  EXPECT_THAT(settings.pair.match, ElementsAre("N", "D"));
  EXPECT_TRUE(settings.pair.recompute);
  EXPECT_THAT(recipe->runs, IsEmpty());
}

TEST(ObservationsSection, TheResolvedTextReadsBack) {
  const auto recipe = Read(kLaboratory);
  ASSERT_TRUE(recipe.ok()) << recipe.status();
  const auto again = Read(recipe->text);
  ASSERT_TRUE(again.ok()) << again.status() << "\n" << recipe->text;
  EXPECT_EQ(again->text, recipe->text);
  EXPECT_THAT(recipe->text, HasSubstr("keep_others = false"));
}

TEST(ObservationsSection, PairMayStandInOneLine) {
  const auto recipe = Read(
      "[observations]\nfiles = 'a.csv'\npair = { match = ['N'], full_precision = \"x == 1\" }\n");
  ASSERT_TRUE(recipe.ok()) << recipe.status();
  EXPECT_THAT(recipe->observations->pair.match, ElementsAre("N"));
  EXPECT_THAT(recipe->observations->files, ElementsAre("a.csv"));
}

TEST(ObservationsSection, MistakesAreReportedWithTheirPlaces) {
  EXPECT_THAT(
      Wrong("[observations]\nfile = ['a.csv']\ncolums = {}\nunits = { D = -1, N = true }\n"
            "columns = 3\nduplicates = 'drop'\n[observations.pair]\nmach = ['N']\n"),
      AllOf(Contains(HasSubstr("[observations] lacks the key 'files'")),
            Contains("r.toml:2:1: unknown key 'file' in [observations]; nearest valid name: "
                     "'files'"),
            Contains(HasSubstr("r.toml:3:1: unknown key 'colums'")),
            Contains(HasSubstr("r.toml:4:15: 'units.D' is -1; a unit is above 0")),
            Contains(HasSubstr("r.toml:4:23: 'units.N' must be an expression")),
            Contains(HasSubstr("r.toml:5:11: 'columns' must be a table of expressions")),
            Contains(HasSubstr("r.toml:6:14: 'duplicates' is \"drop\"")),
            Contains(HasSubstr("r.toml:8:1: unknown key 'mach' in [observations.pair]"))));
}

TEST(ObservationsSection, TrainingBesideItIsAMistake) {
  EXPECT_THAT(Wrong("[observations]\nfiles = ['a.csv']\n[data]\nsource = 'synthetic'\n"
                    "[training]\nthreads = 2\n"),
              ElementsAre(HasSubstr("r.toml:3:2: [data] has no effect beside [observations]"),
                          HasSubstr("r.toml:5:2: [training] has no effect")));
}

}  // namespace
}  // namespace qatlas::recipe
