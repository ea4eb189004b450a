// Tables from and to CSV (RFC 4180) and JSON lines.
#ifndef QATLAS_FRAMEWORK_OBSERVE_CSV_H_
#define QATLAS_FRAMEWORK_OBSERVE_CSV_H_

#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include "framework/observe/table.h"

namespace qatlas::observe {

struct CsvOptions {      // How CSV is read.
  char separator = ',';  // Or a tab.
  // Standard columns have the kind of the schema. Off for a foreign file, whose columns of the
  // same name may be something else.
  bool use_schema = true;
  // Columns whose kind is given, over the schema. Any other column is numeric when all of its
  // fields are numbers or missing, else text.
  std::vector<std::string> numbers;
  std::vector<std::string> texts;  // Names.
};

// Reads CSV with a header. A byte-order mark, CRLF, quoted fields with separators, quotes ("") and
// line ends in them are understood; blank lines are passed over. Missing numbers: an empty field,
// "nan", "NA", "null". Rows keep `file` and their line as origin.
// InvalidArgument with all problems (up to 20 shown) as file:line:column, columns counted in bytes
// from 1: a row with too few or too many fields, a field that is no number in a numeric column, a
// quote that never ends or stands inside a field, an empty or repeated name in the header.
absl::StatusOr<Table> ParseCsv(absl::string_view text, const std::string& file,
                               const CsvOptions& options = {});
absl::StatusOr<Table> ReadCsv(const std::string& path, const CsvOptions& options = {});

// One JSON object a line; blank lines are passed over. Numbers and true/false (1/0) make numeric
// columns, strings text columns, null is missing; members of an inner object become columns
// "outer.inner". Standard text columns take numbers as their shortest digits. InvalidArgument with
// all problems as file:line: no JSON, not an object, an array, a column with both kinds.
absl::StatusOr<Table> ParseJsonLines(absl::string_view text, const std::string& file,
                                     bool use_schema = true);
absl::StatusOr<Table> ReadJsonLines(const std::string& path, bool use_schema = true);

// By the ending: .csv (a header without commas may be parted by semicolons or tabs), .tsv (tabs),
// .jsonl or .ndjson. InvalidArgument for any other.
absl::StatusOr<Table> ReadTable(const std::string& path, bool use_schema = true);

// CSV with LF line ends. Numbers are written with the shortest digits that read back as the same
// double, missing values as empty fields; fields are quoted only where needed. A text column whose
// texts all look like numbers and which is no standard column reads back as numeric.
std::string FormatCsv(const Table& table, char separator = ',');
// FormatCsv written atomically.
absl::Status WriteCsv(const std::string& path, const Table& table);

}  // namespace qatlas::observe

#endif  // QATLAS_FRAMEWORK_OBSERVE_CSV_H_
