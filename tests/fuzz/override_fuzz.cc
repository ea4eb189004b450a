// Overrides of a recipe on the command line, one a line.
#include <absl/strings/str_split.h>

#include "framework/recipe/reader.h"
#include "tests/framework/recipe/plugins.h"
#include "tests/fuzz/fuzz.h"

using namespace qatlas;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string text = absl::StrCat(recipe::kHead, R"(
[scheme.w4]
rules = [{ sites = "*.*.weight", use = "int", bits = 4 }]

[scheme.all]
use = "uniform"

[[grid]]
name = "main"
models = ["a"]
tokens = [16384]
schemes = ["w4", "all"]

[[fit]]
laws = ["chinchilla"]
)");
  const plugin::Catalog& catalog = recipe::ThePlugins().catalog();
  const std::vector<std::string> overrides =
      absl::StrSplit(fuzz::Text(data, size), '\n', absl::SkipEmpty());
  const auto read = recipe::LoadText(text, "r.toml", overrides, catalog);
  if (!read.ok()) {
    fuzz::CheckRefusal(read.status());
    return 0;
  }
  const auto again = recipe::LoadText(read->text, "resolved.toml", {}, catalog);
  QATLAS_FUZZ_CHECK(again.ok(), absl::StrCat(read->text, "\n", again.status().ToString()));
  QATLAS_FUZZ_CHECK(again->text == read->text, absl::StrCat(read->text, "\n---\n", again->text));
  return 0;
}
