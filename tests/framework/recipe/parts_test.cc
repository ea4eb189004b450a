#include "framework/recipe/parts.h"

#include <regex>

#include "absl/strings/str_join.h"
#include "fixture.h"
#include "framework/recipe/labels.h"

namespace qatlas::recipe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ResolvedRule Rule(const std::string& sites, const std::string& quantizer, int64_t bits = 4) {
  ResolvedRule rule{sites, {quantizer, {}, 5}};
  if (quantizer == "int" || quantizer == "lsq") {
    rule.quantizer.options.values = {
        {"bits", bits}, {"granularity", std::string("group")}, {"group", int64_t{32}}};
  }
  return rule;
}

// "sites=quantizer:bits" of each rule.
std::vector<std::string> Applied(const std::vector<ResolvedRule>& rules, const std::string& part) {
  const auto result = ApplyPart(rules, part, ThePlugins().catalog());
  if (!result.ok()) return {"error: " + std::string(result.status().message())};
  std::vector<std::string> lines;
  for (const ResolvedRule& rule : *result) {
    std::string line = rule.sites + "=" + rule.quantizer.component;
    auto bits = rule.quantizer.options.values.find("bits");
    if (bits != rule.quantizer.options.values.end()) {
      line += ":" + CanonicalText(bits->second);
    }
    lines.push_back(line);
  }
  return lines;
}

const std::vector<ResolvedRule>& Uniform() {
  static const auto* rules =
      new std::vector<ResolvedRule>{Rule("*.*.weight", "int"), Rule("*.*.input", "int")};
  return *rules;
}

TEST(Parts, NarrowPatterns) {
  EXPECT_THAT(Applied(Uniform(), "both"), ElementsAre("*.*.weight=int:4", "*.*.input=int:4"));
  EXPECT_THAT(Applied(Uniform(), "weights"), ElementsAre("*.*.weight=int:4"));
  EXPECT_THAT(Applied(Uniform(), "inputs"), ElementsAre("*.*.input=int:4"));
  EXPECT_THAT(Applied(Uniform(), "only:fc2"),
              ElementsAre("*.fc2.weight=int:4", "*.fc2.input=int:4"));
  EXPECT_THAT(Applied(Uniform(), "not:o"),
              ElementsAre("*.*.weight=int:4", "*.*.input=int:4", "*.o.*=none"));
  EXPECT_THAT(Applied(Uniform(), "fc2-8bit"),
              ElementsAre("*.*.weight=int:4", "*.*.input=int:4", "*.fc2.input=int:8"));
  EXPECT_THAT(Applied(Uniform(), "qkv-6bit"),
              ElementsAre("*.*.weight=int:4", "*.*.input=int:4", "*.qkv.input=int:6"));
}

TEST(Parts, KeepTheOrderOfOverriding) {
  const std::vector<ResolvedRule> rules = {Rule("*", "int"), Rule("0-1.*.*", "none"),
                                           Rule("*.{fc1,fc2}.{weight,input}", "lsq", 3),
                                           Rule("*.moe.*.weight", "int", 2)};
  EXPECT_THAT(Applied(rules, "weights"),
              ElementsAre("*.*.weight=int:4", "0-1.*.weight=none", "*.{fc1,fc2}.weight=lsq:3",
                          "*.moe.*.weight=int:2"));
  EXPECT_THAT(Applied(rules, "only:fc2"),
              ElementsAre("*.fc2.*=int:4", "0-1.fc2.*=none", "*.fc2.{weight,input}=lsq:3"));
  EXPECT_THAT(
      Applied(rules, "fc2-8bit"),
      ElementsAre("*=int:4", "*.fc2.input=int:8", "0-1.*.*=none",
                  "*.{fc1,fc2}.{weight,input}=lsq:3", "*.fc2.input=lsq:8", "*.moe.*.weight=int:2"));
}

