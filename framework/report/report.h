// The whole report: one HTML file, and beside it JSON and CSV of everything shown.
#ifndef QATLAS_FRAMEWORK_REPORT_REPORT_H_
#define QATLAS_FRAMEWORK_REPORT_REPORT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "framework/compare/compare.h"
#include "framework/decompose/decompose.h"
#include "framework/observe/table.h"
#include "framework/report/html.h"
#include "nlohmann/json.hpp"

namespace qatlas::report {

// What one comparison was made of.
struct ComparedLaws {
  std::string id;     // "laws-delta"
  std::string title;  // "Which law describes δ"
  observe::Table table;
  compare::Comparison comparison;
};

// All that a report may show; a part that is empty gives no section.
struct Inputs {
  std::string title;
  std::string description;
  observe::Table observations;
  const decompose::Decomposition* decomposition = nullptr;
  observe::Table sites;         // as of decompose::AppendSites
  observe::Table site_history;  // the same while training, with a column `tokens`
  std::vector<ComparedLaws> laws;
  nlohmann::json provenance = nlohmann::json::object();
  std::vector<std::string> notes;  // failed runs, rows left out: shown at the top
};

Page MakePage(const Inputs& inputs);

// Files of a page in its folder: report.html, report.json (every figure and table with its data)
// and data/<id>.csv.
std::vector<std::string> FilesOf(const Page& page);

// Writes them, all or, where one cannot be written, none. Makes the folder.
absl::Status WriteReport(const Page& page, const std::string& folder);

}  // namespace qatlas::report

#endif  // QATLAS_FRAMEWORK_REPORT_REPORT_H_
