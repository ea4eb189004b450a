#include "framework/compare/json.h"

#include <string>
#include <vector>

#include "framework/fit/json.h"

namespace qatlas::compare {

using fit::Number;
using nlohmann::json;

namespace {

json Numbers(const std::vector<double>& values) {
  json list = json::array();
  for (double value : values) list.push_back(Number(value));
  return list;
}

// Declared before the template, which finds no others.
json ToJson(const Score& value);
json ToJson(const HeldOut& value);
json ToJson(const FanStep& value);
json ToJson(const Window& value);
json ToJson(const Extrapolation& value);
json ToJson(const NestedTest& value);
json ToJson(const Range& value);
json ToJson(const WinRegion& value);
json ToJson(const WinMap& value);
json ToJson(const Variant& value);
json ToJson(const Influence& value);
json ToJson(const Ranked& value);

template <typename T>
json List(const std::vector<T>& items) {
  json list = json::array();
  for (const T& item : items) list.push_back(ToJson(item));
  return list;
}

json ToJson(const Score& score) {
  return {{"of", score.of},
          {"rows", score.rows},
          {"rmse", Number(score.rmse)},
          {"mean_relative_error", Number(score.mean_relative_error)},
          {"skill", Number(score.skill)}};
}

json ToJson(const HeldOut& held_out) {
  return {{"what", held_out.what},
          {"folds", held_out.folds},
          {"refused", held_out.refused},
          {"rows", held_out.rows},
          {"rmse", Number(held_out.rmse)},
          {"mean_relative_error", Number(held_out.mean_relative_error)},
          {"log_score", Number(held_out.log_score)},
          {"scores", List(held_out.scores)},
          {"errors", Numbers(held_out.errors)}};
}

json ToJson(const Window& window) {
  return {{"threshold", Number(window.threshold)},
          {"trained", window.trained},
          {"fitted", window.fitted},
          {"rmse", Number(window.rmse)},
          {"mean_relative_error", Number(window.mean_relative_error)},
          {"row", window.row},
          {"distance", Numbers(window.distance)},
          {"error", Numbers(window.error)}};
}

json ToJson(const FanStep& step) {
  return {{"low", Number(step.low)},
          {"high", Number(step.high)},
          {"predictions", step.predictions},
          {"rmse", Number(step.rmse)},
          {"mean_relative_error", Number(step.mean_relative_error)},
          {"bias", Number(step.bias)}};
}

json ToJson(const Extrapolation& along) {
  return {{"axis", along.axis},
          {"predictions", along.predictions},
          {"rmse", Number(along.rmse)},
          {"mean_relative_error", Number(along.mean_relative_error)},
          {"scores", List(along.scores)},
          {"difference", Number(along.difference)},
          {"difference_se", Number(along.difference_se)},
          {"difference_p", Number(along.difference_p)},
          {"fan", List(along.fan)},
          {"windows", List(along.windows)}};
}

json ToJson(const NestedTest& test) {
  return {{"restricted", test.restricted},
          {"full", test.full},
          {"restriction", test.restriction},
          {"degrees", test.degrees},
          {"statistic", Number(test.statistic)},
          {"p", Number(test.p)},
          {"p_asymptotic", Number(test.p_asymptotic)},
          {"on_bound", test.on_bound},
          {"p_on_bound", Number(test.p_on_bound)}};
}

json ToJson(const Range& range) {
  return {{"column", range.column}, {"low", Number(range.low)}, {"high", Number(range.high)}};
}

json ToJson(const WinRegion& region) {
  return {{"ranges", List(region.ranges)},
          {"rows", region.rows},
          {"rmse", Numbers(region.rmse)},
          {"winner", region.winner},
          {"second", region.second},
          {"difference", Number(region.difference)},
          {"difference_se", Number(region.difference_se)},
          {"p", Number(region.p)},
          {"clear", region.clear}};
}

json ToJson(const WinMap& map) {
  return {{"columns", map.columns}, {"relative", map.relative}, {"regions", List(map.regions)}};
}

json ToJson(const Variant& variant) {
  return {{"what", variant.what},           {"first", variant.first},
          {"aicc", Numbers(variant.aicc)},  {"gap", Number(variant.gap)},
          {"plausible", variant.plausible}, {"flips", variant.flips}};
}

json ToJson(const Influence& run) {
  return {{"row", run.row},
          {"where", run.where},
          {"first", run.first},
          {"gap", Number(run.gap)},
          {"gap_change", Number(run.gap_change)},
          {"flips", run.flips},
          {"parameter", run.parameter},
          {"shift", Number(run.shift)},
          {"values", Numbers(run.values)}};
}

json ToJson(const Robustness& robustness) {
  return {{"gap", Number(robustness.gap)},
          {"losses", List(robustness.losses)},
          {"sizes", List(robustness.sizes)},
          {"runs", List(robustness.runs)},
          {"examined_runs", robustness.examined_runs},
          {"flipping_runs", robustness.flipping_runs},
          {"resamples", robustness.resamples},
          {"notes", robustness.notes}};
}

json ToJson(const Ranked& form) {
  return {{"name", form.name},
          {"parameters", form.parameters},
          {"fit", fit::ToJson(form.fit, form.bootstrap)},
          {"bootstrap_failed", form.bootstrap_failed},
          {"noise", Name(form.likelihood.model)},
          {"noise_scale", Number(form.likelihood.scale)},
          {"exact", form.likelihood.exact},
          {"log_likelihood", Number(form.likelihood.log_likelihood)},
          {"likelihood_values", Numbers(form.likelihood.values)},
          {"aicc", Number(form.aicc)},
          {"bic", Number(form.bic)},
          {"delta_aicc", Number(form.delta_aicc)},
          {"weight_aicc", Number(form.weight_aicc)},
          {"weight_bic", Number(form.weight_bic)},
          {"log_likelihood_difference", Number(form.log_likelihood_difference)},
          {"difference_se", Number(form.difference_se)},
          {"difference_design_effect", Number(form.difference_design_effect)},
          {"bootstrap_first", Number(form.bootstrap_first)},
          {"cross_validation", ToJson(form.cross_validation)},
          {"by_scale", List(form.by_scale)},
          {"extrapolation", List(form.extrapolation)},
          {"error_difference", Number(form.error_difference)},
          {"error_difference_se", Number(form.error_difference_se)},
          {"error_difference_p", Number(form.error_difference_p)},
          {"error_design_effect", Number(form.error_design_effect)}};
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
  json refused = json::array();
  for (const auto& [name, reason] : comparison.refused) {
    refused.push_back({{"name", name}, {"reason", reason}});
  }
  return {{"target", comparison.target},
          {"rows", comparison.rows},
          {"verdict", Name(comparison.verdict)},
          {"sentence", comparison.sentence},
          {"rule", comparison.rule},
          {"contenders", comparison.contenders},
          {"ranking", List(comparison.ranking)},
          {"nested", List(comparison.nested)},
          {"win_maps", List(comparison.win_maps)},
          {"robustness", ToJson(comparison.robustness)},
          {"refused", refused},
          {"notes", comparison.notes}};
}

}  // namespace qatlas::compare