TEST(Parts, RefuseWhatChangesNothing) {
  const std::vector<ResolvedRule> weights = {Rule("*.*.weight", "int")};
  EXPECT_THAT(Applied(weights, "inputs"), ElementsAre("error: it leaves nothing of the scheme"));
  // A control in full precision is what its rules say.
  EXPECT_THAT(Applied({Rule("*", "none")}, "both"), ElementsAre("*=none"));
  EXPECT_THAT(Applied(weights, "fc2-8bit"),
              ElementsAre("error: the scheme quantizes no input of the role 'fc2'"));
  EXPECT_THAT(Applied({Rule("*", "sign")}, "fc2-8bit"),
              ElementsAre("error: the quantizer 'sign' has no option 'bits'"));
  EXPECT_THAT(Applied(Uniform(), "fc2-9bit"),
              ElementsAre("error: 'bits' is 9; it must be from 2 to 8"));
  for (const char* good : {"both", "weights", "inputs", "fc2-8bit", "only:x", "not:x"}) {
    EXPECT_TRUE(CheckPart(good).ok()) << good;
  }
  for (const char* bad : {"", "only:", "not", "weight", "-8bit", "fc2-bit", "fc2-8bits"}) {
    EXPECT_FALSE(CheckPart(bad).ok()) << bad;
  }
  EXPECT_THAT(std::string(CheckPart("weight").message()),
              HasSubstr("nearest valid name: 'weights'"));
  EXPECT_EQ(RoleOfPart("only:fc1"), "fc1");
  EXPECT_EQ(RoleOfPart("fc2-8bit"), "fc2");
  EXPECT_EQ(RoleOfPart("weights"), "");
}

SchemeVariant Labelled(const std::vector<ResolvedRule>& rules) {
  SchemeVariant variant;
  variant.rules = rules;
  SetLabels(ThePlugins().catalog(), &variant);
  return variant;
}

TEST(Labels, OfTheUsualSchemes) {
  SchemeVariant variant = Labelled(Uniform());
  EXPECT_EQ(variant.weight_bits, 4);
  EXPECT_EQ(variant.input_bits, 4);
  EXPECT_EQ(variant.fc2_input_bits, std::nullopt);
  EXPECT_EQ(variant.group, 32);
  EXPECT_EQ(variant.quantizer, "int");
  EXPECT_EQ(variant.granularity, "group");

  variant = Labelled(
      {Rule("*.*.weight", "lsq", 3), Rule("*.*.input", "int"), Rule("*.fc2.input", "int", 8)});
  EXPECT_EQ(variant.weight_bits, 3);
  EXPECT_EQ(variant.input_bits, 4);
  EXPECT_EQ(variant.fc2_input_bits, 8);
  EXPECT_EQ(variant.quantizer, "lsq+int");

  variant = Labelled({Rule("*.fc2.*", "int", 3)});
  EXPECT_EQ(variant.weight_bits, 3);
  EXPECT_EQ(variant.input_bits, 3);
  EXPECT_EQ(variant.fc2_input_bits, std::nullopt);

  variant = Labelled({Rule("*.*.weight", "sign")});
  EXPECT_EQ(variant.weight_bits, 1);
  EXPECT_EQ(variant.input_bits, std::nullopt);
  EXPECT_EQ(variant.group, 0);
  EXPECT_EQ(variant.granularity, "channel");
}

TEST(Parts, ThePatternForEditorsAdmitsTheSame) {
  const std::regex pattern(kPartPattern);
  for (const std::string part :
       {"both", "weights", "inputs", "fc2-8bit", "qkv-16bit", "only:fc2", "not:o", "a-b-3bit"}) {
    EXPECT_TRUE(CheckPart(part).ok()) << part;
    EXPECT_TRUE(std::regex_match(part, pattern)) << part;
  }
  for (const std::string part :
       {"", "boths", "only:", "not:", "fc2-bit", "-8bit", "fc2-8bits", "Both"}) {
    EXPECT_FALSE(CheckPart(part).ok()) << part;
    EXPECT_FALSE(std::regex_match(part, pattern)) << part;
  }
}

TEST(Labels, OfRulesByRoleAndBlock) {
  // All roles are named, the first blocks stay in full precision.
  const SchemeVariant variant =
      Labelled({Rule("*.{qkv,o,fc1}.*", "int", 4), Rule("*.fc2.weight", "int", 4),
                Rule("*.fc2.input", "int", 8), Rule("0-1.*.*", "none")});
  EXPECT_EQ(variant.weight_bits, 4);
  EXPECT_EQ(variant.input_bits, 4);
  EXPECT_EQ(variant.fc2_input_bits, 8);
  SchemeVariant two = Labelled({Rule("*.*.weight", "int"), Rule("*.*.input", "int")});
  two.rules[1].quantizer.options.values["granularity"] = std::string("channel");
  SetLabels(ThePlugins().catalog(), &two);
  EXPECT_EQ(two.group, 32);
  EXPECT_EQ(two.input_group, 0);
  EXPECT_EQ(two.granularity, "group+token");
  two.rules[0].quantizer.options.values["granularity"] = std::string("channel");
  SetLabels(ThePlugins().catalog(), &two);
  EXPECT_EQ(two.granularity, "channel+token");
  two.rules.erase(two.rules.begin());
  SetLabels(ThePlugins().catalog(), &two);
  EXPECT_EQ(two.granularity, "token");
}

}  // namespace
}  // namespace qatlas::recipe
