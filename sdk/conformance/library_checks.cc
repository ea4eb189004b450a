#include "qatlas/conformance/check.h"

namespace qatlas::conformance {

absl::Span<const Check> LibraryChecks() { return {}; }

}  // namespace qatlas::conformance
