#include "qatlas/conformance/check.h"

namespace qatlas::conformance {

absl::Span<const Check> SchemeChecks() { return {}; }

}  // namespace qatlas::conformance
