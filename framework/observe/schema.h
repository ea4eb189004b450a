// The standard columns of an observation. docs/observations.md explains them at length.
#ifndef QATLAS_FRAMEWORK_OBSERVE_SCHEMA_H_
#define QATLAS_FRAMEWORK_OBSERVE_SCHEMA_H_

#include <string>
#include <vector>

#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include "framework/observe/table.h"

namespace qatlas::observe {

struct StandardColumn {  // What a column means.
  const char* name;      // Of the column.
  ColumnKind kind;       // Number or text.
  const char* unit;      // "" where there is none.
  const char* help;      // One line.
};

// In the order in which files write them.
absl::Span<const StandardColumn> StandardColumns();
// nullptr when `name` is not a standard column.
const StandardColumn* FindStandardColumn(absl::string_view name);
std::vector<std::string> StandardColumnNames();

// An empty table that has all standard columns.
Table EmptyObservations();

// Values of `part`.
inline constexpr char kPartNone[] = "none";            // Full precision.
inline constexpr char kPartBoth[] = "both";            // Weights and inputs.
inline constexpr char kPartWeights[] = "weights";      // Weights alone.
inline constexpr char kPartInputs[] = "inputs";        // Inputs alone.
inline constexpr char kPartFc2At8Bits[] = "fc2-8bit";  // FC2 inputs at 8 bits.
inline constexpr char kPartOnly[] = "only:";           // Followed by a role.
inline constexpr char kPartNot[] = "not:";             // Followed by a role.

// Value of `scheme` for full precision; the empty text means the same.
inline constexpr char kSchemeFullPrecision[] = "fp";

}  // namespace qatlas::observe

#endif  // QATLAS_FRAMEWORK_OBSERVE_SCHEMA_H_
