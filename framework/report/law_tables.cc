#include "framework/report/law_tables.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "framework/fit/categories.h"

namespace qatlas::report {
namespace {

std::string Percent(double share) {
  if (!std::isfinite(share)) return "–";
  return absl::StrFormat(share < .1 ? "%.1f%%" : "%.0f%%", 100 * share);
}

std::string Probability(double p) { return p < .001 ? "<.001" : ShortNumber(p, 2); }

std::string Identifiable(const fit::Identifiability& identifiability) {
  if (identifiability.identifiable) return "yes";
  return identifiability.reason.empty() ? "no" : absl::StrCat("no: ", identifiability.reason);
}

const fit::BootstrapInterval* BootstrapOf(const compare::Ranked& ranked, const std::string& name) {
  for (const fit::BootstrapInterval& interval : ranked.bootstrap) {
    if (interval.name == name) return &interval;
  }
  return nullptr;
}

// Whether the fit sets no limit to the parameter on one side.
bool IsOpen(const fit::Estimate& estimate) {
  return !estimate.fixed &&
         (estimate.below == fit::End::kOpen || estimate.above == fit::End::kOpen ||
          !std::isfinite(estimate.interval.low) || !std::isfinite(estimate.interval.high));
}

// "0.1 to 0.2", "0.1 to ∞"; a dash of nothing.
std::string IntervalText(double low, double high) {
  if (std::isnan(low) || std::isnan(high) || (std::isinf(low) && std::isinf(high))) return "–";
  return absl::StrCat(std::isinf(low) ? "−∞" : ShortNumber(low, 3), " to ",
                      std::isinf(high) ? "∞" : ShortNumber(high, 3));
}

// Why an interval is missing or to be read with care.
std::string NoteOf(const fit::Estimate& estimate, bool identifiable, bool any_open) {
  if (estimate.fixed) return "held";
  if (!identifiable && (!any_open || IsOpen(estimate))) return "not identifiable";
  return estimate.at_bound ? "at its bound" : "";
}

}  // namespace

std::string ParameterLabel(const fit::FitResult& fit, const std::string& parameter,
                           const std::string& category, const std::string& name) {
  if (category.empty()) return name;
  const LawSpec& spec = fit.problem->form().Spec();
  for (const LawParameter& law : spec.parameters) {
    if (law.name != parameter) continue;
    const std::vector<std::string>& columns = fit::PerColumns(fit.problem->options().per, law);
    std::vector<std::string> values = absl::StrSplit(category, ", ");
    if (values.size() != columns.size()) return name;
    for (size_t i = 0; i < values.size(); ++i) {
      // A number alone does not say what it counts.
      double number = 0;
      if (!absl::SimpleAtod(values[i], &number)) continue;
      values[i] = absl::StrCat(columns[i], " ", values[i]);
    }
    return absl::StrCat(parameter, "[", absl::StrJoin(values, ", "), "]");
  }
  return name;
}

ShownTable RankingTable(const std::string& id, const compare::Comparison& comparison) {
  ShownTable table;
  table.id = id + "-ranking";
  table.title = "The forms, best first";
  table.reading =
      "ΔAICc weighs fit against the number of parameters (noise model included); 0 is the best. "
      "The "
      "difference in log likelihood to the best form comes with its standard error (Vuong 1989): "
      "within two of them of 0 two forms are not told apart. RMSE in nats per token; held out: of "
      "rows that were not in the fit, with the p of a paired test of squared errors against the "
      "best form. – stands for what could not be computed.";
  bool first = true;
  for (const compare::Ranked& ranked : comparison.ranking) {
    table.data
        .Append({{"form", ranked.name},
                 {"parameters", static_cast<double>(ranked.parameters)},
                 {"log_likelihood", ranked.likelihood.log_likelihood},
                 {"aicc", ranked.aicc},
                 {"bic", ranked.bic},
                 {"delta_aicc", ranked.delta_aicc},
                 {"weight_aicc", ranked.weight_aicc},
                 {"weight_bic", ranked.weight_bic},
                 {"log_likelihood_difference", ranked.log_likelihood_difference},
                 {"difference_se", ranked.difference_se},
                 {"mean_relative_error", ranked.fit.mean_relative_error},
                 {"rmse", ranked.fit.rmse},
                 {"held_out_rmse", ranked.cross_validation.rmse},
                 {"held_out_relative_error", ranked.cross_validation.mean_relative_error},
                 {"error_difference", ranked.error_difference},
                 {"error_difference_se", ranked.error_difference_se},
                 {"error_difference_p", ranked.error_difference_p},
                 {"identifiable", Identifiable(ranked.fit.identifiability)}})
        .IgnoreError();
    table.shown
        .Append({{"form", ranked.name},
                 {"parameters", static_cast<double>(ranked.parameters)},
                 {"ΔAICc", ShortNumber(ranked.delta_aicc, 3)},
                 // Without a finite AICc (too few runs) weights mean nothing.
                 {"weight AICc", Percent(std::isfinite(ranked.aicc) ? ranked.weight_aicc : NAN)},
                 {"weight BIC", Percent(ranked.weight_bic)},
                 {"Δ log likelihood",
                  first ? std::string("best")
                        : WithError(ranked.log_likelihood_difference, ranked.difference_se)},
                 {"relative error", Percent(ranked.fit.mean_relative_error)},
                 {"RMSE", ShortNumber(ranked.fit.rmse, 2)},
                 {"RMSE held out", ShortNumber(ranked.cross_validation.rmse, 2)},
                 {"p", first ? std::string("–") : Probability(ranked.error_difference_p)},
                 {"identifiable", Identifiable(ranked.fit.identifiability)}})
        .IgnoreError();
    first = false;
  }
  return table;
}

ShownTable ParameterTable(const std::string& id, const compare::Comparison& comparison) {
  ShownTable table;
  table.id = id + "-parameters";
  table.title = "Parameters with 95% intervals";
  table.reading =
      "First interval: profile likelihood, or what was asked for in its place; second: percentiles "
      "of the bootstrap where it was run. Where the runs set a parameter no limit on one side its "
      "value is one of many that fit alike; where a form has several optima that are as good, so "
      "are all of its values, and no interval is shown.";
  for (const compare::Ranked& ranked : comparison.ranking) {
    const bool identifiable = ranked.fit.identifiability.identifiable;
    const std::vector<fit::Estimate>& estimates = ranked.fit.estimates;
    const bool any_open = std::any_of(estimates.begin(), estimates.end(), IsOpen);
    for (const fit::Estimate& estimate : estimates) {
      const bool good = (identifiable || any_open) && !estimate.fixed;
      const double missing = std::nan("");
      const double low = good ? estimate.interval.low : missing;
      const double high = good ? estimate.interval.high : missing;
      const fit::BootstrapInterval* bootstrap = BootstrapOf(ranked, estimate.name);
      const double bootstrap_low =
          good && bootstrap != nullptr ? bootstrap->percentile.low : missing;
      const double bootstrap_high =
          good && bootstrap != nullptr ? bootstrap->percentile.high : missing;
      const std::string note = NoteOf(estimate, identifiable, any_open);
      table.data
          .Append({{"form", ranked.name},
                   {"parameter", estimate.name},
                   {"value", estimate.value},
                   {"standard_error", good ? estimate.standard_error : missing},
                   {"low", low},
                   {"high", high},
                   {"bootstrap_low", bootstrap_low},
                   {"bootstrap_high", bootstrap_high},
                   {"unit", estimate.unit},
                   {"meaning", estimate.meaning},
                   {"note", note}})
          .IgnoreError();
      table.shown
          .Append({{"form", ranked.name},
                   {"parameter", ParameterLabel(ranked.fit, estimate.parameter, estimate.category,
                                                estimate.name)},
                   {"value", ShortNumber(estimate.value, 4)},
                   {"95% interval", IntervalText(low, high)},
                   {"95% bootstrap", IntervalText(bootstrap_low, bootstrap_high)},
                   {"note", note},
                   {"meaning", estimate.meaning}})
          .IgnoreError();
    }
  }
  table.collapsed = table.data.rows() > 24;
  if (table.collapsed) {
    table.title = absl::StrCat(table.data.rows(), " parameters with 95% intervals");
  }
  return table;
}

ShownTable FitTable(const std::string& id, const compare::Comparison& comparison) {
  ShownTable table;
  table.id = id + "-fits";
  table.title = "How the forms were fitted";
  table.reading =
      "What the survey \"(Mis)Fitting\" (arXiv 2502.18969) found left out of papers: formula, "
      "objective, starts, how many searches ended at the same optimum, and how well the data "
      "determine it (condition of the scaled Jacobian: the larger, the more open).";
  table.collapsed = true;
  for (const compare::Ranked& ranked : comparison.ranking) {
    const fit::FitResult& fit = ranked.fit;
    const fit::Problem& problem = *fit.problem;
    table.data
        .Append({{"form", ranked.name},
                 {"formula", problem.form().Spec().formula},
                 {"rows", static_cast<double>(problem.rows())},
                 {"rows left out", static_cast<double>(problem.dropped())},
                 {"free parameters", static_cast<double>(problem.coordinates())},
                 {"objective", problem.loss().Name()},
                 {"noise column",
                  problem.options().noise.empty() ? std::string("none") : problem.options().noise},
                 {"noise model", std::string(compare::Name(ranked.likelihood.model))},
                 {"value of the objective", fit.objective},
                 {"starts", static_cast<double>(fit.starts)},
                 {"searched", static_cast<double>(fit.searched)},
                 {"agreeing", static_cast<double>(fit.agreeing)},
                 {"without optimum", static_cast<double>(fit.failed)},
                 {"converged", std::string(fit.converged ? "yes" : "no")},
                 {"R²", fit.r_squared},
                 {"condition", fit.identifiability.condition},
                 {"bootstrap refits failed", static_cast<double>(ranked.bootstrap_failed)},
                 {"notes", absl::StrJoin(fit.notes, " ")}})
        .IgnoreError();
  }
  return table;
}

ShownTable RefusedTable(const std::string& id, const compare::Comparison& comparison) {
  ShownTable table;
  table.id = id + "-refused";
  table.title = "Forms that could not be fitted to these runs";
  table.reading = "Each with the reason; they are not ranked.";
  for (const auto& [form, why] : comparison.refused) {
    table.data.Append({{"form", form}, {"reason", why}}).IgnoreError();
  }
  return table;
}

}  // namespace qatlas::report
