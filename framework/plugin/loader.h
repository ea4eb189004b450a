// Opening plugins and creating their components.
#ifndef QATLAS_FRAMEWORK_PLUGIN_LOADER_H_
#define QATLAS_FRAMEWORK_PLUGIN_LOADER_H_

#include <exception>
#include <memory>
#include <string>
#include <utility>
#include "absl/strings/string_view.h"

#include <qatlas/abi.h>
#include <qatlas/component.h>
#include <qatlas/options.h>
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "framework/plugin/catalog.h"

namespace qatlas::plugin {

// Opens a plugin's library (all symbols resolved at once, none of them offered to others) and
// returns its descriptor, after every field of the handshake and the agreement with the manifest
// were checked. Opened once a process and never closed: a later call gives the same answer, errors
// included. Thread-safe. Errors are one line that begins with the library's path.
absl::StatusOr<const qatlas_descriptor*> OpenPlugin(const Manifest& manifest, const Host& host);

// What a factory is called with: the component found and opened, and its options checked and
// completed.
struct PreparedComponent {
  const qatlas_component* component = nullptr;  // of the library
  Options options;                              // complete
  std::string name;  // "quantizer 'int' of plugin 'int' (/…/quantizer-int.so)": for messages
};
// As Create() below, before the factory.
absl::StatusOr<PreparedComponent> Prepare(const Catalog& catalog, int kind, absl::string_view name,
                                          const OptionTable& options);

// Creates a component of a kind (LawForm, Scheme, Quantizer, ModelBuilder) by name. Options that
// are not given take their defaults. Errors: those of Catalog::Find() and OpenPlugin(); options
// that do not fit their declarations, all of them; what the factory returns; a factory that throws
// or returns nothing.
template <typename Kind>
absl::StatusOr<std::unique_ptr<Kind>> Create(const Catalog& catalog, absl::string_view name,
                                             const OptionTable& options = {}) {
  absl::StatusOr<PreparedComponent> prepared = Prepare(catalog, Kind::kKind, name, options);
  if (!prepared.ok()) return prepared.status();
  const auto factory = reinterpret_cast<Factory<Kind>>(prepared->component->factory);
  try {
    absl::StatusOr<std::unique_ptr<Kind>> result = factory(prepared->options);
    if (!result.ok()) {
      return absl::Status(result.status().code(),
                          absl::StrCat(prepared->name, ": ", result.status().message()));
    }
    if (*result == nullptr) {
      return absl::InternalError(absl::StrCat(prepared->name, ": its factory returned nothing"));
    }
    return result;
  } catch (const std::exception& e) {
    return absl::InternalError(absl::StrCat(prepared->name, ": its factory threw: ", e.what()));
  } catch (...) {
    return absl::InternalError(
        absl::StrCat(prepared->name, ": its factory threw something that is no exception"));
  }
}

}  // namespace qatlas::plugin

#endif  // QATLAS_FRAMEWORK_PLUGIN_LOADER_H_
