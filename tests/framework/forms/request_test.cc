// Laws as people ask for them: texts and tables, and what is said where they are wrong.
#include "framework/forms/request.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/plugins/laws/laws.h"

namespace qatlas::forms {
namespace {

using qatlas::testing::Laws;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct Read {
  LawRequest request;
  std::vector<std::string> problems;
};
Read ReadToml(const std::string& toml, const std::string& target = "loss") {
  auto root = plugin::ParseToml("law = " + toml, "r.toml");
  EXPECT_TRUE(root.ok()) << root.status();
  plugin::Problems problems;
  Read read;
  read.request = ReadLaw(*root->Find("law"), Laws(), target, &problems);
  for (const plugin::Problem& problem : problems.Sorted()) {
    read.problems.push_back(problem.where + ": " + problem.what);
  }
  return read;
}
MadeLaw MakeRequested(const std::string& toml) {
  const Read read = ReadToml(toml);
  EXPECT_THAT(read.problems, IsEmpty());
  auto law = MakeLaw(read.request, Laws(), "loss");
  EXPECT_TRUE(law.ok()) << law.status();
  return *std::move(law);
}

TEST(LawRequest, TextsAreNamesSumsAndFormulas) {
  const LawRequest name = ReadToml("'qat-unified'").request;
  EXPECT_THAT(name.use, ElementsAre("qat-unified"));
  EXPECT_EQ(name.name, "qat-unified");
  const LawRequest sum = ReadToml("'chinchilla+qat-unified'").request;
  EXPECT_THAT(sum.use, ElementsAre("chinchilla", "qat-unified"));
  EXPECT_EQ(sum.name, "chinchilla + qat-unified");
  const LawRequest formula = ReadToml("' L = E + A/N^a '").request;
  EXPECT_EQ(formula.formula, "L = E + A/N^a");
  EXPECT_EQ(formula.name, "L = E + A/N^a");
  const LawRequest named = ReadToml("'mine: L = E + A/N^a'").request;
  EXPECT_EQ(named.formula, "L = E + A/N^a");
  EXPECT_EQ(named.name, "mine");
}

TEST(LawRequest, SumsPredictTheLossOfQuantizedRuns) {
  const MadeLaw law = MakeRequested("'chinchilla + qat-unified'");
  EXPECT_EQ(law.form->Spec().target, "loss");
  EXPECT_GE(law.form->Spec().ParameterIndex("gammaG"), 0);
  EXPECT_GE(law.form->Spec().ParameterIndex("alpha"), 0);
}

TEST(LawRequest, TablesSayAllThereIsToSay) {
  const Read read = ReadToml(
      "{ name = 'm', formula = 'E + A/N^a + B/D^b', fixed = { E = 1.7 }, tied = { b = 'a' }, "
      "per = { A = ['precision', 'seed'], B = 'seed' }, start = { a = [0.2, 0.4], A = '1..1e4', "
      "B = 5 }, bounds = { a = [0, 1] }, positive = ['A'], units = { A = 'nats' } }");
  EXPECT_THAT(read.problems, IsEmpty());
  const LawRequest& law = read.request;
  EXPECT_EQ(law.name, "m");
  EXPECT_EQ(law.fixed.at("E"), 1.7);
  EXPECT_EQ(law.tied.at("b"), "a");
  EXPECT_THAT(law.per.at("A"), ElementsAre("precision", "seed"));
  EXPECT_THAT(law.per.at("B"), ElementsAre("seed"));
  EXPECT_THAT(law.start.at("a"), ElementsAre(.2, .4));
  EXPECT_THAT(law.start.at("A"), SizeIs(5));
  EXPECT_DOUBLE_EQ(law.start.at("A")[1], 10);
  EXPECT_EQ(law.start.at("A").back(), 1e4);
  EXPECT_EQ(law.bounds.at("a"), (std::pair<double, double>(0, 1)));
  auto made = MakeLaw(law, Laws(), "loss");
  ASSERT_TRUE(made.ok()) << made.status();
  const LawSpec& spec = made->form->Spec();
  EXPECT_EQ(spec.parameters[spec.ParameterIndex("a")].upper, 1);
  EXPECT_EQ(spec.parameters[spec.ParameterIndex("A")].unit, "nats");
}

TEST(LawRequest, OverridesTheSpecOfPlugins) {
  const MadeLaw law = MakeRequested(
      "{ use = 'qat-unified', start = { k = [3] }, bounds = { gammaN = [0.5, 0.6] } }");
  const LawSpec& spec = law.form->Spec();
  EXPECT_THAT(spec.parameters[spec.ParameterIndex("k")].starts, ElementsAre(3));
  const LawParameter& exponent = spec.parameters[spec.ParameterIndex("gammaN")];
  EXPECT_EQ(exponent.lower, .5);
  for (double start : exponent.starts) {
    EXPECT_GT(start, .5);
    EXPECT_LT(start, .6);
  }
  // The same values.
  const std::vector<double> theta = {.2, .55, .1, .7};
  EXPECT_EQ(qatlas::testing::ValueAt(*law.form, theta, {1e8, 1e10, 64}),
            qatlas::testing::ValueAt(*qatlas::testing::Law("qat-unified"), theta, {1e8, 1e10, 64}));
}

TEST(LawRequest, PassesOptionsOn) {
  const MadeLaw law =
      MakeRequested("{ use = 'qat-size-only', options = { shared-exponent = true } }");
  const LawSpec& spec = law.form->Spec();
  EXPECT_THAT(spec.parameters[spec.ParameterIndex("gammaN")].per, IsEmpty());
}

TEST(LawRequest, ReportsAllProblemsAtOnce) {
  EXPECT_THAT(
      ReadToml("{ nmae = 'm', formula = 'L = E + A/N^a', fixed = { e = 1 }, start = { a = 'x' }, "
               "bounds = { A = [2, 1] }, tied = { a = 'b' }, options = {} }")
          .problems,
      ElementsAre("r.toml:1:9: unknown key 'nmae' in a law; nearest valid name: 'name'",
                  HasSubstr("fixed: the formula has no parameter 'e'; nearest valid name: 'E'"),
                  HasSubstr("'start' of 'a' must be a number, a list of numbers, or a range such "
                            "as \"0.1..10\", not \"x\""),
                  HasSubstr("'bounds' of 'A' must be [low, high], not a list"),
                  HasSubstr("tied: the formula has no parameter 'b'"),
                  HasSubstr("'options' belong to a law with one component in 'use'")));
}

TEST(LawRequest, SaysWhatALawNeeds) {
  const auto first = [](const std::string& toml) {
    const Read read = ReadToml(toml);
    return read.problems.empty() ? "fine" : read.problems[0];
  };
  EXPECT_THAT(first("3"), HasSubstr("a law must be text or a table, not 3"));
  EXPECT_THAT(first("{ name = 'x' }"), HasSubstr("a law needs 'use' or 'formula'"));
  EXPECT_THAT(first("{ use = 'chinchilla', formula = 'L = a*N' }"), HasSubstr("not both"));
  EXPECT_THAT(first("'qat-unifed'"), HasSubstr("nearest valid name: 'qat-unified'"));
  EXPECT_THAT(first("'chinchilla + qat-unifed'"), HasSubstr("nearest valid name: 'qat-unified'"));
  EXPECT_THAT(first("'a + b + c'"), HasSubstr("a sum is of two laws"));
  EXPECT_THAT(first("'L = E + / N'"), HasSubstr("character 9"));
  EXPECT_THAT(first("{ use = 'qat-size-only', options = { shraed-exponent = true } }"),
              HasSubstr("'shared-exponent'"));
  EXPECT_THAT(first("{ use = 'chinchilla', parameters = ['a'] }"), HasSubstr("with a formula"));
  EXPECT_THAT(first("{ formula = 'E + A/lr^b', parameters = ['E', 'A', 'c'] }"),
              HasSubstr("parameters: the formula has no parameter 'c'"));
}

TEST(LawRequest, ParametersOfPluginsAreCheckedWhenTheyAreMade) {
  const Read read =
      ReadToml("{ use = 'chinchilla', start = { alpha = 1 }, bounds = { x = [0, 1] } }");
  EXPECT_THAT(read.problems, IsEmpty());
  const auto law = MakeLaw(read.request, Laws());
  ASSERT_FALSE(law.ok());
  EXPECT_THAT(std::string(law.status().message()), HasSubstr("the law has no parameter 'x'"));
}

TEST(LawRequest, CommasWithinParenthesesDoNotPart) {
  EXPECT_THAT(SplitLaws("kaplan, L = E + pow(N, -a) ,mine: L = [a,b]"),
              ElementsAre("kaplan", "L = E + pow(N, -a)", "mine: L = [a,b]"));
  EXPECT_THAT(SplitLaws(""), IsEmpty());
}

}  // namespace
}  // namespace qatlas::forms
