// What a command line says of laws and their parameters.
#include "framework/cli/lab_laws.h"

#include <algorithm>

#include "framework/fit/loss.h"
#include "framework/recipe/schema.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/paths.h"

namespace qatlas::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LabLaws : public ::testing::Test {
 protected:
  LabLaws() {
    session_.plugin_path = {paths::Plugins()};
    EXPECT_TRUE(rows_.SetNumbers("N", {1e7, 1e8}).ok());
    EXPECT_TRUE(rows_.SetNumbers("D", {1e9, 1e10}).ok());
    EXPECT_TRUE(rows_.SetNumbers("lr", {1e-4, 1e-2}).ok());
    settings_.target = "loss";
  }
  absl::StatusOr<std::vector<LabLaw>> Make(const ParameterItems& items = {}) {
    if (absl::Status status = ReadParameterItems(items, &settings_); !status.ok()) return status;
    return MakeLaws(session_, settings_, rows_);
  }
  std::string Wrong(const ParameterItems& items) {
    settings_ = {};
    settings_.target = "loss";
    settings_.laws = {"chinchilla"};
    const auto laws = Make(items);
    return laws.ok() ? "fine" : std::string(laws.status().message());
  }

  Session session_;
  observe::Table rows_;
  LabSettings settings_;
};

TEST_F(LabLaws, NumericColumnsAreCovariatesOfFormulas) {
  settings_.laws = {"L = E + A/N^a + c*lr"};
  const auto laws = Make();
  ASSERT_TRUE(laws.ok()) << laws.status();
  const LawSpec& spec = (*laws)[0].law.form->Spec();
  EXPECT_EQ(spec.CovariateIndex("lr"), 1);
  EXPECT_EQ(spec.parameters.size(), 4u);
  EXPECT_FALSE((*laws)[0].law.assumptions.empty());
}

TEST_F(LabLaws, WhatIsSaidGoesToTheLawsThatHaveTheParameter) {
  settings_.laws = {"chinchilla", "mine: L = E + A/N^a"};
  ParameterItems items;
  items.fixed = {"alpha=0.3"};
  items.tied = {"beta=alpha"};
  items.per = {"A=precision,seed", "E="};
  items.start = {"a=0.1,0.2", "B=1..100"};
  items.bounds = {"a=0..1"};
  const auto laws = Make(items);
  ASSERT_TRUE(laws.ok()) << laws.status();
  const LabLaw& plugin = (*laws)[0];
  const LabLaw& formula = (*laws)[1];
  EXPECT_EQ(plugin.law.fixed.at("alpha"), .3);
  EXPECT_THAT(formula.law.fixed, IsEmpty());
  EXPECT_EQ(plugin.law.tied.at("beta"), "alpha");
  EXPECT_THAT(formula.law.per.at("A"), ElementsAre("precision", "seed"));
  EXPECT_THAT(formula.law.per.at("E"), IsEmpty());
  const LawSpec& spec = plugin.law.form->Spec();
  EXPECT_EQ(spec.parameters[spec.ParameterIndex("B")].starts.size(), 5u);
  const LawSpec& own = formula.law.form->Spec();
  EXPECT_THAT(own.parameters[own.ParameterIndex("a")].starts, ElementsAre(.1, .2));
  EXPECT_EQ(own.parameters[own.ParameterIndex("a")].upper, 1);
}

TEST_F(LabLaws, ItemsThatFitNothingAreErrors) {
  ParameterItems items;
  items.fixed = {"alpah=0.3"};
  EXPECT_THAT(Wrong(items), HasSubstr("fix: no law has a parameter 'alpah'; nearest valid name: "
                                      "'alpha'"));
  items.fixed = {"alpha"};
  EXPECT_THAT(Wrong(items), HasSubstr("--fix alpha: must be parameter=number"));
  items = {};
  items.start = {"alpha=x"};
  EXPECT_THAT(Wrong(items), HasSubstr("--start alpha=x: must be parameter=number,number"));
  items = {};
  items.bounds = {"alpha=1..0"};
  EXPECT_THAT(Wrong(items), HasSubstr("--bounds alpha=1..0: must be parameter=low..high"));
  items = {};
  items.tied = {"beta=gamma"};
  EXPECT_THAT(Wrong(items), HasSubstr("tie: no law has a parameter 'gamma'"));
}

TEST_F(LabLaws, SumsDescribeBothKindsOfRuns) {
  settings_.laws = {"chinchilla"};
  EXPECT_FALSE(DescribeBoth(session_, settings_));
  settings_.laws = {"chinchilla + qat-unified"};
  EXPECT_TRUE(DescribeBoth(session_, settings_));
}

TEST(RecipeLosses, AreThoseOfTheFit) {
  std::vector<std::string> known = fit::LossNames();
  known.push_back("hoffmann");
  std::vector<std::string> choices = recipe::Section("fit").Find("loss")->choices;
  std::sort(known.begin(), known.end());
  std::sort(choices.begin(), choices.end());
  EXPECT_EQ(choices, known);
}

}  // namespace
}  // namespace qatlas::cli
