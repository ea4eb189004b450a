#include <filesystem>

#include "framework/plugin/document.h"
#include "framework/plugin/loader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "qatlas/scheme.h"
#include "tests/paths.h"

namespace qatlas {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The rules of a scheme as "sites quantizer {options}", or what is wrong.
std::vector<std::string> Rules(const std::string& name, const std::string& toml) {
  const auto catalog = plugin::Catalog::Scan({paths::Plugins()});
  const auto node = plugin::ParseToml(toml, "t");
  EXPECT_TRUE(node.ok()) << node.status();
  const auto options = plugin::OptionFromNode(*node);
  auto scheme = plugin::Create<Scheme>(catalog, name,
                                       *std::get<std::shared_ptr<const OptionTable>>(*options));
  if (!scheme.ok()) return {"error: " + std::string(scheme.status().message())};
  const auto rules = (*scheme)->Rules();
  EXPECT_TRUE(rules.ok());
  std::vector<std::string> lines;
  for (const SchemeRule& rule : *rules) {
    lines.push_back(rule.sites + " " + rule.quantizer + " " + CanonicalText(rule.options));
  }
  return lines;
}

TEST(Uniform, HandsOnOnlyWhatIsSet) {
  EXPECT_THAT(Rules("uniform", ""), ElementsAre("*.*.weight int {}", "*.*.input int {}"));
  EXPECT_THAT(Rules("uniform", "bits = 4\ngroup = 32\noptions = { divisor = 'chen' }"),
              ElementsAre("*.*.weight int {bits = 4, divisor = \"chen\", group = 32}",
                          "*.*.input int {bits = 4, divisor = \"chen\", group = 32}"));
}

TEST(Uniform, OperandsMayDiffer) {
  EXPECT_THAT(
      Rules("uniform",
            "quantizer = 'int'\nbits = 4\ngroup = 32\nweight_quantizer = 'lsq'\nweight_bits = 3\n"
            "input_granularity = 'channel'\noptions = { clip = 'absmax' }\n"
            "input_options = { clip = 'learned' }"),
      ElementsAre("*.*.weight lsq {bits = 3, clip = \"absmax\", group = 32}",
                  "*.*.input int {bits = 4, clip = \"learned\", granularity = \"channel\"}"));
  EXPECT_THAT(Rules("uniform", "inputs = false\nbits = 2"),
              ElementsAre("*.*.weight int {bits = 2}"));
  EXPECT_THAT(Rules("uniform", "weights = false\nbits = 2"),
              ElementsAre("*.*.input int {bits = 2}"));
}

TEST(Uniform, RefusesContradictions) {
  EXPECT_THAT(Rules("uniform", "weights = false\ninputs = false")[0],
              HasSubstr("nothing is left to quantize"));
  EXPECT_THAT(Rules("uniform", "bits = 4\noptions = { bits = 3 }")[0],
              HasSubstr("'bits' is set as an option of the scheme and in 'options'"));
  EXPECT_THAT(Rules("uniform", "granularity = 'channel'\nweight_group = 8")[0],
              HasSubstr("'weight_group' has no effect"));
  EXPECT_THAT(Rules("uniform", "granularity = 'tensor'\ngroup = 16")[0],
              HasSubstr("'group' has no effect: the granularity of the weights is 'tensor'"));
  EXPECT_THAT(Rules("uniform", "inputs = false\nweight_granularity = 'channel'\ngroup = 16")[0],
              HasSubstr("'group' has no effect: the granularity of the weights is 'channel'"));
  // It reaches one operand.
  EXPECT_THAT(
      Rules("uniform", "input_granularity = 'channel'\ngroup = 16"),
      ElementsAre("*.*.weight int {group = 16}", "*.*.input int {granularity = \"channel\"}"));
  EXPECT_THAT(Rules("uniform", "bits = -1")[0], HasSubstr("'bits' is -1; it must be from 0 to 64"));
}

TEST(MixedFc2, GivesTheInputOfFc2ItsOwn) {
  EXPECT_THAT(
      Rules("mixed-fc2", "bits = 4\ngroup = 32"),
      ElementsAre("*.*.weight int {bits = 4, group = 32}", "*.*.input int {bits = 4, group = 32}",
                  "*.fc2.input int {bits = 8, group = 32}"));
  EXPECT_THAT(Rules("mixed-fc2",
                    "bits = 4\nweight_bits = 3\ngranularity = 'group'\ngroup = 32\nfc2_bits = 6\n"
                    "fc2_granularity = 'channel'\noptions = { clip = 'absmax', divisor = 'half' }\n"
                    "fc2_options = { clip = 'learned' }"),
              ElementsAre("*.*.weight int {bits = 3, clip = \"absmax\", divisor = \"half\", "
                          "granularity = \"group\", group = 32}",
                          "*.*.input int {bits = 4, clip = \"absmax\", divisor = \"half\", "
                          "granularity = \"group\", group = 32}",
                          "*.fc2.input int {bits = 6, clip = \"learned\", divisor = \"half\", "
                          "granularity = \"channel\"}"));
}

TEST(MixedFc2, AnotherQuantizerDoesNotGetTheOptionsOfTheFirst) {
  EXPECT_THAT(Rules("mixed-fc2",
                    "bits = 4\nfc2_quantizer = 'lsq'\nfc2_bits = 0\n"
                    "options = { divisor = 'chen' }")[2],
              "*.fc2.input lsq {}");
  EXPECT_THAT(Rules("mixed-fc2", "fc2_granularity = 'channel'\nfc2_group = 8")[0],
              HasSubstr("'fc2_group' has no effect"));
  EXPECT_THAT(Rules("mixed-fc2", "granularity = 'channel'\ngroup = 8")[0],
              HasSubstr("'group' has no effect: the granularity is 'channel'"));
  EXPECT_THAT(
      Rules("mixed-fc2", "granularity = 'channel'\nfc2_granularity = 'group'\ngroup = 8")[2],
      HasSubstr("group = 8"));
  EXPECT_THAT(Rules("mixed-fc2", "fc2_options = { bits = 3 }")[0],
              HasSubstr("*.fc2.input: 'bits' is set"));
}

}  // namespace
}  // namespace qatlas
