// Which rows of a table a fit uses, and which of them err together.
#ifndef QATLAS_FRAMEWORK_CLI_LAB_ROWS_H_
#define QATLAS_FRAMEWORK_CLI_LAB_ROWS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "framework/observe/table.h"

namespace qatlas::cli {

// The rows that meet `where` (framework/observe/expression.h; empty: all), have the target, and are
// of its kind: for δ both operands quantized (`part` both or missing), for the loss full precision.
// `joint`: of the loss, both kinds, for laws that describe full precision and quantization at once.
// Where the table has neither `scheme` nor `part`, columns that observe::QuantizedRows hears tell
// full precision. The kind is not asked for where the condition names the column `part` (for the
// loss `scheme` too; the others where they tell) or the table has none of these. Rows that were
// left out are said in `notes`. NotFound: no column of the target; InvalidArgument: a wrong
// condition, labels that contradict bits; FailedPrecondition: no row is left.
absl::StatusOr<observe::Table> ChooseRows(const observe::Table& table, const std::string& target,
                                          const std::string& where, std::vector<std::string>* notes,
                                          bool joint = false);

// Columns in which runs of one trunk agree: model (N where there is none) and seed. Empty where the
// table does not tell all of its seeds.
std::vector<std::string> GroupColumns(const observe::Table& rows);

}  // namespace qatlas::cli

#endif  // QATLAS_FRAMEWORK_CLI_LAB_ROWS_H_
