#include "framework/fit/json.h"

#include <cmath>

namespace qatlas::fit {

using nlohmann::json;

json Number(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }

json ToJson(const Interval& interval) {
  return json::array({Number(interval.low), Number(interval.high)});
}

json ToJson(const BootstrapInterval& interval) {
  return {{"standard_error", Number(interval.standard_error)},
          {"bias", Number(interval.bias)},
          {"percentile", ToJson(interval.percentile)},
          {"basic", ToJson(interval.basic)}};
}

namespace {

json Numbers(const std::vector<double>& values) {
  json list = json::array();
  for (double value : values) list.push_back(Number(value));
  return list;
}

// Columns of which a parameter has one value a category.
json SplitBy(const Problem& problem, const std::string& parameter) {
  const auto per = problem.options().per.find(parameter);
  if (per != problem.options().per.end()) return per->second;
  const LawSpec& spec = problem.form().Spec();
  const int index = spec.ParameterIndex(parameter);
  return index < 0 ? std::vector<std::string>() : spec.parameters[index].per;
}

json Parameters(const FitResult& fit, const std::vector<BootstrapInterval>& bootstrap) {
  const Problem& problem = *fit.problem;
  json list = json::array();
  for (size_t i = 0; i < fit.estimates.size(); ++i) {
    const Estimate& e = fit.estimates[i];
    json entry = {{"name", e.name},
                  {"parameter", e.parameter},
                  {"category", e.category},
                  {"meaning", e.meaning},
                  {"unit", e.unit},
                  {"value", Number(e.value)},
                  {"fixed", e.fixed},
                  {"log", e.log},
                  {"coordinate", problem.parameters()[i].coordinate},
                  {"unused", problem.parameters()[i].unused},
                  {"split_by", SplitBy(problem, e.parameter)},
                  {"at_bound", e.at_bound},
                  {"standard_error", Number(e.standard_error)},
                  {"interval", ToJson(e.interval)},
                  {"below", Name(e.below)},
                  {"above", Name(e.above)},
                  {"covariance_interval", ToJson(e.covariance_interval)}};
    if (i < bootstrap.size()) entry["bootstrap"] = ToJson(bootstrap[i]);
    list.push_back(std::move(entry));
  }
  return list;
}

json Rows(const FitResult& fit) {
  const Problem& problem = *fit.problem;
  json rows = json::array();
  for (int64_t i = 0; i < problem.rows(); ++i) {
    json row = {{"row", problem.row(i)},
                {"target", Number(problem.target()[i])},
                {"prediction", Number(fit.prediction[i])},
                {"residual", Number(fit.residual[i])}};
    const LawSpec& spec = problem.form().Spec();
    for (size_t c = 0; c < spec.covariates.size(); ++c) {
      row["covariates"][spec.covariates[c].name] = Number(problem.points().columns()[c][i]);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

json ToJson(const FitResult& fit, const std::vector<BootstrapInterval>& bootstrap) {
  const Problem& problem = *fit.problem;
  const Identifiability& id = fit.identifiability;
  json direction = json::array();
  for (const auto& [name, component] : id.open_direction) {
    direction.push_back({{"parameter", name}, {"component", Number(component)}});
  }
  return {{"form", fit.form},
          {"formula", problem.form().Spec().formula},
          {"target", problem.target_name()},
          {"loss", problem.loss().Name()},
          {"rows", problem.rows()},
          {"dropped", problem.dropped()},
          {"free_parameters", problem.coordinates()},
          {"parameters", Parameters(fit, bootstrap)},
          {"objective", Number(fit.objective)},
          {"r_squared", Number(fit.r_squared)},
          {"mean_relative_error", Number(fit.mean_relative_error)},
          {"rmse", Number(fit.rmse)},
          {"residual_scale", Number(fit.residual_scale)},
          {"residual_space", problem.loss().space == Space::kLog ? "log" : "linear"},
          {"covariance", Numbers(fit.covariance)},
          {"search",
           {{"starts", fit.starts},
            {"searched", fit.searched},
            {"agreeing", fit.agreeing},
            {"optima", fit.optima},
            {"stopped_early", fit.stopped_early},
            {"failed", fit.failed},
            {"iterations", fit.iterations},
            {"converged", fit.converged}}},
          {"identifiable", id.identifiable},
          {"identifiability",
           {{"condition", Number(id.condition)},
            {"singular_values", Numbers(id.singular_values)},
            {"open_direction", direction},
            {"open_standard_error", Number(id.open_standard_error)},
            {"reason", id.reason}}},
          {"notes", fit.notes},
          {"residuals", Rows(fit)}};
}

json ToJson(const Prediction& prediction) {
  json intervals = json::array();
  for (const Interval& interval : prediction.interval) intervals.push_back(ToJson(interval));
  json new_run = json::array();
  for (const Interval& interval : prediction.new_run) new_run.push_back(ToJson(interval));
  return {{"value", Numbers(prediction.value)},
          {"standard_error", Numbers(prediction.standard_error)},
          {"interval", intervals},
          {"new_run", new_run}};
}

}  // namespace qatlas::fit
