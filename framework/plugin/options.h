// Values that a person wrote, made into a component's options.
#ifndef QATLAS_FRAMEWORK_PLUGIN_OPTIONS_H_
#define QATLAS_FRAMEWORK_PLUGIN_OPTIONS_H_

#include <optional>
#include <set>
#include <string>

#include <qatlas/options.h>
#include "absl/status/statusor.h"
#include "framework/plugin/document.h"
#include "framework/plugin/manifest.h"
#include "framework/plugin/problems.h"

namespace qatlas::plugin {

// Converts one value to the declared type. A whole number is taken for a float; 4.0 is not taken
// for a whole number. Checks range and choices. On failure adds a problem at the value's place and
// returns nullopt.
std::optional<OptionValue> ReadOption(const OptionDeclaration& option, const Node& value,
                                      Problems* problems);

// Sets default_value from default_text, which is as TOML writes it, but for text without quotes.
// Errors: a default that cannot be read or that does not fit the declaration; no place is named.
absl::Status SetDefault(OptionDeclaration* option);

// Converts a table to the options of a component, with defaults for those not given. Keys in
// `reserved` belong to somebody else and are skipped. Adds every problem: unknown options with the
// nearest valid name, wrong types, values out of range or not among the choices, required options
// that are missing (placed at the table). The result is complete where no problem was added.
OptionTable ReadOptions(const ComponentDeclaration& component, const Node& table,
                        const std::set<std::string>& reserved, Problems* problems);

// The same for values that a program holds. Errors: all problems, each after `where`.
absl::StatusOr<OptionTable> CompleteOptions(const ComponentDeclaration& component,
                                            const OptionTable& given, const std::string& where);

}  // namespace qatlas::plugin

#endif  // QATLAS_FRAMEWORK_PLUGIN_OPTIONS_H_
