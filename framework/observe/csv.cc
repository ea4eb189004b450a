#include "framework/observe/csv.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include <absl/container/flat_hash_map.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>

#include "framework/observe/atomic_file.h"
#include "framework/observe/csv_cursor.h"
#include "framework/observe/names.h"
#include "framework/observe/problems.h"
#include "framework/observe/schema.h"

namespace qatlas::observe {
namespace {

struct Header {
  std::vector<std::string> names;
  // nullopt: to be found out from the fields.
  std::vector<std::optional<ColumnKind>> kinds;
};

std::string At(const std::string& file, const CsvCursor::Field& field) {
  return absl::StrCat(file, ":", field.line, ":", field.column, ": ");
}

std::optional<ColumnKind> KindOf(const std::string& name, const CsvOptions& options) {
  const auto among = [&name](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (among(options.numbers)) return ColumnKind::kNumber;
  if (among(options.texts)) return ColumnKind::kText;
  if (!options.use_schema) return std::nullopt;
  const StandardColumn* standard = FindStandardColumn(name);
  if (standard == nullptr) return std::nullopt;
  return standard->kind;
}

Header ReadHeader(CsvCursor& cursor, const std::string& file, const CsvOptions& options,
                  Problems& problems) {
  Header header;
  absl::flat_hash_map<std::string, size_t> seen;
  while (true) {
    const CsvCursor::Field field = cursor.NextField();
    if (field.problem != nullptr) problems.Add(absl::StrCat(At(file, field), field.problem));
    std::string name(absl::StripAsciiWhitespace(field.text));
    const auto [before, is_new] = seen.emplace(name, header.names.size());
    if (name.empty()) {
      problems.Add(absl::StrCat(At(file, field), "column ", header.names.size() + 1,
                                " of the header has no name"));
    } else if (!is_new) {
      problems.Add(absl::StrCat(At(file, field), "the header names column '", name,
                                "' twice: columns ", before->second + 1, " and ",
                                header.names.size() + 1));
    }
    header.kinds.push_back(KindOf(name, options));
    header.names.push_back(std::move(name));
    if (field.last) return header;
  }
}

// The first pass: quotes, lengths of the rows, and the kinds that the schema leaves open.
void CheckRecords(CsvCursor& cursor, const std::string& file, const CsvOptions& options,
                  Header& header, Problems& problems) {
  const size_t width = header.names.size();
  std::vector<char> all_numbers(width, 1);
  while (cursor.NextRecord()) {
    size_t index = 0;
    while (true) {
      const CsvCursor::Field field = cursor.NextField();
      if (field.problem != nullptr) problems.Add(absl::StrCat(At(file, field), field.problem));
      if (index < width && field.problem == nullptr) {
        if (!header.kinds[index].has_value() && all_numbers[index] &&
            !ParseNumber(field.text).has_value()) {
          all_numbers[index] = 0;
        }
        if (header.kinds[index] == ColumnKind::kNumber && !ParseNumber(field.text).has_value()) {
          problems.Add(absl::StrCat(At(file, field), "column '", header.names[index],
                                    "' holds numbers, but here is '", field.text,
                                    options.separator != ',' && absl::StrContains(field.text, ',')
                                        ? "' (write a point in place of the decimal comma)"
                                        : "' (leave it empty if it is missing)"));
        }
      }
      ++index;
      if (!field.last) continue;
      if (index < width) {
        problems.Add(absl::StrCat(At(file, field), "the row ends after ", index, " of ", width,
                                  " fields; column '", header.names[index], "' is the first that ",
                                  "is not there"));
      } else if (index > width) {
        problems.Add(absl::StrCat(At(file, field), "the row has ", index, " fields, but the ",
                                  "header names ", width, " (a text with '",
                                  std::string(1, options.separator), "' in it must be quoted)"));
      }
      break;
    }
  }
  for (size_t i = 0; i < width; ++i) {
    if (!header.kinds[i].has_value()) {
      header.kinds[i] = all_numbers[i] ? ColumnKind::kNumber : ColumnKind::kText;
    }
  }
}

constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool IsUtf16(absl::string_view text) {
  return absl::StartsWith(text, "\xFE\xFF") || absl::StartsWith(text, "\xFF\xFE");
}

bool NeedsQuotes(absl::string_view text, char separator) {
  if (text.empty()) return false;
  // A reader would take the one off and refuse the other.
  if (absl::StartsWith(text, kByteOrderMark) || IsUtf16(text)) return true;
  if (text.front() == ' ' || text.back() == ' ' || text.front() == '\t' || text.back() == '\t') {
    return true;
  }
  for (char c : text) {
    if (c == separator || c == '"' || c == '\n' || c == '\r') return true;
  }
  return false;
}

void AppendField(absl::string_view text, char separator, std::string& out) {
  if (!NeedsQuotes(text, separator)) {
    out.append(text.data(), text.size());
    return;
  }
  out.push_back('"');
  for (char c : text) {
    if (c == '"') out.push_back('"');
    out.push_back(c);
  }
  out.push_back('"');
}

}  // namespace

absl::StatusOr<Table> ParseCsv(absl::string_view text, const std::string& file,
                               const CsvOptions& options) {
  if (IsUtf16(text)) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": the file is UTF-16; save it as UTF-8"));
  }
  absl::ConsumePrefix(&text, kByteOrderMark);
  CsvCursor first(text, options.separator);
  if (!first.NextRecord()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": the file is empty; its first line must name the columns"));
  }
  Problems problems;
  Header header = ReadHeader(first, file, options, problems);
  for (const std::vector<std::string>* forced : {&options.numbers, &options.texts}) {
    for (const std::string& name : *forced) {
      if (std::find(header.names.begin(), header.names.end(), name) == header.names.end()) {
        problems.Add(absl::StrCat(file, ":1: no column '", name, "'", Suggest(name, header.names)));
      }
    }
  }
  CheckRecords(first, file, options, header, problems);
  if (!problems.empty()) return problems.ToStatus();

  const size_t width = header.names.size();
  std::vector<std::vector<double>> numbers(width);
  std::vector<TextColumn> texts(width);
  std::vector<int64_t> lines;
  CsvCursor second(text, options.separator);
  second.NextRecord();
  while (!second.NextField().last) {
  }
  while (second.NextRecord()) {
    lines.push_back(second.line());
    for (size_t i = 0; i < width; ++i) {
      const CsvCursor::Field field = second.NextField();
      if (header.kinds[i] == ColumnKind::kNumber) {
        numbers[i].push_back(*ParseNumber(field.text));
      } else {
        texts[i].Append(field.text);
      }
    }
  }
  Table table;
  for (size_t i = 0; i < width; ++i) {
    const absl::Status status = header.kinds[i] == ColumnKind::kNumber
                                    ? table.SetNumbers(header.names[i], std::move(numbers[i]))
                                    : table.SetTexts(header.names[i], std::move(texts[i]));
    if (!status.ok()) return status;
  }
  if (absl::Status status = table.SetOrigins(file, std::move(lines)); !status.ok()) return status;
  return table;
}

