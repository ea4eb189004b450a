// docs/conformance.md lists the checks that there are, in their words.
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "qatlas/conformance/check.h"
#include "tests/paths.h"

namespace qatlas::conformance {
namespace {

TEST(Docs, NameEveryCheck) {
  std::ifstream in(paths::Source() + "/docs/conformance.md");
  const std::string page(std::istreambuf_iterator<char>(in), {});
  const std::pair<const char*, absl::Span<const Check>> tables[] = {
      {"library", LibraryChecks()},
      {"component", ComponentChecks()},
      {"law", LawChecks()},
      {"scheme", SchemeChecks()},
  };
  for (const auto& [kind, checks] : tables) {
    std::string table =
        absl::StrCat("<!-- ", kind, " -->\n| check | what must hold |\n|---|---|\n");
    for (const Check& check : checks) {
      absl::StrAppend(&table, "| `", check.name, "` | ", check.prose, " |\n");
    }
    absl::StrAppend(&table, "\n");
    EXPECT_NE(page.find(table), std::string::npos) << "docs/conformance.md lacks this:\n" << table;
  }
}

}  // namespace
}  // namespace qatlas::conformance
