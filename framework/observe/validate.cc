#include "framework/observe/validate.h"

#include <algorithm>
#include <cmath>

#include <absl/container/flat_hash_set.h>
#include <absl/functional/function_ref.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "framework/observe/problems.h"

namespace qatlas::observe {
namespace {

constexpr size_t kRowsShown = 5;

// "runs.csv:3, runs.csv:7 and 12 more", or "" for none.
std::string Rows(const Table& table, absl::FunctionRef<bool(size_t)> bad) {
  std::vector<std::string> shown;
  size_t count = 0;
  for (size_t row = 0; row < table.rows(); ++row) {
    if (!bad(row)) continue;
    if (count++ < kRowsShown) shown.push_back(table.Where(row));
  }
  std::string rows = absl::StrJoin(shown, ", ");
  if (count > kRowsShown) absl::StrAppend(&rows, " and ", count - kRowsShown, " more");
  return rows;
}

void CheckNumbers(const Table& table, const std::string& name, bool positive, Problems& problems) {
  const absl::StatusOr<absl::Span<const double>> numbers = table.Numbers(name);
  if (!numbers.ok()) {
    problems.Add(std::string(numbers.status().message()));
    return;
  }
  const absl::Span<const double> values = *numbers;
  std::string rows = Rows(table, [&](size_t row) { return std::isnan(values[row]); });
  if (!rows.empty()) problems.Add(absl::StrCat("column '", name, "' is missing (NaN) in ", rows));
  rows = Rows(table, [&](size_t row) { return std::isinf(values[row]); });
  if (!rows.empty()) problems.Add(absl::StrCat("column '", name, "' is infinite in ", rows));
  if (!positive) return;
  rows = Rows(table, [&](size_t row) { return values[row] <= 0 && !std::isinf(values[row]); });
  if (!rows.empty()) {
    problems.Add(absl::StrCat("column '", name, "' must be above zero, but is not in ", rows));
  }
}

void CheckDuplicates(const Table& table, const std::vector<std::string>& unique_by,
                     Problems& problems) {
  std::vector<std::string> columns;
  for (const std::string& name : unique_by) {
    if (table.Has(name)) columns.push_back(name);
  }
  if (columns.empty()) return;
  const absl::StatusOr<std::vector<Group>> groups = table.GroupBy(columns);
  if (!groups.ok()) {
    problems.Add(std::string(groups.status().message()));
    return;
  }
  for (const Group& group : *groups) {
    if (group.rows.size() < 2) continue;
    std::vector<std::string> values;
    for (size_t i = 0; i < columns.size(); ++i) {
      values.push_back(absl::StrCat(columns[i], " ", ShowValue(group.key[i])));
    }
    std::string rows;
    for (size_t i = 0; i < std::min(group.rows.size(), kRowsShown); ++i) {
      absl::StrAppend(&rows, i > 0 ? ", " : "", table.Where(group.rows[i]));
    }
    if (group.rows.size() > kRowsShown) {
      absl::StrAppend(&rows, " and ", group.rows.size() - kRowsShown, " more");
    }
    problems.Add(absl::StrCat("rows ", rows, " are the same observation (",
                              absl::StrJoin(values, ", "), "); keep one of them"));
  }
}

}  // namespace

absl::Status Validate(const Table& table, const Requirements& requirements) {
  Problems problems;
  absl::flat_hash_set<std::string> checked;
  for (const std::string& name : requirements.numbers) {
    if (!checked.insert(name).second) continue;
    const bool positive = std::find(requirements.positive.begin(), requirements.positive.end(),
                                    name) != requirements.positive.end();
    CheckNumbers(table, name, positive, problems);
  }
  for (const std::string& name : requirements.texts) {
    if (!checked.insert(name).second) continue;
    const absl::StatusOr<const TextColumn*> texts = table.Texts(name);
    if (!texts.ok()) {
      problems.Add(std::string(texts.status().message()));
      continue;
    }
    const std::string rows = Rows(table, [&](size_t row) { return (**texts)[row].empty(); });
    if (!rows.empty()) problems.Add(absl::StrCat("column '", name, "' is missing in ", rows));
  }
  CheckDuplicates(table, requirements.unique_by, problems);
  if (table.rows() == 0) {
    problems.Add("the table has no rows");
  } else if (table.rows() < requirements.parameters) {
    problems.Add(absl::StrCat(table.rows(), " observations cannot determine ",
                              requirements.parameters, " parameters; give at least as many rows"));
  }
  return problems.ToStatus("these observations cannot be used:");
}

}  // namespace qatlas::observe
