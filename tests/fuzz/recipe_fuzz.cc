// Recipes.
#include "framework/recipe/reader.h"
#include "tests/framework/recipe/plugins.h"
#include "tests/fuzz/fuzz.h"

using namespace qatlas;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const plugin::Catalog& catalog = recipe::ThePlugins().catalog();
  const auto read = recipe::LoadText(fuzz::Text(data, size), "r.toml", {}, catalog);
  if (!read.ok()) {
    fuzz::CheckRefusal(read.status());
    return 0;
  }
  // The record of what was run is a recipe that says the same.
  const auto again = recipe::LoadText(read->text, "resolved.toml", {}, catalog);
  QATLAS_FUZZ_CHECK(again.ok(), absl::StrCat(read->text, "\n", again.status().ToString()));
  QATLAS_FUZZ_CHECK(again->text == read->text, absl::StrCat(read->text, "\n---\n", again->text));
  QATLAS_FUZZ_CHECK(again->runs.size() == read->runs.size(), read->text);
  return 0;
}
