#include "framework/compare/json.h"

#include <algorithm>
#include <set>

#include <absl/strings/str_cat.h>
#include <qatlas/check.h>

#include "framework/fit/json.h"
#include "framework/fit/predict.h"

namespace qatlas::compare {

using fit::Number;
using nlohmann::json;

namespace {

json ToJson(const HeldOut& held_out) {
  json errors = json::array();
  for (double error : held_out.errors) errors.push_back(Number(error));
  return {{"what", held_out.what},
          {"folds", held_out.folds},
          {"refused", held_out.refused},
          {"rows", held_out.rows},
          {"rmse", Number(held_out.rmse)},
          {"mean_relative_error", Number(held_out.mean_relative_error)},
          {"log_score", Number(held_out.log_score)},
          {"errors", errors}};
}

json ToJson(const Ranked& form) {
  json by_scale = json::array();
  for (const HeldOut& held_out : form.by_scale) by_scale.push_back(ToJson(held_out));
  return {{"name", form.name},
          {"parameters", form.parameters},
          {"fit", fit::ToJson(form.fit, form.bootstrap)},
          {"bootstrap_failed", form.bootstrap_failed},
          {"noise", Name(form.likelihood.model)},
          {"noise_scale", Number(form.likelihood.scale)},
          {"log_likelihood", Number(form.likelihood.log_likelihood)},
          {"aicc", Number(form.aicc)},
          {"bic", Number(form.bic)},
          {"delta_aicc", Number(form.delta_aicc)},
          {"weight_aicc", Number(form.weight_aicc)},
          {"weight_bic", Number(form.weight_bic)},
          {"log_likelihood_difference", Number(form.log_likelihood_difference)},
          {"difference_se", Number(form.difference_se)},
          {"cross_validation", ToJson(form.cross_validation)},
          {"by_scale", by_scale},
          {"error_difference", Number(form.error_difference)},
          {"error_difference_se", Number(form.error_difference_se)},
          {"error_difference_p", Number(form.error_difference_p)}};
}

const char* Name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kDecided:
      return "decided";
    case Verdict::kTooFew:
      return "too few runs";
    case Verdict::kUndecided:
      break;
  }
  return "undecided";
}

}  // namespace

json ToJson(const Comparison& comparison) {
  json ranking = json::array();
  for (const Ranked& form : comparison.ranking) ranking.push_back(ToJson(form));
  json refused = json::array();
  for (const auto& [name, reason] : comparison.refused) {
    refused.push_back({{"name", name}, {"reason", reason}});
  }
  return {{"target", comparison.target},
          {"rows", comparison.rows},
          {"verdict", Name(comparison.verdict)},
          {"sentence", comparison.sentence},
          {"rule", comparison.rule},
          {"ranking", ranking},
          {"refused", refused},
          {"notes", comparison.notes}};
}

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
