// docs/recipes.md shows the keys of every section as the schema has them, and its examples load.
// QATLAS_UPDATE_DOCS=1 writes the tables anew.
#include <cstdlib>
#include <set>

#include "fixture.h"
#include "framework/plugin/document.h"
#include "framework/recipe/schema.h"
#include "tests/paths.h"

namespace qatlas::recipe {
namespace {

std::string DocsFile() { return paths::Source() + "/docs/recipes.md"; }

std::string ReadFile(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

TEST(Docs, TablesAreThoseOfTheSchema) {
  std::string text = ReadFile(DocsFile());
  const std::string before = text;
  for (const SectionSpec& section : Schema()) {
    const std::string name =
        section.variant.empty() ? section.name : absl::StrCat(section.name, " ", section.variant);
    const std::string begin = absl::StrCat("<!-- keys: ", name, " -->\n");
    const size_t at = text.find(begin);
    ASSERT_NE(at, std::string::npos) << "docs/recipes.md lacks the line " << begin;
    const size_t end = text.find("<!-- end -->", at);
    ASSERT_NE(end, std::string::npos);
    const size_t from = at + begin.size();
    text.replace(from, end - from, KeysAsMarkdown(section));
  }
  if (std::getenv("QATLAS_UPDATE_DOCS") != nullptr) {
    std::ofstream(DocsFile()) << text;
  } else {
    EXPECT_EQ(text, before) << "run this test with QATLAS_UPDATE_DOCS=1";
  }
}

TEST(Docs, ListTheKeysOfALaw) {
  const std::string text = ReadFile(DocsFile());
  for (const forms::LawKey& key : forms::LawTableKeys()) {
    EXPECT_NE(text.find(absl::StrCat("| `", key.name, "` | ", key.help, " |\n")), std::string::npos)
        << key.name;
  }
}

// Blocks marked as TOML that have a [[grid]] and [data] are whole recipes.
TEST(Docs, ExamplesLoad) {
  const std::string text = ReadFile(DocsFile());
  int loaded = 0;
  size_t at = 0;
  while ((at = text.find("```toml\n", at)) != std::string::npos) {
    const size_t begin = at + 8;
    const size_t end = text.find("```", begin);
    ASSERT_NE(end, std::string::npos);
    const std::string example = text.substr(begin, end - begin);
    at = end + 3;
    EXPECT_TRUE(plugin::ParseToml(example, "example").ok()) << example;
    if (example.find("[data]") == std::string::npos ||
        example.find("[[grid]]") == std::string::npos) {
      continue;
    }
    const auto recipe = Read(example);
    EXPECT_TRUE(recipe.ok()) << recipe.status() << "\n" << example;
    ++loaded;
  }
  EXPECT_GE(loaded, 2);
}

TEST(Schema, NamesAreUniqueAndEveryKeyHasHelp) {
  for (const SectionSpec& section : Schema()) {
    std::set<std::string> names;
    EXPECT_FALSE(section.help.empty());
    for (const KeySpec& key : section.keys) {
      EXPECT_TRUE(names.insert(key.name).second) << section.Title() << " " << key.name;
      EXPECT_GT(key.help.size(), 8u) << section.Title() << " " << key.name;
      EXPECT_FALSE(key.required && key.fallback) << section.Title() << " " << key.name;
    }
  }
}

}  // namespace
}  // namespace qatlas::recipe
