// Recipes read and refused with the catalog of plugins.h.
#ifndef QATLAS_TESTS_FRAMEWORK_RECIPE_FIXTURE_H_
#define QATLAS_TESTS_FRAMEWORK_RECIPE_FIXTURE_H_

#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "framework/recipe/reader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/framework/recipe/plugins.h"

namespace qatlas::recipe {

inline absl::StatusOr<ResolvedRecipe> Read(const std::string& text,
                                           const std::vector<std::string>& overrides = {}) {
  return LoadText(text, "r.toml", overrides, ThePlugins().catalog());
}

// The lines of what is wrong.
inline std::vector<std::string> Wrong(const std::string& text,
                                      const std::vector<std::string>& overrides = {}) {
  const auto recipe = Read(text, overrides);
  if (recipe.ok()) return {};
  return absl::StrSplit(std::string(recipe.status().message()), '\n');
}

}  // namespace qatlas::recipe

#endif  // QATLAS_TESTS_FRAMEWORK_RECIPE_FIXTURE_H_
