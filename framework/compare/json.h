// Comparisons as JSON, for reports and other programs. docs/comparison.md describes the keys.
#ifndef QATLAS_FRAMEWORK_COMPARE_JSON_H_
#define QATLAS_FRAMEWORK_COMPARE_JSON_H_

#include <absl/status/statusor.h>
#include <nlohmann/json.hpp>
#include <string>

#include "framework/compare/compare.h"

namespace qatlas::compare {

nlohmann::json ToJson(const Comparison& comparison);  // keys: docs/laws.md

// Curves of a fit along one covariate: for every combination of the other covariates and categories
// that the fit's rows have (at most `limit`, evenly taken), `points` values from the lowest to the
// highest there, with intervals: [{"at": {"D": ..., "scheme": ...}, "x": [...], "prediction":
// {...}, "observed": [[x, y], ...]}, ...]. `table` is the one the fit was made from. NotFound for a
// covariate that the form does not have.
absl::StatusOr<nlohmann::json> Curves(const fit::FitResult& fit, const observe::Table& table,
                                      const std::string& covariate, int points = 60,
                                      int limit = 24);

}  // namespace qatlas::compare

#endif  // QATLAS_FRAMEWORK_COMPARE_JSON_H_
