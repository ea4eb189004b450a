// The table of observations that everything of the laboratory reads: one row a run, columns of
// numbers or texts, and for every row the file and line it came from.
#ifndef QATLAS_FRAMEWORK_OBSERVE_TABLE_H_
#define QATLAS_FRAMEWORK_OBSERVE_TABLE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include "framework/observe/number.h"
#include "framework/observe/text_column.h"

namespace qatlas::observe {

enum class ColumnKind { kNumber, kText };  // Of all cells.

// One cell. A missing number is NaN, a missing text is empty.
using Value = std::variant<double, std::string>;

// As a message shows it: 'text', or the number in its shortest digits, or "missing".
std::string ShowValue(const Value& value);

// Where a row came from. line is 1-based; 0 means that the row was made in memory.
struct Origin {
  std::string file;  // "" in memory.
  int64_t line = 0;  // 1-based.
};

// Rows that agree in the columns grouped by.
struct Group {
  std::vector<Value> key;    // One value a column, in the order asked for.
  std::vector<size_t> rows;  // Ascending.
};

// A column-oriented table. Columns keep their order; names are unique and case-sensitive. Cheap to
// move; look-ups by name are hashed. Every error of a missing column offers the nearest names.
class Table {
 public:
  // One row by name, for appending.
  using Row = std::vector<std::pair<std::string, Value>>;

  size_t rows() const { return rows_; }                                     // Of every column.
  size_t columns() const { return names_.size(); }                          // How many.
  const std::vector<std::string>& names() const { return names_; }          // In order.
  bool Has(absl::string_view name) const { return index_.contains(name); }  // Any kind.
  // NotFound with the nearest names.
  absl::StatusOr<ColumnKind> Kind(absl::string_view name) const;

  // The whole column, [rows()]. NotFound when absent; InvalidArgument when it holds texts, naming
  // the first one and its row. Spans die with the next change of the table.
  absl::StatusOr<absl::Span<const double>> Numbers(absl::string_view name) const;
  absl::StatusOr<const TextColumn*> Texts(absl::string_view name) const;
  // The same without a message: nullptr when the column is absent or of the other kind.
  const std::vector<double>* FindNumbers(absl::string_view name) const;
  const TextColumn* FindTexts(absl::string_view name) const;

  // One cell; missing when there is no such column.
  Value At(size_t row, absl::string_view name) const;
  double NumberAt(size_t row, absl::string_view name) const;           // NaN for a text.
  absl::string_view TextAt(size_t row, absl::string_view name) const;  // "" for a number.

  // Adds a column or replaces the one of that name in place. InvalidArgument when the length is
  // not rows() (the first column of an empty table sets it) or the name is empty.
  absl::Status SetNumbers(absl::string_view name, std::vector<double> values);
  absl::Status SetTexts(absl::string_view name, TextColumn values);
  absl::Status SetTexts(absl::string_view name, absl::Span<const std::string> values);
  // One cell of a column that exists, of that kind; row < rows().
  absl::Status SetNumber(size_t row, absl::string_view name, double value);
  absl::Status SetText(size_t row, absl::string_view name, absl::string_view value);
  absl::Status Drop(absl::string_view name);
  absl::Status Rename(absl::string_view from, absl::string_view to);

  // Appends a row. Columns that are new are added, missing above; columns not named are missing in
  // this row. InvalidArgument (and nothing appended) when a value is of the wrong kind for its
  // column or a name comes twice.
  absl::Status Append(const Row& row, Origin origin = {});
  // Appends all rows of `other` with their origins; columns are united. InvalidArgument (and
  // nothing appended) when a column is numeric in one and text in the other.
  absl::Status AppendTable(const Table& other);

  // The given rows in the given order (indices < rows(), repeats allowed), with their origins.
  Table Take(absl::Span<const size_t> rows) const;
  Table Filter(absl::FunctionRef<bool(size_t row)> keep) const;
  // Groups in order of first appearance; missing values form a group of their own, -0 equals 0.
  // No columns: one group of all rows (none for an empty table). NotFound for an absent column.
  absl::StatusOr<std::vector<Group>> GroupBy(absl::Span<const std::string> columns) const;

  // The same as numbers: the group of each row, [rows()], counted from 0 in order of first
  // appearance. No columns: all 0. NotFound for an absent column.
  absl::StatusOr<std::vector<uint32_t>> GroupLabels(absl::Span<const std::string> columns) const;

  Origin origin(size_t row) const;  // row < rows().
  // "runs.csv:12" or "row 3" (1-based) for messages.
  std::string Where(size_t row) const;
  // Origin of all rows at once: line numbers, [rows()], within one file.
  absl::Status SetOrigins(absl::string_view file, std::vector<int64_t> lines);

  // NotFound: "no column 'los'; did you mean 'loss'?"
  absl::Status NoSuchColumn(absl::string_view name) const;

 private:
  using Column = std::variant<std::vector<double>, TextColumn>;

  absl::Status Put(absl::string_view name, Column column);
  void PadOrigins();

  std::vector<std::string> names_;
  std::vector<Column> data_;
  absl::flat_hash_map<std::string, size_t> index_;
  size_t rows_ = 0;
  // Origins may be shorter than rows_: rows beyond were made in memory.
  TextColumn origin_files_;
  std::vector<int64_t> origin_lines_;
};

}  // namespace qatlas::observe

#endif  // QATLAS_FRAMEWORK_OBSERVE_TABLE_H_
