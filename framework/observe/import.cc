#include "framework/observe/import.h"

#include <algorithm>
#include <optional>

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>

#include "framework/observe/csv.h"
#include "framework/observe/expression.h"
#include "framework/observe/problems.h"
#include "framework/observe/schema.h"

namespace qatlas::observe {
namespace {

// A column of texts as numbers; InvalidArgument at the first that is none.
absl::StatusOr<std::vector<double>> TextsAsNumbers(const Table& file, const TextColumn& texts) {
  std::vector<double> numbers;
  numbers.reserve(texts.size());
  for (size_t row = 0; row < texts.size(); ++row) {
    const std::optional<double> number = ParseNumber(texts[row]);
    if (!number.has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat(file.Where(row), ": '", texts[row], "' is no number"));
    }
    numbers.push_back(*number);
  }
  return numbers;
}

// Puts `numbers` into `out`, as texts where our column holds texts.
absl::Status PutNumbers(const std::string& ours, std::vector<double> numbers, Table& out) {
  const StandardColumn* standard = FindStandardColumn(ours);
  if (standard == nullptr || standard->kind == ColumnKind::kNumber) {
    return out.SetNumbers(ours, std::move(numbers));
  }
  TextColumn texts;
  texts.Reserve(numbers.size());
  for (double number : numbers) texts.Append(FormatNumber(number));
  return out.SetTexts(ours, std::move(texts));
}

absl::Status PutTexts(const Table& file, const std::string& ours, const TextColumn& texts,
                      Table& out) {
  const StandardColumn* standard = FindStandardColumn(ours);
  if (standard == nullptr || standard->kind == ColumnKind::kText) return out.SetTexts(ours, texts);
  absl::StatusOr<std::vector<double>> numbers = TextsAsNumbers(file, texts);
  if (!numbers.ok()) return numbers.status();
  return out.SetNumbers(ours, *std::move(numbers));
}

absl::Status AddColumn(const Table& file, const std::string& ours, const std::string& source,
                       Table& out) {
  if (const std::vector<double>* numbers = file.FindNumbers(source)) {
    return PutNumbers(ours, *numbers, out);
  }
  if (const TextColumn* texts = file.FindTexts(source)) return PutTexts(file, ours, *texts, out);
  absl::StatusOr<Expression> expression = Expression::Parse(source);
  if (!expression.ok()) return expression.status();
  absl::StatusOr<Expression::Kind> kind = expression->Check(file);
  if (!kind.ok()) return kind.status();
  switch (*kind) {
    case Expression::Kind::kNumber: {
      absl::StatusOr<std::vector<double>> numbers = expression->Numbers(file);
      if (!numbers.ok()) return numbers.status();
      return PutNumbers(ours, *std::move(numbers), out);
    }
    case Expression::Kind::kText: {
      absl::StatusOr<TextColumn> texts = expression->Texts(file);
      if (!texts.ok()) return texts.status();
      return PutTexts(file, ours, *texts, out);
    }
    default: {
      absl::StatusOr<std::vector<bool>> conditions = expression->Conditions(file);
      if (!conditions.ok()) return conditions.status();
      return PutNumbers(ours, std::vector<double>(conditions->begin(), conditions->end()), out);
    }
  }
}

// Copies the columns of `from` that `to` lacks; both have the same rows.
absl::Status CopyMissingColumns(const Table& from, Table& to) {
  for (const std::string& name : from.names()) {
    if (to.Has(name)) continue;
    const std::vector<double>* numbers = from.FindNumbers(name);
    const absl::Status status = numbers != nullptr ? to.SetNumbers(name, *numbers)
                                                   : to.SetTexts(name, *from.FindTexts(name));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ImportSpec> ParseImportSpec(absl::Span<const std::string> items) {
  ImportSpec spec;
  Problems problems;
  for (const std::string& item : items) {
    const size_t equals = item.find('=');
    const absl::string_view whole = item;
    const std::string name(absl::StripAsciiWhitespace(whole.substr(0, equals)));
    const std::string source(
        equals == std::string::npos ? "" : absl::StripAsciiWhitespace(whole.substr(equals + 1)));
    if (name.empty() || source.empty()) {
      problems.Add(absl::StrCat("'", item, "': write OUR_COLUMN=NAME or OUR_COLUMN=EXPRESSION"));
      continue;
    }
    const bool again = name == "where"
                           ? !spec.where.empty()
                           : std::any_of(spec.columns.begin(), spec.columns.end(),
                                         [&](const auto& c) { return c.first == name; });
    if (again) {
      problems.Add(absl::StrCat("'", item, "': '", name, "' is given twice"));
    } else if (name == "where") {
      spec.where = source;
    } else {
      spec.columns.emplace_back(name, source);
    }
  }
  if (!problems.empty()) return problems.ToStatus();
  return spec;
}

absl::StatusOr<Table> Import(const Table& file, const ImportSpec& spec) {
  // Begins without columns but with the file's rows and their origins.
  Table out = file;
  for (const std::string& name : file.names()) {
    if (absl::Status status = out.Drop(name); !status.ok()) return status;
  }
  Problems problems;
  for (const auto& [ours, source] : spec.columns) {
    if (ours.empty()) {
      problems.Add("a column of the import has no name");
      continue;
    }
    if (out.Has(ours)) {
      problems.Add(absl::StrCat("column '", ours, "' is imported twice"));
      continue;
    }
    const absl::Status status = AddColumn(file, ours, source, out);
    if (!status.ok()) problems.Add(absl::StrCat(ours, " = ", source, ": ", status.message()));
  }
  std::vector<bool> keep;
  if (!spec.where.empty()) {
    // A broken column would only be reported again as absent.
    Table scope = file;
    if (absl::Status status = CopyMissingColumns(out, scope); !status.ok()) return status;
    absl::StatusOr<Expression> where = Expression::Parse(spec.where);
    absl::StatusOr<std::vector<bool>> rows =
        where.ok() ? where->Conditions(scope) : absl::StatusOr<std::vector<bool>>(where.status());
    if (rows.ok()) {
      keep = *std::move(rows);
    } else {
      problems.Add(absl::StrCat("where = ", spec.where, ": ", rows.status().message()));
    }
  }
  if (!problems.empty()) return problems.ToStatus();
  if (spec.keep_others) {
    if (absl::Status status = CopyMissingColumns(file, out); !status.ok()) return status;
  }
  if (spec.where.empty()) return out;
  return out.Filter([&](size_t row) { return keep[row]; });
}

absl::StatusOr<Table> ImportFile(const std::string& path, const ImportSpec& spec) {
  absl::StatusOr<Table> file = ReadTable(path, /*use_schema=*/false);
  if (!file.ok()) return file.status();
  absl::StatusOr<Table> table = Import(*file, spec);
  if (!table.ok()) {
    return absl::Status(table.status().code(), absl::StrCat(path, ": ", table.status().message()));
  }
  return table;
}

}  // namespace qatlas::observe
