// Fits as JSON, for reports and other programs. docs/comparison.md describes the keys.
#ifndef QATLAS_FRAMEWORK_FIT_JSON_H_
#define QATLAS_FRAMEWORK_FIT_JSON_H_

#include <nlohmann/json.hpp>
#include <vector>

#include "framework/fit/bootstrap.h"
#include "framework/fit/fit.h"
#include "framework/fit/predict.h"

namespace qatlas::fit {

// A number, or null where it is not finite: a report never shows NaN.
nlohmann::json Number(double value);
nlohmann::json ToJson(const Interval& interval);
// Parameters (with bootstrap intervals where given), quality, identifiability, residuals by row.
nlohmann::json ToJson(const FitResult& fit, const std::vector<BootstrapInterval>& bootstrap = {});
nlohmann::json ToJson(const BootstrapInterval& interval);
nlohmann::json ToJson(const Prediction& prediction);

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_JSON_H_
