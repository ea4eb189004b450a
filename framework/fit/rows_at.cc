#include "framework/fit/rows_at.h"

#include <algorithm>
#include <utility>

#include <qatlas/check.h>

namespace qatlas::fit {

double RowAt::Value(const Problem& problem, const double* u, double* gradient) const {
  const int m = problem.coordinates();
  const std::vector<double> values = problem.Values({u, static_cast<size_t>(m)});
  const absl::Span<const int> parameters = problem.BlockParameters(block);
  std::vector<double> theta(parameters.size());
  for (size_t p = 0; p < theta.size(); ++p) theta[p] = values[parameters[p]];
  std::vector<double> jacobian(theta.size());
  double value = 0;
  problem.form().Evaluate(point.Batch(), theta.data(), &value, jacobian.data(), 1);
  std::fill(gradient, gradient + m, 0.0);
  for (size_t p = 0; p < theta.size(); ++p) {
    const Parameter& parameter = problem.parameters()[parameters[p]];
    if (parameter.coordinate < 0) continue;
    gradient[parameter.coordinate] += jacobian[p] * (parameter.log ? theta[p] : 1.0);
  }
  return value;
}

absl::StatusOr<std::vector<RowAt>> RowsAt(const Problem& problem, const observe::Table& table) {
  QATLAS_ASSIGN_OR_RETURN(const std::vector<int> blocks, problem.Blocks(table));
  QATLAS_ASSIGN_OR_RETURN(const auto covariates,
                          ReadCovariates(problem.form(), problem.options().columns, table));
  std::vector<RowAt> rows;
  for (size_t row = 0; row < table.rows(); ++row) {
    std::vector<std::vector<double>> columns;
    for (const std::vector<double>& column : covariates) columns.push_back({column[row]});
    rows.push_back({blocks[row], LawPoints(std::move(columns))});
  }
  return rows;
}

}  // namespace qatlas::fit
