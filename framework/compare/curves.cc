// Curves of a fit along one covariate.
#include <algorithm>
#include <set>

#include <absl/strings/str_cat.h>
#include <qatlas/check.h>

#include "framework/compare/json.h"
#include "framework/fit/json.h"
#include "framework/fit/predict.h"

namespace qatlas::compare {

using fit::Number;
using nlohmann::json;

absl::StatusOr<json> Curves(const fit::FitResult& fit, const observe::Table& table,
                            const std::string& covariate, int points, int limit) {
  const fit::Problem& problem = *fit.problem;
  const LawSpec& spec = problem.form().Spec();
  if (spec.CovariateIndex(covariate) < 0) {
    return absl::NotFoundError(absl::StrCat("'", fit.form, "' has no covariate '", covariate, "'"));
  }
  const auto column_of = [&](const std::string& name) {
    const auto found = problem.options().columns.find(name);
    return found == problem.options().columns.end() ? name : found->second;
  };
  const std::string x_column = column_of(covariate);
  // Everything else that the prediction depends on.
  std::set<std::string> others;
  for (const LawCovariate& other : spec.covariates) others.insert(column_of(other.name));
  for (const LawParameter& parameter : spec.parameters) {
    const auto per = problem.options().per.find(parameter.name);
    for (const std::string& name :
         per == problem.options().per.end() ? parameter.per : per->second) {
      others.insert(column_of(name));
    }
  }
  others.erase(x_column);
  std::vector<size_t> used;
  for (int64_t i = 0; i < problem.rows(); ++i) used.push_back(problem.row(i));
  std::sort(used.begin(), used.end());
  const observe::Table rows = table.Take(used);
  const std::vector<std::string> keys(others.begin(), others.end());
  QATLAS_ASSIGN_OR_RETURN(const std::vector<observe::Group> groups, rows.GroupBy(keys));
  QATLAS_ASSIGN_OR_RETURN(const absl::Span<const double> x, rows.Numbers(x_column));
  QATLAS_ASSIGN_OR_RETURN(const absl::Span<const double> y, rows.Numbers(problem.target_name()));
  const auto [low, high] = std::minmax_element(x.begin(), x.end());
  const std::vector<double> grid = fit::LogSpaced(*low, *high, points);
  json curves = json::array();
  const size_t count = groups.size();
  const size_t shown = std::min<size_t>(count, std::max(limit, 1));
  for (size_t k = 0; k < shown; ++k) {
    const observe::Group& group = groups[k * count / shown];
    observe::Table along = fit::Grid({{x_column, grid}});
    json at = json::object();
    for (size_t c = 0; c < keys.size(); ++c) {
      if (const double* number = std::get_if<double>(&group.key[c])) {
        QATLAS_RETURN_IF_ERROR(
            along.SetNumbers(keys[c], std::vector<double>(grid.size(), *number)));
        at[keys[c]] = Number(*number);
      } else {
        const std::string& text = std::get<std::string>(group.key[c]);
        QATLAS_RETURN_IF_ERROR(
            along.SetTexts(keys[c], std::vector<std::string>(grid.size(), text)));
        at[keys[c]] = text;
      }
    }
    QATLAS_ASSIGN_OR_RETURN(const fit::Prediction prediction, fit::Predict(fit, along));
    json observed = json::array();
    for (size_t row : group.rows) observed.push_back({Number(x[row]), Number(y[row])});
    curves.push_back(
        {{"at", at}, {"x", grid}, {"prediction", fit::ToJson(prediction)}, {"observed", observed}});
  }
  return curves;
}

}  // namespace qatlas::compare
