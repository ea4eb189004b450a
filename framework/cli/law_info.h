// What a law declares, for `qatlas plugin info`.
#ifndef QATLAS_FRAMEWORK_CLI_LAW_INFO_H_
#define QATLAS_FRAMEWORK_CLI_LAW_INFO_H_

#include <string>

#include <qatlas/law.h>
#include <nlohmann/json.hpp>

namespace qatlas::cli {

// `target`, `formula`, and lists of `covariates`, `parameters` and published constants (`presets`).
// Bounds that are infinite, and a covariate's value where a row has none that is an error, are
// null.
nlohmann::json LawJson(const LawSpec& spec);
// The same in lines for a terminal.
std::string LawText(const LawSpec& spec);

}  // namespace qatlas::cli

#endif  // QATLAS_FRAMEWORK_CLI_LAW_INFO_H_
