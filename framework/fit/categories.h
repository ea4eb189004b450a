// Categories: which rows share a value of a parameter.
#ifndef QATLAS_FRAMEWORK_FIT_CATEGORIES_H_
#define QATLAS_FRAMEWORK_FIT_CATEGORIES_H_

#include <map>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

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

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_CATEGORIES_H_
