// Pages of Markdown about installed components, from what they declare.
#ifndef QATLAS_FRAMEWORK_CLI_PLUGIN_DOCS_H_
#define QATLAS_FRAMEWORK_CLI_PLUGIN_DOCS_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "framework/plugin/catalog.h"

namespace qatlas::cli {

// File name → text: README.md lists all components, and a page for every kind has each with its
// options, abilities and citation; laws, which are opened for it, also with their formula,
// covariates, parameters and published constants. Errors: a law that cannot be opened.
absl::StatusOr<std::map<std::string, std::string>> PluginPages(const plugin::Catalog& catalog);

}  // namespace qatlas::cli

#endif  // QATLAS_FRAMEWORK_CLI_PLUGIN_DOCS_H_
