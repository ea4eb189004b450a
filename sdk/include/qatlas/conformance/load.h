// A component of a built library, for tests that go beyond the conformance checks.
#ifndef QATLAS_CONFORMANCE_LOAD_H_
#define QATLAS_CONFORMANCE_LOAD_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "qatlas/check.h"
#include "qatlas/component.h"
#include "qatlas/conformance/create.h"
#include "qatlas/conformance/suite.h"

namespace qatlas::conformance {

// Opens the library, completes and checks the options, and calls the factory, as the host does:
//   auto law = Load<LawForm>(QATLAS_PLUGIN_FILE, "half-life");
//   auto quantizer = Load<Quantizer>(QATLAS_PLUGIN_FILE, "ternary", {{{"bits", int64_t{4}}}});
// Errors: those of OpenLibrary(), CompleteOptions() and Create(); NotFound where the library has no
// component of this kind and name.
template <typename Kind>
absl::StatusOr<std::unique_ptr<Kind>> Load(const std::string& library, const std::string& name,
                                           const OptionTable& options = {}) {
  QATLAS_ASSIGN_OR_RETURN(const qatlas_descriptor* plugin,
                          OpenLibrary(library, QATLAS_TORCH_VERSION));
  for (uint64_t i = 0; i < plugin->component_count; ++i) {
    const qatlas_component& component = plugin->components[i];
    if (component.kind != Kind::kKind || component.name != name) continue;
    QATLAS_ASSIGN_OR_RETURN(const Options complete, CompleteOptions(component, options));
    return Create<Kind>(component, complete);
  }
  return absl::NotFoundError(
      absl::StrCat(library, " has no ", KindName(Kind::kKind), " '", name, "'"));
}

}  // namespace qatlas::conformance

#endif  // QATLAS_CONFORMANCE_LOAD_H_
