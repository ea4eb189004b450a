// Where in N, D and G each form predicts best.
#ifndef QATLAS_FRAMEWORK_COMPARE_WIN_MAP_H_
#define QATLAS_FRAMEWORK_COMPARE_WIN_MAP_H_

#include <string>
#include <vector>

#include "framework/compare/comparison.h"
#include "framework/compare/paired.h"
#include "framework/observe/table.h"

namespace qatlas::compare {

// For each row of the table its bin along a column: one a level where there are at most five, else
// thirds of the rows. Empty where the column is absent, a value is missing, or all are the same.
std::vector<int> BinsOf(const observe::Table& table, const std::string& column);

// Held-out errors of the ranking (cross-validation) region by region: all columns together, then
// each alone. Errors are those of the logarithm where every form is fitted to it.
std::vector<WinMap> WinMaps(const std::vector<Ranked>& ranking, const observe::Table& table,
                            const std::vector<std::string>& columns,
                            const Clusterings& clusterings);

}  // namespace qatlas::compare

#endif  // QATLAS_FRAMEWORK_COMPARE_WIN_MAP_H_
