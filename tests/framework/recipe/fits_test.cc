// [[fit]]: laws by name, as sums, formulas and tables.
#include "fixture.h"

namespace qatlas::recipe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kGrid[] = "[[grid]]\nmodels = ['a']\ntokens = [1024]\n";

absl::StatusOr<ResolvedRecipe> WithFit(const std::string& fit) {
  return Read(std::string(kHead) + kGrid + "[[fit]]\n" + fit);
}
// kHead has 19 lines and kGrid 3: the fit's first key stands in line 24.
std::vector<std::string> WrongFit(const std::string& fit) {
  return Wrong(std::string(kHead) + kGrid + "[[fit]]\n" + fit);
}

TEST(RecipeFits, TakeEveryWayToNameALaw) {
  const auto recipe = WithFit(R"(
target = "loss"
laws = [
  "chinchilla",
  "chinchilla + qat-unified",
  "L = E + A/N^a + B/D^b",
  { name = "tied", formula = "E + A/N^a + B/D^b", tied = { b = "a" }, start = { A = "1..1e6" } },
  { name = "per scheme", use = "chinchilla", per = { A = ["precision"] }, fixed = { alpha = 0.3 } },
]
loss = "hoffmann"
)");
  ASSERT_TRUE(recipe.ok()) << recipe.status();
  const FitSettings& fit = recipe->fits[0];
  EXPECT_THAT(fit.laws, ElementsAre("chinchilla", "chinchilla + qat-unified",
                                    "L = E + A/N^a + B/D^b", "tied", "per scheme"));
  ASSERT_EQ(fit.requests.size(), 5u);
  EXPECT_THAT(fit.requests[1].use, ElementsAre("chinchilla", "qat-unified"));
  EXPECT_EQ(fit.requests[2].formula, "L = E + A/N^a + B/D^b");
  EXPECT_EQ(fit.requests[3].tied.at("b"), "a");
  EXPECT_EQ(fit.requests[3].start.at("A").size(), 5u);
  EXPECT_THAT(fit.requests[4].per.at("A"), ElementsAre("precision"));
  EXPECT_EQ(fit.requests[4].fixed.at("alpha"), .3);
  EXPECT_EQ(fit.loss, "hoffmann");
  // What is written out is the same recipe.
  const auto again = LoadText(recipe->text, "again.toml", {}, ThePlugins().catalog());
  ASSERT_TRUE(again.ok()) << again.status() << "\n" << recipe->text;
  EXPECT_EQ(again->fits[0].laws, fit.laws);
  EXPECT_EQ(again->fits[0].requests[3].start, fit.requests[3].start);
  EXPECT_EQ(again->text, recipe->text);
}

TEST(RecipeFits, FormulasMayPredictAnyColumn) {
  const auto recipe = WithFit("target = 'accuracy'\nlaws = ['accuracy = a - b*N^-c']\n");
  ASSERT_TRUE(recipe.ok()) << recipe.status();
  EXPECT_EQ(recipe->fits[0].target, "accuracy");
  EXPECT_TRUE(WithFit("full_precision = 'chinchilla'\nlaws = ['L = E + A/N^a']\n").ok());
}

