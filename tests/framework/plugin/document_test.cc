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

}  // namespace
}  // namespace qatlas::plugin
