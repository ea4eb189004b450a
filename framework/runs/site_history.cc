#include "framework/runs/site_history.h"

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "framework/observe/atomic_file.h"
#include "framework/runs/files.h"
#include "framework/runs/records.h"
#include "nlohmann/json.hpp"
#include "qatlas/check.h"

namespace qatlas::runs {
namespace {

namespace fs = std::filesystem;

absl::Status Damaged(const fs::path& path) {
  return absl::DataLossError(
      absl::StrCat(path.string(), " holds no site statistics; it was damaged"));
}

// Records of one segment: step → array of sites.
using Records = std::map<int64_t, nlohmann::json>;

absl::Status ReadEnd(const fs::path& path, int64_t end_step, Records* records) {
  std::error_code error;
  if (!fs::exists(path, error)) return absl::OkStatus();
  QATLAS_ASSIGN_OR_RETURN(nlohmann::json json, ReadJson(path));
  if (!json.is_array()) return Damaged(path);
  (*records)[end_step] = std::move(json);
  return absl::OkStatus();
}

absl::Status ReadLog(const fs::path& path, Records* records) {
  std::error_code error;
  if (!fs::exists(path, error)) return absl::OkStatus();
  QATLAS_ASSIGN_OR_RETURN(const std::string text, observe::ReadWholeFile(path.string()));
  absl::StatusOr<Records> log = SiteLogFromText(text);
  if (!log.ok()) return Damaged(path);
  for (auto& [step, sites] : *log) (*records)[step] = std::move(sites);
  return absl::OkStatus();
}

absl::Status AppendRecord(const PlannedRun& run, int64_t step, const nlohmann::json& sites,
                          observe::Table* table) {
  const double tokens_per_step = static_cast<double>(run.tokens) / static_cast<double>(run.steps);
  for (const nlohmann::json& site : sites) {
    absl::StatusOr<observe::Table::Row> cells = SiteRow(site);
    if (!cells.ok()) {
      return absl::DataLossError(
          absl::StrCat("run ", run.name, ", step ", step, ": ", cells.status().message()));
    }
    observe::Table::Row row = {{"run", run.name},
                               {"step", static_cast<double>(step)},
                               {"tokens", tokens_per_step * static_cast<double>(step)}};
    row.insert(row.end(), cells->begin(), cells->end());
    QATLAS_RETURN_IF_ERROR(table->Append(row));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<observe::Table> GatherSiteHistory(const Plan& plan, const Store& store) {
  observe::Table table;
  for (const PlannedRun& run : plan.runs) {
    if (!store.Finished(plan.segments[run.segments.back()].spec.id)) continue;
    std::set<int> shared;
    if (run.baseline >= 0) {
      const std::vector<int>& path = plan.runs[run.baseline].segments;
      shared.insert(path.begin(), path.end());
    }
    Records records;
    for (int index : run.segments) {
      const recipe::SegmentSpec& spec = plan.segments[index].spec;
      if (shared.count(index) != 0 || !store.Finished(spec.id)) continue;
      // Where two segments meet, the later one's record stands: its quantizers may be new.
      QATLAS_RETURN_IF_ERROR(ReadLog(store.SegmentFolder(spec.id) / kSiteLogFile, &records));
      QATLAS_RETURN_IF_ERROR(
          ReadEnd(store.SegmentFolder(spec.id) / kSitesFile, spec.end_step, &records));
    }
    for (const auto& [step, sites] : records) {
      QATLAS_RETURN_IF_ERROR(AppendRecord(run, step, sites, &table));
    }
  }
  return table;
}

}  // namespace qatlas::runs
