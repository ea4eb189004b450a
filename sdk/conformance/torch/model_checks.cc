#include "qatlas/conformance/check.h"

namespace qatlas::conformance {

absl::Span<const Check> ModelChecks() { return {}; }

}  // namespace qatlas::conformance
