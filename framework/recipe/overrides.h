// Overrides of a recipe from the command line.
#ifndef QATLAS_FRAMEWORK_RECIPE_OVERRIDES_H_
#define QATLAS_FRAMEWORK_RECIPE_OVERRIDES_H_

#include <string>
#include <vector>

#include "framework/plugin/document.h"
#include "framework/plugin/problems.h"

namespace qatlas::recipe {

// Applies "key.path=value" texts to a document in their order. What they set is placed at
// "override 'key.path=value'". Problems: no '=', an empty key, a value that is no TOML, a path that
// leads through something that is no table, an element of a list that is not there.
void ApplyOverrides(const std::vector<std::string>& overrides, plugin::Node* document,
                    plugin::Problems* problems);

}  // namespace qatlas::recipe

#endif  // QATLAS_FRAMEWORK_RECIPE_OVERRIDES_H_
