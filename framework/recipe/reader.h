// Reading a recipe: TOML and overrides in, a validated list of runs out.
#ifndef QATLAS_FRAMEWORK_RECIPE_READER_H_
#define QATLAS_FRAMEWORK_RECIPE_READER_H_

#include <string>
#include <vector>
#include "absl/strings/string_view.h"

#include "absl/status/statusor.h"
#include "framework/plugin/catalog.h"
#include "framework/recipe/recipe.h"

namespace qatlas::recipe {

// Reads a recipe file. `overrides` are "key.path=value" with values as TOML writes them; elements
// of
// [[grid]] and [[fit]] are named by their `name` or their index ("grid.main.seeds=[1]").
// Plugins are known from the catalog; scheme components are opened, LibTorch is not needed.
// InvalidArgument reports every problem, one line each: "file:line:column: what" or "override
// 'a=1': what". NotFound: the file cannot be read.
absl::StatusOr<ResolvedRecipe> Load(const std::string& file,
                                    const std::vector<std::string>& overrides,
                                    const plugin::Catalog& catalog);

// The [data] of a recipe, or of a file that has nothing else: no other section is looked at.
absl::StatusOr<DataSettings> LoadData(const std::string& file,
                                      const std::vector<std::string>& overrides,
                                      const plugin::Catalog& catalog);

// The same as Load for a text; `file` names it in messages.
absl::StatusOr<ResolvedRecipe> LoadText(absl::string_view text, const std::string& file,
                                        const std::vector<std::string>& overrides,
                                        const plugin::Catalog& catalog);

}  // namespace qatlas::recipe

#endif  // QATLAS_FRAMEWORK_RECIPE_READER_H_
