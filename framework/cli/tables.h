// What the verbs of the laboratory start from: a table of runs, or a recipe that says how to read
// one.
#ifndef QATLAS_FRAMEWORK_CLI_TABLES_H_
#define QATLAS_FRAMEWORK_CLI_TABLES_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "framework/cli/session.h"
#include "framework/observe/load.h"
#include "framework/recipe/recipe.h"

namespace qatlas::cli {

// By the ending: .csv, .tsv, .jsonl, .ndjson.
bool IsTable(const std::string& name);

// How [observations] of a recipe is read.
absl::StatusOr<observe::LoadSpec> LoadSpecOf(const recipe::ObservationsSettings& settings);

struct TableSource {
  observe::Loaded loaded;
  std::optional<recipe::ResolvedRecipe> recipe;  // where the source was one
};

// Reads a table by its ending, or the observations of a recipe (a .toml file, or the name of an
// installed one). `mapping` are "column=expression" items with "where=condition" and
// "units.column=factor" among them (framework/observe/import.h); they take the place of a recipe's
// own. Rows are paired where the table has what that needs. Errors: as Load has them; a recipe
// without [observations].
absl::StatusOr<TableSource> ReadSource(Session& session, const std::string& source,
                                       const std::vector<std::string>& mapping,
                                       const std::vector<std::string>& overrides = {});

}  // namespace qatlas::cli

#endif  // QATLAS_FRAMEWORK_CLI_TABLES_H_
