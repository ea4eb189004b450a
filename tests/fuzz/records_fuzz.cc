// Results and site statistics, which studies and reports read back.
#include "framework/decompose/sites.h"
#include "framework/runs/records.h"
#include "tests/fuzz/fuzz.h"

using namespace qatlas;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text = fuzz::Text(data, size);
  const nlohmann::json json = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  if (!json.is_discarded()) {
    const auto result = runs::ResultFromJson(json);
    if (!result.ok()) fuzz::CheckRefusal(result.status());
    const auto row = runs::SiteRow(json);
    if (!row.ok()) fuzz::CheckRefusal(row.status());
  }
  const auto log = runs::SiteLogFromText(text);
  if (!log.ok()) {
    fuzz::CheckRefusal(log.status());
  } else {
    observe::Table table;
    for (const auto& [step, sites] : *log) {
      for (const nlohmann::json& site : sites) {
        const auto row = runs::SiteRow(site);
        if (!row.ok()) continue;
        const absl::Status status = table.Append(*row);
        QATLAS_FUZZ_CHECK(status.ok(), status.ToString());
      }
    }
  }
  observe::Table table;
  const absl::Status status = decompose::AppendSites(text, "sites.json", "run", table);
  if (!status.ok()) fuzz::CheckRefusal(status);
  return 0;
}