absl::StatusOr<Table> ReadCsv(const std::string& path, const CsvOptions& options) {
  absl::StatusOr<std::string> text = ReadWholeFile(path);
  if (!text.ok()) return text.status();
  return ParseCsv(*text, path, options);
}

namespace {

// What parts the columns of a .csv: the comma, unless the header has none and a semicolon or tab
// in its place, as spreadsheets write where the comma is the decimal point.
char SeparatorOf(absl::string_view text) {
  const absl::string_view header = text.substr(0, text.find_first_of("\r\n"));
  if (header.find_first_of(",\"") != absl::string_view::npos) return ',';
  for (char other : {';', '\t'}) {
    if (header.find(other) != absl::string_view::npos) return other;
  }
  return ',';
}

}  // namespace

absl::StatusOr<Table> ReadTable(const std::string& path, bool use_schema) {
  if (absl::EndsWithIgnoreCase(path, ".csv") || absl::EndsWithIgnoreCase(path, ".tsv")) {
    CsvOptions options;
    options.use_schema = use_schema;
    absl::StatusOr<std::string> text = ReadWholeFile(path);
    if (!text.ok()) return text.status();
    options.separator = absl::EndsWithIgnoreCase(path, ".tsv") ? '\t' : SeparatorOf(*text);
    return ParseCsv(*text, path, options);
  }
  if (absl::EndsWithIgnoreCase(path, ".jsonl") || absl::EndsWithIgnoreCase(path, ".ndjson")) {
    return ReadJsonLines(path, use_schema);
  }
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": cannot tell the format; name the file .csv, .tsv, .jsonl or .ndjson"));
}

std::string FormatCsv(const Table& table, char separator) {
  std::string out;
  for (size_t i = 0; i < table.columns(); ++i) {
    if (i > 0) out.push_back(separator);
    AppendField(table.names()[i], separator, out);
  }
  if (table.columns() > 0) out.push_back('\n');
  std::vector<std::variant<const std::vector<double>*, const TextColumn*>> columns;
  for (const std::string& name : table.names()) {
    if (const std::vector<double>* numbers = table.FindNumbers(name)) {
      columns.emplace_back(numbers);
    } else {
      columns.emplace_back(table.FindTexts(name));
    }
  }
  for (size_t row = 0; row < table.rows(); ++row) {
    const size_t begin = out.size();
    for (size_t i = 0; i < columns.size(); ++i) {
      if (i > 0) out.push_back(separator);
      if (const auto* numbers = std::get_if<0>(&columns[i])) {
        out += FormatNumber((**numbers)[row]);
      } else {
        AppendField((*std::get<1>(columns[i]))[row], separator, out);
      }
    }
    // The one field of a row would be a blank line, which reads as no row.
    if (out.size() == begin && columns.size() == 1) out += "\"\"";
    if (!columns.empty()) out.push_back('\n');
  }
  return out;
}

absl::Status WriteCsv(const std::string& path, const Table& table) {
  return WriteFileAtomically(path, FormatCsv(table));
}

}  // namespace qatlas::observe
