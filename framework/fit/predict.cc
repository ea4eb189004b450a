#include "framework/fit/predict.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include <absl/strings/str_cat.h>
#include <qatlas/check.h>

#include "framework/fit/stats.h"

namespace qatlas::fit {
namespace {

// Rows of a table by block of the fit, with their covariates laid out for evaluation.
struct BlockRows {
  int block;
  std::vector<size_t> rows;
  LawPoints points;
};

std::vector<BlockRows> Arrange(const std::vector<int>& blocks,
                               const std::vector<std::vector<double>>& covariates) {
  std::map<int, std::vector<size_t>> by_block;
  for (size_t row = 0; row < blocks.size(); ++row) by_block[blocks[row]].push_back(row);
  std::vector<BlockRows> result;
  for (auto& [block, rows] : by_block) {
    std::vector<std::vector<double>> columns(covariates.size());
    for (size_t c = 0; c < covariates.size(); ++c) {
      for (size_t row : rows) columns[c].push_back(covariates[c][row]);
    }
    result.push_back({block, std::move(rows), LawPoints(std::move(columns))});
  }
  return result;
}

// Evaluates all rows at natural values of the parameters. jacobian: by free coordinates as
// searched, [coordinates][rows], or nullptr.
void EvaluateRows(const Problem& problem, const std::vector<BlockRows>& arranged,
                  const std::vector<double>& values, std::vector<double>* prediction,
                  std::vector<std::vector<double>>* jacobian) {
  const size_t base = problem.form().Spec().parameters.size();
  for (const BlockRows& part : arranged) {
    const int64_t n = part.points.size();
    std::vector<double> theta(base);
    const absl::Span<const int> parameters = problem.BlockParameters(part.block);
    for (size_t p = 0; p < base; ++p) theta[p] = values[parameters[p]];
    std::vector<double> f(n);
    std::vector<double> j(jacobian != nullptr ? base * n : 0);
    problem.form().Evaluate(part.points.Batch(), theta.data(), f.data(),
                            jacobian != nullptr ? j.data() : nullptr, n);
    for (int64_t i = 0; i < n; ++i) (*prediction)[part.rows[i]] = f[i];
    if (jacobian == nullptr) continue;
    for (size_t p = 0; p < base; ++p) {
      const Parameter& parameter = problem.parameters()[parameters[p]];
      if (parameter.coordinate < 0) continue;
      const double scale = parameter.log ? theta[p] : 1.0;
      for (int64_t i = 0; i < n; ++i) {
        (*jacobian)[parameter.coordinate][part.rows[i]] += scale * j[p * n + i];
      }
    }
  }
}

}  // namespace

absl::StatusOr<Prediction> Predict(const FitResult& fit, const observe::Table& table, double level,
                                   const BootstrapResult* bootstrap) {
  const Problem& problem = *fit.problem;
  const size_t rows = table.rows();
  Prediction result;
  result.value.resize(rows);
  if (rows == 0) return result;
  QATLAS_ASSIGN_OR_RETURN(const std::vector<int> blocks, problem.Blocks(table));
  QATLAS_ASSIGN_OR_RETURN(const auto covariates,
                          ReadCovariates(problem.form(), problem.options().columns, table));
  const std::vector<BlockRows> arranged = Arrange(blocks, covariates);
  const int m = problem.coordinates();
  std::vector<std::vector<double>> jacobian(m, std::vector<double>(rows, 0.0));
  EvaluateRows(problem, arranged, fit.values, &result.value, &jacobian);
  if (!fit.covariance.empty()) {
    double t = 0;
    const double left = static_cast<double>(problem.rows() - m);
    if (left > 0) t = StudentQuantile(.5 + level / 2, left);
    for (size_t row = 0; row < rows; ++row) {
      double variance = 0;
      for (int a = 0; a < m; ++a) {
        for (int b = 0; b < m; ++b) {
          variance += jacobian[a][row] * fit.covariance[a * m + b] * jacobian[b][row];
        }
      }
      const double se = std::sqrt(std::max(variance, 0.0));
      result.standard_error.push_back(se);
      result.interval.push_back({result.value[row] - t * se, result.value[row] + t * se});
    }
  }
  if (bootstrap != nullptr) {
    std::vector<std::vector<double>> samples(rows);
    std::vector<double> values(rows);
    for (const std::vector<double>& coordinates : bootstrap->coordinates) {
      EvaluateRows(problem, arranged, problem.Values(coordinates), &values, nullptr);
      for (size_t row = 0; row < rows; ++row) samples[row].push_back(values[row]);
    }
    result.interval.resize(rows);
    for (size_t row = 0; row < rows; ++row) {
      std::sort(samples[row].begin(), samples[row].end());
      result.interval[row] = {Quantile(samples[row], (1 - level) / 2),
                              Quantile(samples[row], (1 + level) / 2)};
    }
  }
  return result;
}

absl::StatusOr<std::vector<double>> Evaluate(const LawForm& form, const std::vector<double>& theta,
                                             const observe::Table& table) {
  if (theta.size() != form.Spec().parameters.size()) {
    return absl::InvalidArgumentError(absl::StrCat("the form has ", form.Spec().parameters.size(),
                                                   " parameters, not ", theta.size()));
  }
  QATLAS_ASSIGN_OR_RETURN(auto covariates, ReadCovariates(form, {}, table));
  const LawPoints points(std::move(covariates));
  std::vector<double> values(table.rows());
  form.Evaluate(points.Batch(), theta.data(), values.data(), nullptr, points.size());
  return values;
}

observe::Table Grid(const std::vector<Axis>& axes,
                    const std::vector<std::pair<std::string, std::string>>& labels) {
  size_t rows = 1;
  for (const Axis& axis : axes) rows *= axis.values.size();
  observe::Table table;
  size_t repeat = rows;
  for (const Axis& axis : axes) {
    repeat = axis.values.empty() ? 0 : repeat / axis.values.size();
    std::vector<double> column(rows);
    for (size_t row = 0; row < rows; ++row) {
      column[row] = axis.values[row / repeat % axis.values.size()];
    }
    QATLAS_CHECK(table.SetNumbers(axis.column, std::move(column)).ok(), "axes of one grid");
  }
  for (const auto& [column, text] : labels) {
    QATLAS_CHECK(table.SetTexts(column, std::vector<std::string>(rows, text)).ok(),
                 "labels of one grid");
  }
  return table;
}

std::vector<double> LogSpaced(double low, double high, int count) {
  std::vector<double> values;
  for (int i = 0; i < count; ++i) {
    const double share = count > 1 ? static_cast<double>(i) / (count - 1) : 0;
    values.push_back(i + 1 == count && count > 1 ? high : low * std::pow(high / low, share));
  }
  return values;
}

}  // namespace qatlas::fit
