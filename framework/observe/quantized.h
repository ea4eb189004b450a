// Which rows are runs of quantized models.
#ifndef QATLAS_FRAMEWORK_OBSERVE_QUANTIZED_H_
#define QATLAS_FRAMEWORK_OBSERVE_QUANTIZED_H_

#include <map>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "framework/observe/table.h"

namespace qatlas::observe {

// [rows()]: 1 for a quantized row, 0 for one of full precision. `columns` maps names of columns to
// those of the table, as fits do.
//
// A numeric column `quantized` (0 or 1; missing is 0) decides where the table has one. Else every
// column of these that it has is heard: `scheme` and `precision` ('fp' or a name), `part` ('none'
// or another), `weight_bits` and `input_bits` (below 16, or not). A row is quantized if one says
// so; what is missing says nothing, and a row of which nothing is said is of full precision. A
// table with none of them is heard by `G`, which rows of full precision do not have.
// InvalidArgument, all rows at once: one column says quantized and another full precision; no such
// column at all.
absl::StatusOr<std::vector<double>> QuantizedRows(
    const Table& table, const std::map<std::string, std::string>& columns = {});

// Whether the table has a column that QuantizedRows hears, G aside.
bool TellsQuantized(const Table& table);

}  // namespace qatlas::observe

#endif  // QATLAS_FRAMEWORK_OBSERVE_QUANTIZED_H_
