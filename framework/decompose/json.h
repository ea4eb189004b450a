// The decomposition as JSON, as docs/observations.md describes it.
#ifndef QATLAS_FRAMEWORK_DECOMPOSE_JSON_H_
#define QATLAS_FRAMEWORK_DECOMPOSE_JSON_H_

#include <nlohmann/json.hpp>

#include "framework/decompose/decompose.h"

namespace qatlas::decompose {

// Members keep their order; a number that is unknown is null. `sites` (may be nullptr) is the
// table of AppendSites and becomes an array of objects.
nlohmann::ordered_json ToJson(const Decomposition& decomposition,
                              const observe::Table* sites = nullptr);

// A table as an array of objects, one a row; missing values are null.
nlohmann::ordered_json TableToJson(const observe::Table& table);

}  // namespace qatlas::decompose

#endif  // QATLAS_FRAMEWORK_DECOMPOSE_JSON_H_
