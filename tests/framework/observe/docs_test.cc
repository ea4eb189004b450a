// The documentation's example and table of columns must say what the code does.
#include <gtest/gtest.h>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "framework/observe/atomic_file.h"
#include "framework/observe/csv.h"
#include "framework/observe/pairs.h"
#include "framework/observe/schema.h"
#include "tests/paths.h"

namespace qatlas::observe {
namespace {

std::string Documentation() {
  const auto text = ReadWholeFile(paths::Source() + "/docs/observations.md");
  EXPECT_TRUE(text.ok()) << text.status();
  return text.ok() ? *text : "";
}

TEST(DocsTest, TheExampleReadsAndPairs) {
  const std::string text = Documentation();
  const std::string fence = "```csv\n";
  const size_t begin = text.find(fence) + fence.size();
  const auto table = ParseCsv(text.substr(begin, text.find("```", begin) - begin), "example");
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(table->rows(), 4u);
  for (const std::string& name : table->names()) {
    EXPECT_NE(FindStandardColumn(name), nullptr) << name;
  }
  PairingRule rule;
  rule.recompute = true;
  const auto pairing = PairRuns(*table, rule);
  ASSERT_TRUE(pairing.ok()) << pairing.status();
  ASSERT_EQ(pairing->quantized.size(), 2u);
  for (size_t row : pairing->quantized) {
    EXPECT_NEAR(pairing->table.NumberAt(row, "delta"), table->NumberAt(row, "delta"), 1e-12);
  }
  EXPECT_EQ(pairing->unpaired.size(), 1u);
}

TEST(DocsTest, EveryStandardColumnIsExplained) {
  const std::string text = Documentation();
  for (const StandardColumn& column : StandardColumns()) {
    const char* kind = column.kind == ColumnKind::kNumber ? "number" : "text";
    EXPECT_TRUE(absl::StrContains(text, absl::StrCat("| `", column.name, "` | ", kind, " |")))
        << column.name;
  }
}

}  // namespace
}  // namespace qatlas::observe
