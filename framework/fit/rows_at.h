// One row of a table as a fit's form sees it: a prediction as a function of the free coordinates.
#ifndef QATLAS_FRAMEWORK_FIT_ROWS_AT_H_
#define QATLAS_FRAMEWORK_FIT_ROWS_AT_H_

#include <vector>

#include <absl/status/statusor.h>

#include "framework/fit/problem.h"
#include "framework/observe/table.h"

namespace qatlas::fit {

struct RowAt {
  int block = 0;
  LawPoints point;  // one point

  // The prediction at coordinates u, and its derivatives by them into gradient, [coordinates].
  double Value(const Problem& problem, const double* u, double* gradient) const;
};

// Errors: missing covariates or columns, categories that the problem has not seen.
absl::StatusOr<std::vector<RowAt>> RowsAt(const Problem& problem, const observe::Table& table);

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_ROWS_AT_H_
