#include "framework/observe/json_text.h"

#include <nlohmann/json.hpp>

#include "framework/observe/csv.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qatlas::observe {
namespace {

using ::testing::HasSubstr;

TEST(JsonText, SaysWhereAndWhat) {
  nlohmann::json json;
  EXPECT_FALSE(ParseJson(R"({"a": [1, "{[", 2.5]})", &json));
  EXPECT_EQ(json["a"][2], 2.5);
  const auto broken = ParseJson(R"({"a": )", &json);
  ASSERT_TRUE(broken);
  EXPECT_EQ(broken->what, "this is no JSON");
  EXPECT_EQ(broken->byte, 7u);
}

TEST(JsonText, RefusesNumbersBeyondDoubles) {
  nlohmann::json json;
  const auto problem = ParseJson("[1e999]", &json);
  ASSERT_TRUE(problem);
  EXPECT_THAT(problem->what, HasSubstr("too large"));
}

TEST(JsonText, RefusesDeepNesting) {
  EXPECT_FALSE(TooDeep(std::string(100, '[') + std::string(100, ']')));
  const auto problem = TooDeep(std::string(101, '['));
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->byte, 101u);
  // Side by side is not deep, nor are brackets in texts.
  std::string wide;
  for (int i = 0; i < 1000; ++i) wide += "[]";
  EXPECT_FALSE(TooDeep(wide));
  EXPECT_FALSE(TooDeep("\"" + std::string(500, '{') + "\\\"" + std::string(500, '[') + "\""));
}

// Found by fuzzing: the exception for a number that is too large ended the program.
TEST(JsonText, LinesWithImpossibleNumbersAreRefused) {
  for (const std::string line : {"1e999", R"({"N": -1e999})"}) {
    const auto table = ParseJsonLines("{\"N\": 1}\n" + line + "\n", "runs.jsonl");
    ASSERT_FALSE(table.ok());
    EXPECT_THAT(std::string(table.status().message()),
                HasSubstr("runs.jsonl:2:1: this holds a number"));
  }
}

TEST(JsonText, LinesThatAreNestedTooDeeplyAreRefused) {
  std::string line;
  for (int i = 0; i < 100'000; ++i) line += R"({"a":)";
  line += "1" + std::string(100'000, '}');
  const auto table = ParseJsonLines(line, "runs.jsonl");
  ASSERT_FALSE(table.ok());
  EXPECT_THAT(std::string(table.status().message()), HasSubstr("nested too deeply"));
}

}  // namespace
}  // namespace qatlas::observe
