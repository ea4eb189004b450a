// Recipes as a JSON Schema, so that editors of TOML complete and check them.
#ifndef QATLAS_FRAMEWORK_RECIPE_JSON_SCHEMA_H_
#define QATLAS_FRAMEWORK_RECIPE_JSON_SCHEMA_H_

#include "framework/plugin/catalog.h"
#include "nlohmann/json.hpp"

namespace qatlas::recipe {

// JSON Schema, draft 7, of recipes with the catalog's components: from the declarations of sections
// (schema.h), of laws (forms/request.h) and of the components' options, which validation reads too.
// What it refuses, the reader refuses; the reader also sees what no schema can say (names that no
// section has, budgets shorter than a step, 4.0 for a whole number).
nlohmann::ordered_json JsonSchema(const plugin::Catalog& catalog);

}  // namespace qatlas::recipe

#endif  // QATLAS_FRAMEWORK_RECIPE_JSON_SCHEMA_H_
