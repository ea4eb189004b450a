// From observations to a report: decomposition, comparison of laws, one HTML file.
#ifndef QATLAS_FRAMEWORK_CLI_ANALYSIS_H_
#define QATLAS_FRAMEWORK_CLI_ANALYSIS_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "framework/cli/lab.h"
#include "framework/cli/session.h"
#include "framework/observe/table.h"
#include "framework/recipe/recipe.h"
#include "nlohmann/json.hpp"

namespace qatlas::cli {

// What an analysis starts from.
struct AnalysisInputs {
  std::string title;
  std::string description;
  observe::Table observations;   // paired
  nlohmann::ordered_json sites;  // run → array of site statistics; null: none
  observe::Table site_history;   // the same during training (docs/observations.md)
  std::vector<LabSettings> fits;
  nlohmann::json provenance = nlohmann::json::object();
  std::vector<std::string> notes;
};

// What an analysis made.
struct Analysis {
  std::filesystem::path page;  // the HTML file
  // Fits and decompositions that could not be made, and why; the page says them too.
  std::vector<std::string> failures;
};

// Decomposes (where there are pairs), compares the laws of every fit, and writes into `folder`
//   decomposition.json, fits/<fit>.json, report/report.html, report/report.json,
//   report/data/*.csv, and analysis.json, which lists these.
// A fit that cannot be made is one of the failures, not an error. What an earlier analysis wrote
// there and this one did not is removed.
absl::StatusOr<Analysis> Analyze(Session& session, AnalysisInputs inputs,
                                 const std::filesystem::path& folder);

// Says the failures on stderr; kDone, or kBadInput where there are any.
ExitCode SayFailures(const std::vector<std::string>& failures);

// The settings of a recipe's [[fit]] tables.
std::vector<LabSettings> FitsOf(const recipe::ResolvedRecipe& recipe);

// Inputs from a study's folder: observations.csv, sites.json, site_history.csv, provenance.json
// where they are.
absl::StatusOr<AnalysisInputs> InputsOfStudy(const recipe::ResolvedRecipe& recipe,
                                             const std::filesystem::path& folder);

}  // namespace qatlas::cli

#endif  // QATLAS_FRAMEWORK_CLI_ANALYSIS_H_
