// Short names of cells: what a reader must know to tell two of them apart.
#ifndef QATLAS_FRAMEWORK_REPORT_LABELS_H_
#define QATLAS_FRAMEWORK_REPORT_LABELS_H_

#include <string>
#include <utility>
#include <vector>

#include "framework/decompose/decompose.h"
#include "framework/observe/table.h"

namespace qatlas::report {

using Key = std::vector<std::pair<std::string, observe::Value>>;

// Cell columns and bits of one δ, by name.
Key KeyOf(const decompose::Parts& parts, const decompose::PartDelta& delta);

// NaN or "" where the key has no such column.
double NumberOf(const Key& key, const std::string& column);
std::string TextOf(const Key& key, const std::string& column);

// "W4A4"; 16 stands for an operand that is not quantized.
std::string BitsLabel(double weight_bits, double input_bits);
// "G 32", or "per-channel" where a scale covers the whole reduction; "" where nothing is known.
std::string GroupLabel(const Key& key);
// One word for a column's value: "N 265k", "D 1.6M", "FC2 input A8", "lsq". "" for a missing value,
// and for columns that another word tells: granularity and bits.
std::string Word(const Key& key, const std::string& column);
// The words of all columns but `without`, joined by ", ". The model's name is left out where N is
// known.
std::string CellLabel(const Key& key, const std::vector<std::string>& without = {});
std::string CellLabel(const decompose::Cell& cell);

// Columns that have at least two different values among the keys.
std::vector<std::string> VaryingColumns(const std::vector<Key>& keys);

}  // namespace qatlas::report

#endif  // QATLAS_FRAMEWORK_REPORT_LABELS_H_
