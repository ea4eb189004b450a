#include "framework/plugin/document.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qatlas::plugin {
namespace {

using ::testing::HasSubstr;

// Found by fuzzing: toml++ asserts that a key begins as a key does before it says that it does not.
TEST(Document, HeadersThatBeginNoKeyAreRefused) {
  for (const std::string text : {"[.a]", "[[\x01]]", "[=]\n", "[ #", "[[,]]"}) {
    const auto node = ParseToml(text, "r.toml");
    ASSERT_FALSE(node.ok()) << text;
    EXPECT_THAT(std::string(node.status().message()), HasSubstr("r.toml:1:"));
    EXPECT_THAT(std::string(node.status().message()), HasSubstr("not TOML"));
  }
}

// Found by fuzzing: on most letters beyond ASCII outside of texts toml++ ran into what it declares
// unreachable.
TEST(Document, LettersOutsideOfQuotesAreRefused) {
  const auto node = ParseToml("a = 1\nb = é\n", "r.toml");
  ASSERT_FALSE(node.ok());
  EXPECT_EQ(std::string(node.status().message()),
            "r.toml:2:5: not TOML: 'é' stands outside of quotes");
  for (const std::string text :
       {"é = 1", "a = [1, é]", "a = { b = 1 }é", "[é]", "a = 1 é", "a = \xff"}) {
    EXPECT_FALSE(ParseToml(text, "r.toml").ok()) << text;
  }
  EXPECT_FALSE(ParseTomlValue("é", "override 'a=é'").ok());
}

TEST(Document, LettersWithinTextsAndCommentsAreNot) {
  for (const std::string text :
       {"a = \"é\" # é", "# é\na = 'é\\'", "a = \"\\\"é\"", "a = \"\"\"é\n\"é\"\"\"\"",
        "a = '''é''é'''''",
        "\xef\xbb\xbf"
        "a = \"é\"",
        "\"é\" = 1", "a = \"\" # \"é", "a = \"\"\"\\\"\"\"é\"\"\"", "a = '' # é"}) {
    const auto node = ParseToml(text, "r.toml");
    EXPECT_TRUE(node.ok()) << text << ": " << node.status();
  }
}

}  // namespace
}  // namespace qatlas::plugin
