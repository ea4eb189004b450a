// Manifests of plugins, and TOML as such.
#include "framework/plugin/document.h"
#include "framework/plugin/manifest.h"
#include "tests/fuzz/fuzz.h"

using namespace qatlas;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text = fuzz::Text(data, size);
  const auto node = plugin::ParseToml(text, "plugin.toml");
  if (!node.ok()) {
    fuzz::CheckRefusal(node.status());
  } else {
    for (const plugin::Entry& entry : node->table) {
      // What is written as TOML reads back as the same. Dates are kept as texts that stand for
      // them.
      const std::string written = plugin::ToToml(entry.value);
      const auto again = plugin::ParseTomlValue(written, "again");
      QATLAS_FUZZ_CHECK(again.ok(), absl::StrCat(written, ": ", again.status().ToString()));
      QATLAS_FUZZ_CHECK(plugin::ToToml(*again) == written, written);
    }
  }
  const fuzz::MemoryFile file(text);
  const auto manifest = plugin::ReadManifest(file.path());
  if (!manifest.ok()) {
    fuzz::CheckRefusal(manifest.status());
    return 0;
  }
  QATLAS_FUZZ_CHECK(!plugin::FirstDifference(*manifest, *manifest),
                    "a manifest differs from itself");
  return 0;
}
