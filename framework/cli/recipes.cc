#include "framework/cli/recipes.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "framework/recipe/reader.h"

namespace qatlas::cli {

namespace fs = std::filesystem;
namespace {

// A component that is missing because its library is broken is no mistake of the recipe.
absl::Status BrokenPlugin(const plugin::Catalog& catalog, const absl::Status& status) {
  for (const plugin::PassedOver& passed : catalog.passed_over()) {
    if (passed.broken && absl::StrContains(status.message(), passed.path)) {
      return absl::FailedPreconditionError(absl::StrCat(passed.path, ": ", passed.reason));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<fs::path> InstalledRecipes() {
  std::vector<fs::path> files;
  for (const fs::path& folder : Session::RecipeFolders()) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      if (entry.path().extension() == ".toml") files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string FirstSentence(const fs::path& file) {
  std::ifstream in(file);
  std::string line, text;
  while (std::getline(in, line) && line.rfind("#", 0) == 0) {
    if (line.size() > 2) {
      absl::StrAppend(&text, text.empty() ? "" : " ", line.substr(2));
    } else if (!text.empty()) {
      break;
    }
  }
  // "al. 2025" ends no sentence, so a capital must follow.
  for (size_t end = text.find(". "); end != std::string::npos; end = text.find(". ", end + 1)) {
    if (end + 2 < text.size() && std::isupper(static_cast<unsigned char>(text[end + 2])) != 0) {
      return text.substr(0, end + 1);
    }
  }
  return text;
}

// A file as given, or the installed recipe of that name.
absl::StatusOr<fs::path> FindRecipe(const std::string& name) {
  if (fs::is_regular_file(name)) return fs::path(name);
  for (const fs::path& file : InstalledRecipes()) {
    if (file.stem() == name || file.filename() == name) return file;
  }
  std::string known;
  for (const fs::path& file : InstalledRecipes()) {
    absl::StrAppend(&known, known.empty() ? "" : ", ", file.stem().string());
  }
  return absl::NotFoundError(absl::StrCat("no recipe '", name,
                                          "': neither a file nor an installed one (",
                                          known.empty() ? "none installed" : known, ")"));
}

absl::StatusOr<recipe::ResolvedRecipe> LoadRecipe(Session& session, const std::string& name,
                                                  const std::vector<std::string>& overrides,
                                                  ExitCode* code, RecipeUse use) {
  *code = kBadInput;
  auto file = FindRecipe(name);
  if (!file.ok()) return file.status();
  auto catalog = session.Catalog();
  if (!catalog.ok()) {
    *code = kPluginFailure;
    return catalog.status();
  }
  auto recipe = recipe::Load(file->string(), overrides, **catalog);
  if (absl::Status broken = BrokenPlugin(**catalog, recipe.status()); !broken.ok()) {
    *code = kPluginFailure;
    return broken;
  }
  if (recipe.ok() && recipe->observations && use == RecipeUse::kTraining) {
    return absl::InvalidArgumentError(
        absl::StrCat(file->string(),
                     ": it has [observations] and trains nothing; use it with "
                     "`qatlas observations`, `fit`, `compare` or `report`"));
  }
  return recipe;
}

}  // namespace qatlas::cli
