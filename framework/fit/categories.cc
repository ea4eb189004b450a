#include "framework/fit/categories.h"

#include <algorithm>
#include <cmath>

#include <absl/strings/str_cat.h>
#include <qatlas/check.h>

#include "framework/fit/problem.h"
#include "framework/observe/number.h"
#include "framework/observe/problems.h"
#include "framework/observe/quantized.h"

namespace qatlas::fit {
namespace {

// One covariate as the table has it; missing values are NaN. Empty where the table has it nowhere
// and need not.
absl::StatusOr<std::vector<double>> ReadColumn(const LawCovariate& covariate,
                                               const std::map<std::string, std::string>& columns,
                                               const observe::Table& table) {
  if (covariate.name == kQuantized) return observe::QuantizedRows(table, columns);
  const std::string& column = MappedColumn(columns, covariate.name);
  const bool needed = std::isnan(covariate.missing) && covariate.only_with.empty();
  if (!needed && !table.Has(column)) return std::vector<double>();
  const auto numbers = table.Numbers(column);
  if (!numbers.ok()) {
    return absl::Status(numbers.status().code(),
                        absl::StrCat("covariate ", covariate.name, " (", covariate.meaning,
                                     "): ", numbers.status().message()));
  }
  return std::vector<double>(numbers->begin(), numbers->end());
}

}  // namespace

absl::StatusOr<std::vector<std::vector<double>>> ReadCovariates(
    const LawForm& form, const std::map<std::string, std::string>& columns,
    const observe::Table& table) {
  observe::Problems problems;
  const LawSpec& spec = form.Spec();
  std::vector<std::vector<double>> result(spec.covariates.size());
  // First those that others lean on.
  for (const bool leaning : {false, true}) {
    for (size_t c = 0; c < spec.covariates.size(); ++c) {
      const LawCovariate& covariate = spec.covariates[c];
      if (covariate.only_with.empty() == leaning) continue;
      auto values = ReadColumn(covariate, columns, table);
      if (!values.ok()) {
        problems.Add(std::string(values.status().message()));
        continue;
      }
      const bool absent = values->empty() && table.rows() > 0;
      if (absent) values->assign(table.rows(), covariate.missing);
      const int with = leaning ? spec.CovariateIndex(covariate.only_with) : -1;
      QATLAS_CHECK(!leaning || (with >= 0 && spec.covariates[with].only_with.empty()),
                   "a covariate leans on one that stands by itself");
      if (leaning && result[with].empty() && table.rows() > 0) continue;  // reported already
      const std::string& column = MappedColumn(columns, covariate.name);
      std::vector<size_t> without;
      for (size_t row = 0; row < table.rows(); ++row) {
        double& value = (*values)[row];
        if (leaning && result[with][row] == spec.covariates[with].missing) {
          value = covariate.minimum;
        } else if (std::isnan(value) && !std::isnan(covariate.missing)) {
          value = covariate.missing;
        } else if (absent && std::isnan(value)) {
          problems.Add(absl::StrCat("covariate ", covariate.name, " (", covariate.meaning,
                                    "): ", table.NoSuchColumn(column).message()));
          break;
        } else if (!std::isfinite(value)) {
          without.push_back(row);
        } else if (value < covariate.minimum) {
          problems.Add(absl::StrCat(table.Where(row), ": ", column, " = ", value, " is below ",
                                    covariate.minimum, ", the least that the form takes"));
        } else if (value > covariate.maximum) {
          problems.Add(absl::StrCat(table.Where(row), ": ", column, " = ", value, " is above ",
                                    covariate.maximum, ", the most that the form takes"));
        }
      }
      if (without.size() == 1) {
        problems.Add(absl::StrCat(table.Where(without[0]), ": ", column,
                                  " is missing; give it or leave the row out"));
      } else if (!without.empty()) {
        problems.Add(absl::StrCat(table.Where(without[0]), ": ", column, " is missing, as in ",
                                  without.size(), " of ", table.rows(),
                                  " rows; give it, or leave them out (--map 'where=", column,
                                  " > 0')"));
      }
      result[c] = *std::move(values);
    }
  }
  QATLAS_RETURN_IF_ERROR(problems.ToStatus());
  return result;
}

absl::StatusOr<std::vector<std::vector<std::string>>> CategoryKeys(
    const observe::Table& table, const std::vector<std::string>& names,
    const std::map<std::string, std::string>& columns) {
  std::vector<std::vector<std::string>> keys(table.rows());
  for (const std::string& name : names) {
    const std::string& column = MappedColumn(columns, name);
    QATLAS_ASSIGN_OR_RETURN(const observe::ColumnKind kind, table.Kind(column));
    for (size_t row = 0; row < table.rows(); ++row) {
      keys[row].push_back(kind == observe::ColumnKind::kText
                              ? std::string(table.TextAt(row, column))
                              : observe::FormatNumber(table.NumberAt(row, column)));
    }
  }
  return keys;
}

ParameterUse::ParameterUse(const LawSpec& spec) : spec_(spec) {
  for (const LawParameter& parameter : spec.parameters) {
    int with = -1;
    if (!parameter.only_with.empty()) {
      with = spec.CovariateIndex(parameter.only_with);
      QATLAS_CHECK(with >= 0 && !std::isnan(spec.covariates[with].missing),
                   "a parameter leans on a covariate that may be missing");
      all_ = false;
    }
    with_.push_back(with);
    missing_.push_back(with < 0 ? 0.0 : spec.covariates[with].missing);
  }
}

void ParameterUse::BlankUnused(const std::vector<std::string>& columns,
                               const std::map<std::string, std::vector<std::string>>& asked,
                               const std::vector<std::vector<double>>& covariates,
                               std::vector<std::vector<std::string>>* keys) const {
  if (all_) return;
  for (size_t k = 0; k < columns.size(); ++k) {
    std::vector<size_t> split;  // the parameters that the column splits
    for (size_t p = 0; p < spec_.parameters.size(); ++p) {
      const std::vector<std::string>& per = PerColumns(asked, spec_.parameters[p]);
      if (std::find(per.begin(), per.end(), columns[k]) != per.end()) split.push_back(p);
    }
    for (size_t row = 0; row < keys->size(); ++row) {
      if (std::none_of(split.begin(), split.end(),
                       [&](size_t p) { return In(p, covariates, row); })) {
        (*keys)[row][k].clear();
      }
    }
  }
}

}  // namespace qatlas::fit
