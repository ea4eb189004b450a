#include "framework/fit/rank.h"

#include <cmath>
#include <utility>

#include "framework/fit/dense.h"

namespace qatlas::fit {

std::vector<std::string> OpenParameters(const Problem& problem, double where) {
  const LawSpec& spec = problem.form().Spec();
  std::vector<double> values(problem.parameters().size());
  for (size_t i = 0; i < values.size(); ++i) {
    const Parameter& parameter = problem.parameters()[i];
    const std::vector<double>& starts = spec.parameters[parameter.base].starts;
    values[i] = parameter.coordinate < 0
                    ? parameter.value
                    : starts[static_cast<size_t>(where * static_cast<double>(starts.size()))];
  }
  const int64_t rows = problem.rows();
  std::vector<double> prediction(rows);
  std::vector<double> jacobian(rows * problem.coordinates());
  std::vector<double> scratch;
  problem.Evaluate(values, prediction.data(), jacobian.data(), rows, &scratch);
  std::vector<std::vector<double>> scaled;
  for (int c = 0; c < problem.coordinates(); ++c) {
    std::vector<double> column(jacobian.begin() + c * rows, jacobian.begin() + (c + 1) * rows);
    double norm = 0;
    for (double x : column) norm = std::hypot(norm, x);
    if (!std::isfinite(norm)) return {};
    if (norm == 0) return {problem.coordinate(c).name};
    for (double& x : column) x /= norm;
    scaled.push_back(std::move(column));
  }
  const dense::Svd svd = dense::RightSvd(scaled);
  if (svd.values.back() > 1e-11 * svd.values.front()) return {};
  std::vector<std::string> names;
  for (int c = 0; c < problem.coordinates(); ++c) {
    if (std::abs(svd.v.back()[c]) > .05) names.push_back(problem.coordinate(c).name);
  }
  return names;
}

}  // namespace qatlas::fit
