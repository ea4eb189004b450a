#include "framework/plugin/options.h"

#include "framework/plugin/nearest.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qatlas::plugin {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

OptionDeclaration Declare(const char* name, int type, const char* value) {
  OptionDeclaration option;
  option.name = name;
  option.type = type;
  if (value != nullptr) option.default_text = value;
  EXPECT_TRUE(SetDefault(&option).ok());
  return option;
}

ComponentDeclaration Declarations() {
  ComponentDeclaration component;
  component.kind = QATLAS_KIND_QUANTIZER;
  component.name = "int";
  component.options = {
      Declare("bits", QATLAS_OPTION_INT, nullptr), Declare("ratio", QATLAS_OPTION_FLOAT, "1"),
      Declare("flag", QATLAS_OPTION_BOOL, "false"), Declare("mode", QATLAS_OPTION_STRING, "fast"),
      Declare("more", QATLAS_OPTION_TABLE, "{}")};
  component.options[0].minimum = 2;
  component.options[0].maximum = 8;
  component.options[0].help = "Bits of a code.";
  component.options[1].minimum = 0;
  component.options[3].choices = {"fast", "exact"};
  return component;
}

std::vector<std::string> Wrong(const std::string& text) {
  const auto node = ParseToml(text, "a.toml");
  EXPECT_TRUE(node.ok()) << node.status();
  Problems problems;
  ReadOptions(Declarations(), *node, {"use"}, &problems);
  std::vector<std::string> lines;
  for (const Problem& problem : problems.Sorted())
    lines.push_back(problem.where + ": " + problem.what);
  return lines;
}

TEST(Options, ConvertsAndFillsIn) {
  const auto node =
      ParseToml("use = 3\nbits = 4\nratio = 2\nmore = { a = 1.5, b = { c = 'x' } }", "a");
  Problems problems;
  const OptionTable table = ReadOptions(Declarations(), *node, {"use"}, &problems);
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(CanonicalText(table),
            "{bits = 4, flag = false, mode = \"fast\", more = {a = 1.5, b = {c = \"x\"}}, ratio = "
            "2.0}");
}

TEST(Options, CollectsAllProblemsWithTheirPlaces) {
  EXPECT_THAT(
      Wrong("bitz = 4\n"
            "ratio = -0.5\n"
            "flag = 'yes'\n"
            "mode = 'exakt'\n"
            "more = 3\n"),
      ElementsAre("a.toml:1:1: quantizer 'int' has no option 'bitz'; nearest valid name: "
                  "'bits'",
                  "a.toml:1:1: quantizer 'int' needs the option 'bits', a whole number: Bits "
                  "of a code.",
                  "a.toml:2:9: 'ratio' is -0.5; it must be at least 0",
                  "a.toml:3:8: 'flag' must be true or false, not \"yes\"",
                  "a.toml:4:8: 'mode' is \"exakt\"; it must be one of 'fast', 'exact'",
                  "a.toml:5:8: 'more' must be a table, not 3"));
}

TEST(Options, WholeNumbersAreFloatsButNotTheOtherWay) {
  EXPECT_THAT(Wrong("bits = 4\nratio = 3"), IsEmpty());
  EXPECT_THAT(Wrong("bits = 4.0"),
              ElementsAre("a.toml:1:8: 'bits' must be a whole number, not 4.0"));
  EXPECT_THAT(Wrong("bits = 4\nratio = nan"),
              ElementsAre("a.toml:2:9: 'ratio' is nan; it must be at least 0"));
  EXPECT_THAT(Wrong("bits = 9"), ElementsAre("a.toml:1:8: 'bits' is 9; it must be from 2 to 8"));
  EXPECT_THAT(Wrong("bits = [4]"),
              ElementsAre("a.toml:1:8: 'bits' must be a whole number, not a list"));
}

TEST(Nearest, FindsTypingMistakes) {
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3);
  EXPECT_EQ(EditDistance("abcd", "abdc"), 1);
  EXPECT_EQ(EditDistance("warmup-tokens", "Warmup_Tokens"), 0);
  EXPECT_EQ(EditDistance("", "abc"), 3);
  const std::vector<std::string> names = {"batch_sequences", "bits", "group", "granularity"};
  EXPECT_THAT(NearestNames("gruop", names), ElementsAre("group"));
  EXPECT_THAT(NearestNames("batch", names), ElementsAre("batch_sequences"));
  EXPECT_THAT(NearestNames("zzzzzz", names), IsEmpty());
  EXPECT_EQ(NearestHint("zzz", {"a", "b"}), "; valid names: 'a', 'b'");
  EXPECT_EQ(NearestHint("x", {}), "");
}

TEST(Document, RoundTripsThroughToml) {
  const char* text = R"(a = [1, -2.5, "q\"\\\n\t", true, [], {}]
"odd key" = 1e-300
d = 2024-01-02
)";
  const auto node = ParseToml(text, "a.toml");
  ASSERT_TRUE(node.ok()) << node.status();
  EXPECT_EQ(ToToml(*node), R"({ a = [1, -2.5, "q\"\\\n\t", true, [], {}], "odd key" = 1e-300, )"
                           "d = 2024-01-02 }");
  const auto again = ParseTomlValue(ToToml(*node), "here");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(ToToml(*again), ToToml(*node));
  EXPECT_EQ(again->Find("a")->where, "here");
}

TEST(Document, KeepsTheOrderAndPlacesOfTheFile) {
  const auto node = ParseToml("z = 1\n[m.b]\nx = 1\n[m.a]\ny = 2\n[[g]]\nk = 3\n", "f.toml");
  ASSERT_TRUE(node.ok());
  EXPECT_EQ(node->table[0].key, "z");
  EXPECT_EQ(node->table[1].key, "m");
  EXPECT_EQ(node->Find("m")->table[0].key, "b");
  EXPECT_EQ(node->Find("m")->table[1].key, "a");
  EXPECT_EQ(node->Find("m")->table[1].where, "f.toml:4:4");
  EXPECT_EQ(node->Find("m")->Find("a")->Find("y")->where, "f.toml:5:5");
  EXPECT_EQ(node->Find("g")->array[0].where, "f.toml:6:1");
}

TEST(Document, SaysWhereTomlIsBroken) {
  EXPECT_THAT(std::string(ParseToml("a = 1\nb = = 2\n", "f.toml").status().message()),
              ::testing::StartsWith("f.toml:2:5: not TOML: "));
  EXPECT_EQ(ParseTomlFile("/no/such/file").status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(ParseTomlValue("1\nb = 2", "x").ok());
  EXPECT_FALSE(ParseTomlValue("word", "x").ok());
}

TEST(Problems, SortsByPlaceAndDropsDoubles) {
  Problems problems;
  problems.Add("override 'a=1'", "last");
  problems.Add("f:10:2", "third");
  problems.Add("f:9:12", "second");
  problems.Add("f:9:2", "first");
  problems.Add("f:9:2", "first");
  EXPECT_EQ(problems.ToStatus().message(),
            "f:9:2: first\nf:9:12: second\nf:10:2: third\noverride 'a=1': last");
}

}  // namespace
}  // namespace qatlas::plugin
