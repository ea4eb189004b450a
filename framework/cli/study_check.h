// Whether what lies in a study's folder belongs to a recipe.
#ifndef QATLAS_FRAMEWORK_CLI_STUDY_CHECK_H_
#define QATLAS_FRAMEWORK_CLI_STUDY_CHECK_H_

#include <filesystem>
#include <string>

#include "absl/status/status.h"

namespace qatlas::cli {

// A study goes by its recipe's name, so its folder may hold the results of another recipe, or of
// other overrides. `text` is the resolved recipe (ResolvedRecipe::text); what it says of fits and
// the report may differ from what the folder was trained for. FailedPrecondition names the first
// key that differs, or says that the results are older than the plan; NotFound without results.
absl::Status CheckStudyIsOf(const std::string& text, const std::filesystem::path& study);

}  // namespace qatlas::cli

#endif  // QATLAS_FRAMEWORK_CLI_STUDY_CHECK_H_
