// Tables that others made: their columns mapped to ours.
#ifndef QATLAS_FRAMEWORK_OBSERVE_IMPORT_H_
#define QATLAS_FRAMEWORK_OBSERVE_IMPORT_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include "framework/observe/table.h"

namespace qatlas::observe {

struct ImportSpec {  // How columns are mapped.
  // Our column -> a name of the file or an expression over its columns (expression.h). A name that
  // the file has is taken as that name even if it would read as an expression.
  std::vector<std::pair<std::string, std::string>> columns;
  // Our column -> a factor that its values are multiplied by: a number or an expression over the
  // file's columns ("1e9" for tokens in billions). The column must be a number and be there, from
  // `columns` or kept.
  std::vector<std::pair<std::string, std::string>> units;
  // Our column -> an expression over the file's columns and ours (the file's win where both have a
  // name), computed after `columns` and `units`.
  std::vector<std::pair<std::string, std::string>> derived;
  // Rows to keep; over the file's columns and ours (the file's win where both have a name, unless
  // `units` has changed ours).
  // Empty: all rows.
  std::string where;
  // Keeps the file's other columns too, under their own names. Those that have the name of a standard
  // column of numbers (schema.h) are kept in any case, unless `columns` says what they are.
  bool keep_others = false;
  // Where an item was written, for messages: our column, "units.<column>" or "where" ->
  // "lab.toml:7:14". An item without a place goes by its text alone.
  std::map<std::string, std::string> places;
};

// "N=params_nonembedding" ... -> spec; the key `where` sets the filter, `units.<column>` a factor.
// Each item is split at its first '='. InvalidArgument for an item without '=', an empty side, or a
// column given twice.
absl::StatusOr<ImportSpec> ParseImportSpec(absl::Span<const std::string> items);

// Computes the columns of `spec` from `file`. With no `columns` and `keep_others` it is a filter
// with units. A standard text column takes a number as its shortest
// digits; a standard numeric column takes a text column only if all its texts are numbers.
// Conditions become 1 and 0. InvalidArgument with all problems at once, each naming our column.
absl::StatusOr<Table> Import(const Table& file, const ImportSpec& spec);
// Reads by the ending (csv.h: ReadTable, without our schema) and imports.
absl::StatusOr<Table> ImportFile(const std::string& path, const ImportSpec& spec);

}  // namespace qatlas::observe

#endif  // QATLAS_FRAMEWORK_OBSERVE_IMPORT_H_
