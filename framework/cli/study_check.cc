#include "framework/cli/study_check.h"

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "framework/observe/atomic_file.h"
#include "framework/plugin/document.h"
#include "qatlas/check.h"

namespace qatlas::cli {
namespace {

namespace fs = std::filesystem;

// What a resolved recipe says of the runs.
absl::StatusOr<nlohmann::json> OfRuns(const std::string& text, const std::string& file) {
  QATLAS_ASSIGN_OR_RETURN(const plugin::Node root, plugin::ParseToml(text, file));
  nlohmann::json json = plugin::NodeToJson(root);
  for (const char* section : {"recipe", "fit", "report"}) json.erase(section);
  return json;
}

// "grid.0.schemes", of JSON's "/grid/0/schemes/1".
std::string FirstDifference(const nlohmann::json& ours, const nlohmann::json& theirs) {
  const nlohmann::json patch = nlohmann::json::diff(theirs, ours);
  if (patch.empty()) return "";
  return absl::StrReplaceAll(patch[0]["path"].get<std::string>().substr(1), {{"/", "."}});
}

absl::StatusOr<nlohmann::json> ReadStudyJson(const fs::path& path) {
  QATLAS_ASSIGN_OR_RETURN(const std::string text, observe::ReadWholeFile(path.string()));
  nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) {
    return absl::DataLossError(absl::StrCat(path.string(), " is no JSON; it was damaged"));
  }
  return json;
}

// Results are written when a sweep ends, the plan when it begins.
absl::StatusOr<bool> ResultsAreOfPlan(const fs::path& study) {
  QATLAS_ASSIGN_OR_RETURN(const nlohmann::json plan, ReadStudyJson(study / "plan.json"));
  QATLAS_ASSIGN_OR_RETURN(const nlohmann::json results, ReadStudyJson(study / "runs.json"));
  const nlohmann::json runs = plan.value("runs", nlohmann::json::array());
  if (runs.size() != results.size()) return false;
  for (const nlohmann::json& run : runs) {
    const auto found = results.find(run.value("run", ""));
    if (found == results.end() || !found->is_object()) return false;
    if (found->value("segments", nlohmann::json()) != run.value("segments", nlohmann::json())) {
      return false;
    }
  }
  return true;
}

}  // namespace

absl::Status CheckStudyIsOf(const std::string& text, const fs::path& study) {
  const fs::path resolved = study / "recipe.resolved.toml";
  QATLAS_ASSIGN_OR_RETURN(const std::string before, observe::ReadWholeFile(resolved.string()));
  QATLAS_ASSIGN_OR_RETURN(const nlohmann::json theirs, OfRuns(before, resolved.string()));
  QATLAS_ASSIGN_OR_RETURN(const nlohmann::json ours, OfRuns(text, "the recipe"));
  if (const std::string key = FirstDifference(ours, theirs); !key.empty()) {
    return absl::FailedPreconditionError(absl::StrCat("the results in ", study.string(),
                                                      " are of another recipe or of other ",
                                                      "overrides: '", key, "' differs"));
  }
  QATLAS_ASSIGN_OR_RETURN(const bool current, ResultsAreOfPlan(study));
  if (current) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the results in ", study.string(), " are older than its last plan"));
}

}  // namespace qatlas::cli
