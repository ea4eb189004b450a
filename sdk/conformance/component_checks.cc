#include "qatlas/conformance/check.h"

namespace qatlas::conformance {

absl::Span<const Check> ComponentChecks() { return {}; }

}  // namespace qatlas::conformance
