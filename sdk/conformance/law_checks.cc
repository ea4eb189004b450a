#include "qatlas/conformance/check.h"

namespace qatlas::conformance {

absl::Span<const Check> LawChecks() { return {}; }

}  // namespace qatlas::conformance
