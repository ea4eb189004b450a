// Categories: which rows share a value of a parameter.
#ifndef QATLAS_FRAMEWORK_FIT_CATEGORIES_H_
#define QATLAS_FRAMEWORK_FIT_CATEGORIES_H_

#include <map>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <qatlas/law.h>

#include "framework/observe/table.h"

namespace qatlas::fit {

// The table's column that stands for a covariate or category.
inline const std::string& MappedColumn(const std::map<std::string, std::string>& columns,
                                       const std::string& name) {
  const auto found = columns.find(name);
  return found == columns.end() ? name : found->second;
}

// For every row the texts of its categories, in the order of `names`: texts as they are, numbers in
// their shortest digits, missing ones empty. NotFound for an absent column.
absl::StatusOr<std::vector<std::vector<std::string>>> CategoryKeys(
    const observe::Table& table, const std::vector<std::string>& names,
    const std::map<std::string, std::string>& columns);

// Columns of which every combination has its own value of a parameter: what the fit asks for, else
// what the form does.
inline const std::vector<std::string>& PerColumns(
    const std::map<std::string, std::vector<std::string>>& asked, const LawParameter& parameter) {
  const auto found = asked.find(parameter.name);
  return found == asked.end() ? parameter.per : found->second;
}

// Which parameters of a form a row depends on (LawParameter::only_with).
class ParameterUse {
 public:
  explicit ParameterUse(const LawSpec& spec);

  bool EveryRowUsesAll() const { return all_; }
  // covariates: [covariates][rows], as ReadCovariates gives them.
  bool In(size_t parameter, const std::vector<std::vector<double>>& covariates, size_t row) const {
    const int with = with_[parameter];
    return with < 0 || covariates[with][row] != missing_[parameter];
  }
  // The covariate that a parameter needs; nullptr where it needs none.
  const LawCovariate* With(size_t parameter) const {
    return with_[parameter] < 0 ? nullptr : &spec_.covariates[with_[parameter]];
  }

  // Empties, in the keys of every row, the columns that split only parameters which the row does
  // not depend on. asked: ProblemOptions::per.
  void BlankUnused(const std::vector<std::string>& columns,
                   const std::map<std::string, std::vector<std::string>>& asked,
                   const std::vector<std::vector<double>>& covariates,
                   std::vector<std::vector<std::string>>* keys) const;

 private:
  const LawSpec& spec_;
  std::vector<int> with_;        // by parameter: index of a covariate, or -1
  std::vector<double> missing_;  // by parameter: its value where it is missing
  bool all_ = true;
};

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_CATEGORIES_H_
