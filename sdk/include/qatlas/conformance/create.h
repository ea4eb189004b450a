// Creating a component from its descriptor alone, with its options checked and completed as the
// host does it.
#ifndef QATLAS_CONFORMANCE_CREATE_H_
#define QATLAS_CONFORMANCE_CREATE_H_

#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "qatlas/abi.h"
#include "qatlas/component.h"
#include "qatlas/options.h"

namespace qatlas::conformance {

// "law", "scheme", "quantizer", "model"; "plugin" for 0, which stands for a whole library.
std::string KindName(int kind);

// A default as the descriptor writes it ("4", "0.1", "true", "group", "{}"), as a value of the
// option's type. Errors: it cannot be read; ranges are not looked at.
absl::StatusOr<OptionValue> ParseDefault(const qatlas_option& option);

// Why the option may not have this value: another type, outside its range, not among its choices.
absl::Status CheckValue(const qatlas_option& option, const OptionValue& value);

// A value that the declaration allows for each option without a default: the least number, the
// first choice, else 1, "" or false. Which of them fit each other only the component's author
// knows.
OptionTable RequiredOptions(const qatlas_component& component);

// The given options, RequiredOptions() where one without a default is missing, and defaults for the
// others. Errors: unknown options, and those of ParseDefault() and CheckValue().
absl::StatusOr<Options> CompleteOptions(const qatlas_component& component,
                                        const OptionTable& given = {});

// The defaults, and for every truth value and every choice that differs from them the defaults with
// that one changed: what a check of a component's behaviour goes through. Combinations that the
// declaration refuses are left out.
std::vector<Options> Variants(const qatlas_component& component);

// "{bits = 4, group = 32}": the options as a person writes them in a recipe.
inline std::string Text(const Options& options) { return CanonicalText(options.table()); }

// Calls the factory as the host does. Errors: those of the factory; Internal where it throws or
// gives nothing.
template <typename Kind>
absl::StatusOr<std::unique_ptr<Kind>> Create(const qatlas_component& component,
                                             const Options& options) {
  try {
    auto result = reinterpret_cast<Factory<Kind>>(component.factory)(options);
    if (result.ok() && *result == nullptr) {
      return absl::InternalError("the factory returned OK and no component");
    }
    return result;
  } catch (const std::exception& e) {
    return absl::InternalError(absl::StrCat("the factory threw: ", e.what()));
  } catch (...) {
    return absl::InternalError("the factory threw something that is no exception");
  }
}

// The same for the status alone.
template <typename Kind>
absl::Status TryFactory(const qatlas_component& component, const Options& options) {
  return Create<Kind>(component, options).status();
}

}  // namespace qatlas::conformance

#endif  // QATLAS_CONFORMANCE_CREATE_H_