TEST(RecipeFits, PointAtWhatIsWrong) {
  EXPECT_THAT(
      WrongFit("target = 'loss'\nlaws = ['L = E + / N', { fomula = 'x' }, 3, 'kaplann + "
               "qat-unified']\n"),
      ElementsAre(
          HasSubstr("r.toml:25:9: formula: character 9: a number, a name or '(' must stand"),
          "  L = E + / N", "          ^", "r.toml:25:24: a law needs 'use' or 'formula'",
          "r.toml:25:26: unknown key 'fomula' in a law; nearest valid name: 'formula'",
          HasSubstr("r.toml:25:42: a law must be text or a table, not 3"),
          HasSubstr("r.toml:25:45: there is no law 'kaplann'")));
  EXPECT_THAT(WrongFit("laws = ['L = E + A/N^a']\n"),
              ElementsAre("r.toml:24:9: law 'L = E + A/N^a' predicts loss, not delta; name the "
                          "full-precision law that is taken off in 'full_precision'"));
  EXPECT_THAT(WrongFit("target = 'loss'\nlaws = ['chinchilla', { use = 'chinchilla' }]\n"),
              ElementsAre(HasSubstr("two laws are called 'chinchilla'")));
  EXPECT_THAT(WrongFit("target = 'los'\nlaws = ['chinchilla']\n"),
              ElementsAre(HasSubstr("'target' is \"los\", which no formula of 'laws' predicts; "
                                    "nearest valid name: 'loss'")));
  EXPECT_THAT(WrongFit("laws = ['qat-unified']\nfull_precision = 'L = E + A/N^'\n"),
              ::testing::Contains(HasSubstr("r.toml:25:18: formula: character 13")));
}

// A fit's name is a file's.
TEST(RecipeFits, NamesAreCheckedAndDifferent) {
  EXPECT_THAT(WrongFit("name = '../up'\nlaws = ['chinchilla + qat-unified']\ntarget = 'loss'\n"),
              ElementsAre("r.toml:24:8: the name of a fit '../up' must consist of letters, digits, "
                          "'-', '_' and '+'"));
  const std::string law = "laws = ['qat-unified']\n";
  EXPECT_THAT(WrongFit("name = 'a b'\n" + law), ElementsAre(HasSubstr("r.toml:24:8: the name")));
  EXPECT_THAT(WrongFit("name = 'x'\n" + law + "[[fit]]\nname = 'x'\n" + law),
              ElementsAre("r.toml:27:8: two fits have the name 'x'"));
  // The second's default name.
  EXPECT_THAT(WrongFit("name = 'fit2'\n" + law + "[[fit]]\n" + law),
              ElementsAre(HasSubstr("two fits have the name 'fit2'")));
  // One in stages has a comparison of each.
  EXPECT_THAT(WrongFit("name = 'x-base'\n" + law +
                       "[[fit]]\nname = 'x'\nstages = true\ntarget = 'loss'\n"
                       "laws = ['chinchilla + qat-unified']\n"),
              ElementsAre(HasSubstr("the stages of fit 'x' go by the name 'x-base', which another "
                                    "fit has")));
}

TEST(RecipeFits, OverridesFindWhatHasNoName) {
  const std::string text = std::string(kHead) + kGrid + "[[fit]]\nlaws = ['qat-unified']\n";
  const auto recipe = Read(text, {"grid.grid1.seeds=[1, 2]", "fit.fit1.bootstraps=7"});
  ASSERT_TRUE(recipe.ok()) << recipe.status();
  EXPECT_EQ(recipe->runs.size(), 2u);
  EXPECT_EQ(recipe->fits[0].bootstraps, 7);
  EXPECT_THAT(Wrong(text, {"grid.grid2.seeds=[1]"}),
              ElementsAre(HasSubstr("has the name 'grid2'; nearest valid name: 'grid1'")));
}

TEST(RecipeNumbers, OutOfRangeAndOfAnotherKindSayWhatToWrite) {
  const std::string text = std::string(kHead) + kGrid;
  const std::vector<std::string> large = Wrong(text, {"grid.0.tokens=[99999999999999999999]"});
  ASSERT_EQ(large.size(), 1u);
  EXPECT_THAT(large[0], ::testing::Not(HasSubstr("text needs quotes")));
  EXPECT_THAT(large[0], HasSubstr("'[99999999999999999999]' is no value of TOML: "));
  EXPECT_THAT(Wrong(text, {"grid.0.tokens=[1e6]"}),
              ElementsAre(HasSubstr("must be a list of whole numbers, not 1e+06; write 1000000")));
  EXPECT_THAT(Wrong(text, {"recipe.name=plain"}),
              ElementsAre(HasSubstr("text needs quotes: recipe.name=\"plain\"")));
}

}  // namespace
}  // namespace qatlas::recipe
