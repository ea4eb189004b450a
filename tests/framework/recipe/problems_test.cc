// Every kind of mistake in a recipe, with its place and the nearest valid name.
#include "fixture.h"

namespace qatlas::recipe {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// kHead has 19 lines: what follows starts at line 20.
std::vector<std::string> WrongAfterHead(const std::string& text,
                                        const std::vector<std::string>& overrides = {}) {
  return Wrong(std::string(kHead) + text, overrides);
}

constexpr char kOneGrid[] = "[[grid]]\nmodels = ['a']\ntokens = [1024]\n";
constexpr char kSchemes[] =
    "[[grid]]\nmodels = ['a']\ntokens = [1024]\nschemes = ['w']\n[scheme.w]\n";

TEST(RecipeProblems, AreAllReportedAtOnce) {
  EXPECT_THAT(
      Wrong(R"([recipie]
name = "x"

[data]
source = "text"
file = ["a.txt"]
vocabulary = 10

[training]
batch = 8
learning_rate = "fast"
threads = 0
schedule = "wds"
validation_sequences = 1.5

[training.optimiser]
beta1 = 0.9

[model.a]
use = "lama"

[model.b]
use = "llama"
layers = 0
widht = 64
ffn = 8
heads = 1

[scheme.w]
use = "uniform"
bit = 4

[[grid]]
models = ["c"]
tokens = [0, -5]
seeds = [1, 1]
schemes = ["v"]
qat = "cooldwn"
)"),
      ElementsAre(
          "r.toml:1:2: unknown section [recipie]; nearest valid name: 'recipe'",
          HasSubstr("[data] lacks the key 'files'"),
          "r.toml:6:1: unknown key 'file' in [data]; nearest valid name: 'files'",
          "r.toml:7:14: 'vocabulary' is 10; it must be at least 258",
          "r.toml:10:1: unknown key 'batch' in [training]; nearest valid name: 'batch_sequences'",
          "r.toml:11:17: 'learning_rate' must be a number, not \"fast\"",
          "r.toml:12:11: 'threads' is 0; it must be at least 1",
          "r.toml:13:12: 'schedule' is \"wds\"; it must be one of 'wsd', 'cosine', 'constant'",
          "r.toml:14:24: 'validation_sequences' must be a whole number, not 1.5",
          "r.toml:16:11: unknown key 'optimiser' in [training]; nearest valid name: 'optimizer'",
          AllOf(StartsWith("r.toml:20:7: there is no model 'lama'; nearest valid name: 'llama'; "
                           "searched "),
                HasSubstr(ThePlugins().folder())),
          HasSubstr("model 'llama' needs the option 'width'"),
          "r.toml:24:10: 'layers' is 0; it must be at least 1",
          "r.toml:25:1: model 'llama' has no option 'widht'; nearest valid name: 'width'",
          "r.toml:31:1: scheme 'uniform' has no option 'bit'; nearest valid name: 'bits'",
          "r.toml:34:11: there is no [model.c]; nearest valid name: 'a'",
          "r.toml:35:11: 'tokens' is 0; it must be at least 1",
          "r.toml:35:14: 'tokens' is -5; it must be at least 1",
          "r.toml:36:13: 1 stands twice in 'seeds'",
          "r.toml:37:12: there is no [scheme.v]; nearest valid name: 'w'",
          "r.toml:38:7: 'qat' is \"cooldwn\"; it must be \"scratch\", \"cooldown\", { fraction = "
          "0.5 } or { extra_tokens = 65536 }; nearest valid name: 'cooldown'"));
}

TEST(RecipeProblems, OfAnEmptyRecipeAndEmptySections) {
  EXPECT_THAT(Wrong(""), ElementsAre(HasSubstr("no section [data]"), HasSubstr("no section [model"),
                                     HasSubstr("no [[grid]]")));
  EXPECT_THAT(WrongAfterHead(std::string(kOneGrid) + "[report]\n[[fit]]\n[scheme.w]\n"),
              ElementsAre("r.toml:23:1: section [report] is empty; fill it or take it out",
                          "r.toml:24:1: section [[fit]] is empty; fill it or take it out",
                          HasSubstr("section [scheme.w] is empty; fill it or take it out")));
  EXPECT_THAT(Wrong("x = 1\n[data]\n"),
              ElementsAre(HasSubstr("key 'x' stands outside all sections"),
                          HasSubstr("no section [model"), HasSubstr("no [[grid]]"),
                          HasSubstr("section [data] is empty; it needs the key 'source'")));
  EXPECT_THAT(Wrong("a = = 1"), ElementsAre(StartsWith("r.toml:1:5: not TOML: ")));
}

TEST(RecipeProblems, OfShapes) {
  EXPECT_THAT(WrongAfterHead("[grid]\nmodels = ['a']\n"),
              ElementsAre(HasSubstr("grids are a list: write [[grid]] in place of [grid]")));
  EXPECT_THAT(WrongAfterHead(std::string(kOneGrid) + "[fit]\nlaws = ['chinchilla']\n"),
              ElementsAre(HasSubstr("fits are a list: write [[fit]] in place of [fit]")));
  EXPECT_THAT(WrongAfterHead(std::string(kOneGrid) + "[[report]]\ntitle = 'a'\n"),
              ElementsAre(HasSubstr("[report] must be a table, not a list")));
  EXPECT_THAT(WrongAfterHead(std::string(kOneGrid) + "[model]\nlayers = 2\n"),
              ElementsAre(HasSubstr("[model.layers] must be a table, not 2")));
  EXPECT_THAT(WrongAfterHead(std::string(kOneGrid) + "[recipe]\nname = '../up'\n"),
              ElementsAre("r.toml:24:8: the recipe's name '../up' must consist of letters, digits, "
                          "'-', '_' and '+'"));
}

TEST(RecipeProblems, OfSchemes) {
  EXPECT_THAT(WrongAfterHead(std::string(kSchemes) + "use = 'uniform'\nrules = []\n"),
              ElementsAre(HasSubstr("[scheme.w] has both 'use' and 'rules'; keep one")));
  EXPECT_THAT(WrongAfterHead(std::string(kSchemes) + "part = 'both'\n"),
              ElementsAre(HasSubstr("[scheme.w] needs 'use'")));
  EXPECT_THAT(
      WrongAfterHead(std::string(kSchemes) +
                     "rules = [{ sites = '*.fc2', use = 'int' }, { use = 'int' },\n"
                     "  { sites = '*' }, { sites = '*', use = 'itn' }, {},\n"
                     "  { sites = '*', use = 'none', bits = 3 },\n"
                     "  { sites = '*', use = 'int', bits = 9, gruop = 4 },\n"
                     "  { sites = '*', use = 'lsq', group = 4 }]\nbits = 4\n"),
      ElementsAre(
          HasSubstr("site pattern '*.fc2' must be '*' or"), HasSubstr("a rule needs 'sites'"),
          HasSubstr("a rule needs 'use'"),
          HasSubstr("there is no quantizer 'itn'; nearest valid name: 'int'"),
          HasSubstr("a rule must be a table"),
          "r.toml:27:32: 'bits' has no effect: \"none\" has no options",
          "r.toml:28:38: 'bits' is 9; it must be from 2 to 8",
          "r.toml:28:41: quantizer 'int' has no option 'gruop'; nearest valid name: 'group'",
          HasSubstr("'group' has no effect, since 'granularity' is 'channel'"),
          HasSubstr("unknown key 'bits' in [scheme.w]; with 'rules', options belong into")));
  EXPECT_THAT(
      WrongAfterHead(std::string(kSchemes) + "use = 'uniform'\nbits = 3\ngroup = 8\n"
                                             "quantizer = 'sign'\n"),
      ElementsAre(
          HasSubstr("scheme 'w', sites '*.*.weight': quantizer 'sign' has no option 'bits'"),
          HasSubstr("sites '*.*.weight': quantizer 'sign' has no option 'group'"),
          HasSubstr("sites '*.*.input': quantizer 'sign' has no option 'bits'"),
          HasSubstr("sites '*.*.input': quantizer 'sign' has no option 'group'")));
  EXPECT_THAT(WrongAfterHead(std::string(kSchemes) + "use = 'uniform'\nweights = false\n"
                                                     "inputs = false\n"),
              ElementsAre(HasSubstr("nothing is left to quantize")));
  EXPECT_THAT(WrongAfterHead(std::string(kOneGrid) + "[scheme.fp]\nuse = 'uniform'\n"),
              ElementsAre(HasSubstr("'fp' is full precision")));
  EXPECT_THAT(WrongAfterHead(std::string(kSchemes) + "use = 'uniform'\npart = 'weight'\n"),
              ElementsAre(HasSubstr("part 'weight' is unknown")));
}

TEST(RecipeProblems, OfVariedOptions) {
  const std::string scheme = "[scheme.w]\nuse = 'uniform'\nbits = 4\ngroup = 8\n";
  const auto wrong = [&](const std::string& keys, const std::string& more = "") {
    return WrongAfterHead(scheme + more + kOneGrid + "schemes = ['w']\n" + keys);
  };
  EXPECT_THAT(wrong("options = { bits = [4, 'x'], colour = [1] }\n"),
              ElementsAre("r.toml:28:24: 'bits' must be a whole number, not \"x\"",
                          "r.toml:28:40: no option 'colour' to vary: neither the scheme 'w' nor a "
                          "quantizer in its rules declares it"));
  EXPECT_THAT(wrong("options = { bits = 4 }\n"),
              ElementsAre(HasSubstr("'bits' in 'options' must be a list with at least one value")));
  EXPECT_THAT(wrong("options = {}\n"), ElementsAre(HasSubstr("'options' must name options")));
  EXPECT_THAT(
      wrong("options = { group = [8, 16] }\n", "granularity = 'channel'\n"),
      ElementsAre(HasSubstr("'options' have no effect on scheme 'w': w group=16 is the same "
                            "as another combination")));
  EXPECT_THAT(
      wrong("options = { clip = ['learned', 'lerned'] }\n"),
      ElementsAre(HasSubstr("'clip' is \"lerned\"; it must be one of 'absmax', 'learned'")));
  EXPECT_THAT(wrong("parts = ['wieghts', 'only:fc3', 'fc2-9bit', 'both', 'both']\n"),
              ElementsAre(AllOf(HasSubstr("part 'wieghts' is unknown"), HasSubstr("'weights'")),
                          HasSubstr("no model of the grid has the role 'fc3'; nearest valid name: "
                                    "'fc1'"),
                          HasSubstr("part 'fc2-9bit' of scheme 'w': 'bits' is 9"),
                          HasSubstr("\"both\" stands twice in 'parts'")));
  EXPECT_THAT(
      wrong("parts = ['inputs']\n", "inputs = false\n"),
      ElementsAre(HasSubstr("part 'inputs' of scheme 'w': it leaves nothing of the scheme")));
  EXPECT_THAT(wrong("parts = ['inputs']\n", "part = 'weights'\n"),
              ElementsAre(HasSubstr("scheme 'w' has a part of its own, 'weights'")));
  EXPECT_THAT(WrongAfterHead(std::string(kOneGrid) + "options = { bits = [4] }\nqat = 'scratch'\n"),
              ElementsAre(HasSubstr("'options' has no effect: the grid names no 'schemes'"),
                          HasSubstr("'qat' has no effect")));
  // Rules in which a varied group would do nothing.
  EXPECT_THAT(WrongAfterHead(std::string(kOneGrid) +
                             "schemes = ['r']\noptions = { group = [8] }\n[scheme.r]\n"
                             "rules = [{ sites = '*', use = 'int', granularity = 'tensor' }]\n"),
              ElementsAre(HasSubstr("'group' has no effect, since 'granularity' is 'tensor'")));
}

// An unknown key hides no wrong value beside it.
TEST(RecipeProblems, ValuesOfASchemeAreCheckedBesideItsUnknownKeys) {
  EXPECT_THAT(WrongAfterHead("[scheme.w]\nuse = 'uniform'\nbits = 9\ngrp = 16\n" +
                             std::string(kOneGrid) + "schemes = ['w']\n"),
              AllOf(Contains(AllOf(HasSubstr("'grp'"), HasSubstr("'group'"))),
                    Contains(HasSubstr("'bits' is 9; it must be from 2 to 8"))));
  // With nothing else wrong the key is all that is said.
  EXPECT_THAT(WrongAfterHead("[scheme.w]\nuse = 'uniform'\nbits = 4\ngrp = 16\n" +
                             std::string(kOneGrid) + "schemes = ['w']\n"),
              ElementsAre(HasSubstr("'grp'")));
}

// What tells variants of a scheme apart that bits, group and granularity do not.
TEST(RecipeVariants, OptionsThatDifferAreNamed) {
  const auto recipe =
      Read(std::string(kHead) + "[scheme.w]\nuse = 'uniform'\nbits = 4\ngroup = 8\n" + kOneGrid +
           "schemes = ['w']\noptions = { group = [8, 16], clip = ['absmax', 'learned'] }\n" +
           "[[grid]]\nmodels = ['a']\ntokens = [1024]\nschemes = ['w']\nparts = ['weights']\n");
  ASSERT_TRUE(recipe.ok()) << recipe.status();
  std::vector<std::string> options;
  for (const SchemeVariant& variant : recipe->schemes) options.push_back(variant.options);
  EXPECT_THAT(options, ElementsAre("", "clip=absmax", "clip=learned", "clip=absmax", "clip=learned",
                                   "clip=absmax"));
}

TEST(RecipeVariants, OneRunUnderTwoNamesIsAskedForOnce) {
  const auto recipe =
      Read(std::string(kHead) + "[scheme.w]\nuse = 'uniform'\nbits = 4\ngroup = 8\n" +
           "[[grid]]\nmodels = ['a']\ntokens = [1024, 1030]\nschemes = ['w']\n"
           "qat = 'cooldown'\n"
           "[[grid]]\nmodels = ['a']\ntokens = [1024]\nschemes = ['w']\n"
           "qat = [{ fraction = 0.25 }, { fraction = 0.5 }]\n");
  ASSERT_TRUE(recipe.ok()) << recipe.status();
  // Full precision, the cooldown of a quarter, and the half.
  EXPECT_EQ(recipe->runs.size(), 3u);
}

TEST(RecipeProblems, OfBudgetsAndStarts) {
  const std::string scheme = "[scheme.w]\nuse = 'uniform'\n";
  const auto wrong = [&](const std::string& tokens, const std::string& qat,
                         const std::vector<std::string>& overrides = {}) {
    return WrongAfterHead(scheme + "[[grid]]\nmodels = ['a']\nschemes = ['w']\ntokens = " + tokens +
                              "\nqat = " + qat + "\n",
                          overrides);
  };
  EXPECT_THAT(wrong("[1024]", "{ fraction = 0 }"), IsEmpty());
  EXPECT_THAT(wrong("[63, 64, 128, 192]", "'scratch'"),
              ElementsAre("r.toml:25:11: budget 63, model 'a': less than one step of 64 tokens (4 "
                          "sequences of 16)",
                          HasSubstr("budget 64, model 'a': 1 steps of 64 tokens are too few for 2 "
                                    "steps of warm-up and 1 of cooldown"),
                          HasSubstr("budget 128, model 'a': 2 steps")));
  EXPECT_THAT(wrong("[1024]", "{ fraction = 0.01 }"),
              ElementsAre(HasSubstr("the fraction 0.01 of 16 steps is less than one step")));
  EXPECT_THAT(wrong("[1024]", "{ fraction = 1.5 }"),
              ElementsAre(HasSubstr("'fraction' is 1.5; it must be from 0 to 1")));
  EXPECT_THAT(wrong("[1024]", "{ share = 0.5 }"),
              ElementsAre(HasSubstr("or { extra_tokens = 65536 }, the last with a learning_rate")));
  EXPECT_THAT(wrong("[1024]", "{ extra_tokens = 640, learning_rate = 1e-3 }"), IsEmpty());
  EXPECT_THAT(wrong("[1024]", "{ extra_tokens = 63 }"),
              ElementsAre(HasSubstr("extra_tokens = 63 are less than one step of 64 tokens")));
  EXPECT_THAT(wrong("[1024]", "{ extra_tokens = 0.5 }"),
              ElementsAre(HasSubstr("it must be a whole number of at least 1")));
  EXPECT_THAT(wrong("[1024]", "{ extra_tokens = 640, learning_rate = 0 }"),
              ElementsAre(HasSubstr("'learning_rate' is 0; it must be above 0")));
  EXPECT_THAT(wrong("[1024]", "{ extra_tokens = 640, fraction = 0.5 }"),
              ElementsAre(HasSubstr("'qat' must be")));
  EXPECT_THAT(wrong("[1024]", "[{ extra_tokens = 640 }, { extra_tokens = 640 }]"),
              ElementsAre(HasSubstr("stands twice in 'qat'")));
  EXPECT_THAT(wrong("[1024]", "[]"), ElementsAre(HasSubstr("'qat' is an empty list")));
  EXPECT_THAT(wrong("[1024]", "['scratch', { fraction = 1 }]"),
              ElementsAre(HasSubstr("{ fraction = 1 } stands twice in 'qat'")));
  EXPECT_THAT(wrong("[1024]", "'cooldown'", {"training.schedule='cosine'"}),
              ElementsAre(HasSubstr("qat = \"cooldown\" needs training.schedule = \"wsd\"")));
  EXPECT_THAT(wrong("[]", "'scratch'"), ElementsAre(HasSubstr("'tokens' is an empty list")));
}

TEST(RecipeProblems, OfTrainingModelsAndFits) {
  EXPECT_THAT(WrongAfterHead(kOneGrid, {"training.micro_batch_sequences=3"}),
              ElementsAre(HasSubstr("training.micro_batch_sequences = 3 does not divide the 4 "
                                    "sequences of a step of [model.a]")));
  EXPECT_THAT(WrongAfterHead(kOneGrid, {"model.a.vocabulary=16"}),
              ElementsAre(HasSubstr("'vocabulary' is 16, but the data has 32 token ids")));
  // The data's default would contradict the model too, but the mistake is one.
  EXPECT_THAT(WrongAfterHead(kOneGrid, {"data.vocabulary=1", "model.a.vocabulary=16"}),
              ElementsAre(HasSubstr("'vocabulary' is 1; it must be at least 2")));
  EXPECT_THAT(WrongAfterHead(kOneGrid, {"training.warmup_steps=3"}),
              ElementsAre(HasSubstr("'warmup_steps' and 'warmup_tokens' are both given")));
  EXPECT_THAT(
      WrongAfterHead(kOneGrid, {"training.cooldown_fraction=0.5", "training.schedule='cosine'"}),
      ElementsAre(HasSubstr("'cooldown_fraction' has no effect under the schedule 'cosine'")));
  EXPECT_THAT(WrongAfterHead(kOneGrid, {"training.final_fraction=inf", "training.optimizer.beta1=1",
                                        "training.learning_rate=0", "data.exponent=nan"}),
              ElementsAre(HasSubstr("'exponent' is nan; it must be at least 0"),
                          HasSubstr("'final_fraction' is inf; it must be at least 0 and at most 1"),
                          HasSubstr("'learning_rate' is 0; it must be above 0"),
                          HasSubstr("'beta1' is 1; it must be at least 0 and below 1")));
  EXPECT_THAT(WrongAfterHead(kOneGrid, {"data.branching=64"}),
              ElementsAre(HasSubstr("'branching' is 64; it must be at most the vocabulary, 32")));
  EXPECT_THAT(
      WrongAfterHead(kOneGrid, {"data.source='txt'"}),
      ElementsAre(HasSubstr("'source' is \"txt\"; it must be 'text', 'tokens' or 'synthetic'; "
                            "nearest valid name: 'text'")));
  EXPECT_THAT(
      WrongAfterHead(std::string(kOneGrid) + "[[fit]]\nlaws = ['chinchila']\ntarget = 'd'\n"),
      ElementsAre(
          HasSubstr("there is no law 'chinchila'; nearest valid name: 'chinchilla'"),
          HasSubstr("'target' is \"d\", which no formula of 'laws' predicts; valid names: 'delta', "
                    "'loss', 'optimal_fraction'")));
  EXPECT_THAT(WrongAfterHead(std::string(kOneGrid) + "[start]\ncheckpoint = 3\n"),
              ElementsAre(HasSubstr("'checkpoint' must be text, not 3")));
  EXPECT_THAT(WrongAfterHead(std::string(kOneGrid) + "[training.groups.clip]\nlr = 3\n"),
              ElementsAre(HasSubstr("unknown key 'lr' in [training.groups.clip]")));
}

}  // namespace
}  // namespace qatlas::recipe
