// Finding recipes by file or by the name of an installed one.
#ifndef QATLAS_FRAMEWORK_CLI_RECIPES_H_
#define QATLAS_FRAMEWORK_CLI_RECIPES_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "framework/cli/session.h"
#include "framework/recipe/recipe.h"

namespace qatlas::cli {

// The recipes that came with this build or install, sorted.
std::vector<std::filesystem::path> InstalledRecipes();
// The first sentence of a recipe's first comment, which lists show; "" where there is none.
std::string FirstSentence(const std::filesystem::path& file);

// A file as given, or the installed recipe of that name. NotFound lists the installed ones.
absl::StatusOr<std::filesystem::path> FindRecipe(const std::string& name);

// Which recipes a verb can use.
enum class RecipeUse {
  kTraining,  // those that train; one of [observations] is refused
  kAny,
};

// Finds, reads and validates a recipe; `code` is set for the failure.
absl::StatusOr<recipe::ResolvedRecipe> LoadRecipe(Session& session, const std::string& name,
                                                  const std::vector<std::string>& overrides,
                                                  ExitCode* code,
                                                  RecipeUse use = RecipeUse::kTraining);

}  // namespace qatlas::cli

#endif  // QATLAS_FRAMEWORK_CLI_RECIPES_H_
