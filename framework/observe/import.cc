#include "framework/observe/import.h"

#include <algorithm>
#include <optional>

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
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

// "lab.toml:7:14: " where the item's place is known.
std::string Place(const ImportSpec& spec, const std::string& item) {
  const auto found = spec.places.find(item);
  return found == spec.places.end() ? "" : absl::StrCat(found->second, ": ");
}

// Multiplies our column by its factor.
absl::Status ApplyUnit(const Table& file, const std::string& ours, const std::string& factor,
                       Table& out) {
  absl::StatusOr<absl::Span<const double>> column = out.Numbers(ours);
  if (!column.ok()) return column.status();
  absl::StatusOr<Expression> expression = Expression::Parse(factor);
  if (!expression.ok()) return expression.status();
  absl::StatusOr<std::vector<double>> factors = expression->Numbers(file);
  if (!factors.ok()) return factors.status();
  std::vector<double> values(column->begin(), column->end());
  for (size_t row = 0; row < values.size(); ++row) values[row] *= (*factors)[row];
  return out.SetNumbers(ours, std::move(values));
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

// What conditions and derived columns see: the file's columns and ours, the file's where both have
// a name, unless a unit has changed ours.
absl::StatusOr<Table> Scope(const Table& file, const ImportSpec& spec, const Table& out) {
  Table scope = file;
  for (const auto& [ours, factor] : spec.units) {
    if (!scope.Has(ours) || !out.Has(ours)) continue;
    if (absl::Status status = scope.Drop(ours); !status.ok()) return status;
  }
  if (absl::Status status = CopyMissingColumns(out, scope); !status.ok()) return status;
  return scope;
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
    const bool unit = absl::StartsWith(name, "units.");
    const std::string column = unit ? name.substr(6) : name;
    auto& among = unit ? spec.units : spec.columns;
    const bool again = name == "where"
                           ? !spec.where.empty()
                           : std::any_of(among.begin(), among.end(),
                                         [&](const auto& c) { return c.first == column; });
    if (again) {
      problems.Add(absl::StrCat("'", item, "': '", name, "' is given twice"));
    } else if (name == "where") {
      spec.where = source;
    } else {
      among.emplace_back(column, source);
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
      problems.Add(absl::StrCat(Place(spec, ours), "column '", ours, "' is imported twice"));
      continue;
    }
    const absl::Status status = AddColumn(file, ours, source, out);
    if (!status.ok()) {
      problems.Add(absl::StrCat(Place(spec, ours), ours, " = ", source, ": ", status.message()));
    }
  }
  if (spec.keep_others && problems.empty()) {
    if (absl::Status status = CopyMissingColumns(file, out); !status.ok()) return status;
  }
  // A loss that the file calls loss need not be mapped. Texts stay behind: other programs mean
  // other things by "status" or "precision".
  for (const StandardColumn& column : StandardColumns()) {
    if (!problems.empty() || column.kind != ColumnKind::kNumber || out.Has(column.name)) continue;
    if (file.FindNumbers(column.name) == nullptr) continue;
    if (absl::Status status = AddColumn(file, column.name, column.name, out); !status.ok()) {
      return status;
    }
  }
  for (const auto& [ours, factor] : spec.units) {
    // A column that was not computed would only be reported again.
    if (!problems.empty() && !out.Has(ours)) continue;
    const absl::Status status = ApplyUnit(file, ours, factor, out);
    if (!status.ok()) {
      problems.Add(absl::StrCat(Place(spec, "units." + ours), "units of ", ours, " = ", factor,
                                ": ", status.message()));
    }
  }
  for (const auto& [ours, source] : spec.derived) {
    if (!problems.empty()) break;
    if (std::any_of(spec.columns.begin(), spec.columns.end(),
                    [&ours = ours](const auto& c) { return c.first == ours; })) {
      problems.Add(absl::StrCat(Place(spec, ours), "column '", ours, "' is imported twice"));
      continue;
    }
    absl::StatusOr<Table> scope = Scope(file, spec, out);
    const absl::Status status = scope.ok() ? AddColumn(*scope, ours, source, out) : scope.status();
    if (!status.ok()) {
      problems.Add(absl::StrCat(Place(spec, ours), ours, " = ", source, ": ", status.message()));
    }
  }
  std::vector<bool> keep;
  if (!spec.where.empty()) {
    // A broken column would only be reported again as absent.
    absl::StatusOr<Table> scope = Scope(file, spec, out);
    if (!scope.ok()) return scope.status();
    absl::StatusOr<Expression> where = Expression::Parse(spec.where);
    absl::StatusOr<std::vector<bool>> rows =
        where.ok() ? where->Conditions(*scope) : absl::StatusOr<std::vector<bool>>(where.status());
    if (rows.ok()) {
      keep = *std::move(rows);
    } else {
      problems.Add(absl::StrCat(Place(spec, "where"), "where = ", spec.where, ": ",
                                rows.status().message()));
    }
  }
  if (!problems.empty()) return problems.ToStatus();
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
