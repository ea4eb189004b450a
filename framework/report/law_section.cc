#include "framework/report/law_section.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace qatlas::report {
namespace {

ShownTable Ranking(const std::string& id, const compare::Comparison& comparison) {
  ShownTable table;
  table.id = id + "-ranking";
  table.title = "The forms, best first";
  table.reading =
      "ΔAICc counts fit against parameters (0 is the best); ± is the standard error of the log-likelihood "
      "difference to the best form, twice. Held-out errors are of rows that were not in the fit: folds, and one "
      "level of a scale left out and predicted from the rest. – means that it could not be computed.";
  table.digits = 3;
  for (const compare::Ranked& ranked : comparison.ranking) {
    observe::Table::Row row = {
        {"form", ranked.name},
        {"parameters", static_cast<double>(ranked.parameters)},
        {"ΔAICc", ranked.delta_aicc},
        {"±", 2 * ranked.difference_se},
        {"weight (AICc)", ranked.weight_aicc},
        {"weight (BIC)", ranked.weight_bic},
        {"relative error", ranked.fit.mean_relative_error},
        {"RMSE", ranked.fit.rmse},
        {"RMSE held out", ranked.cross_validation.rmse},
    };
    for (const compare::HeldOut& held : ranked.by_scale) {
      row.emplace_back(absl::StrCat("RMSE leaving out ", held.what), held.rmse);
    }
    row.emplace_back("identifiable", ranked.fit.identifiability.identifiable
                                         ? std::string("yes")
                                         : absl::StrCat("no: ", ranked.fit.identifiability.reason));
    (void)table.data.Append(row);
  }
  return table;
}

ShownTable Parameters(const std::string& id, const compare::Comparison& comparison) {
  ShownTable table;
  table.id = id + "-parameters";
  table.title = "Parameters with 95% intervals";
  table.reading =
      "From the covariance at the optimum (Student's t), and percentiles of the bootstrap where it was run. A "
      "parameter of a form that is not identifiable has no interval worth the name.";
  for (const compare::Ranked& ranked : comparison.ranking) {
    for (size_t i = 0; i < ranked.fit.estimates.size(); ++i) {
      const fit::Estimate& estimate = ranked.fit.estimates[i];
      const bool good = ranked.fit.identifiability.identifiable && !estimate.fixed;
      double low = std::nan("");
      double high = std::nan("");
      if (i < ranked.bootstrap.size()) {
        low = ranked.bootstrap[i].percentile.low;
        high = ranked.bootstrap[i].percentile.high;
      }
      (void)table.data.Append({{"form", ranked.name},
                               {"parameter", estimate.name},
                               {"value", estimate.value},
                               {"low", good ? estimate.interval.low : std::nan("")},
                               {"high", good ? estimate.interval.high : std::nan("")},
                               {"bootstrap low", low},
                               {"bootstrap high", high},
                               {"note", std::string(estimate.fixed      ? "held"
                                                    : estimate.at_bound ? "at its bound"
                                                                        : "")}});
    }
  }
  return table;
}

Figure PredictedObserved(const std::string& id, const compare::Comparison& comparison) {
  Figure figure;
  figure.id = id + "-fit";
  figure.title = "Predicted against observed";
  figure.reading = "On the diagonal a form is exact. Forms in order of rank; click a name to hide it.";
  double low = INFINITY;
  double high = -INFINITY;
  size_t series = 0;
  for (const compare::Ranked& ranked : comparison.ranking) {
    const auto target = ranked.fit.problem->target();
    std::vector<double> x(target.begin(), target.end());
    figure.traces.push_back(PointTrace(ranked.name, x, ranked.fit.prediction, {}, series++, false));
    for (size_t i = 0; i < x.size(); ++i) {
      low = std::min(low, x[i]);
      high = std::max(high, x[i]);
      (void)figure.data.Append(
          {{"form", ranked.name}, {"observed", x[i]}, {"predicted", ranked.fit.prediction[i]}});
    }
  }
  nlohmann::json diagonal = {{"type", "scatter"},       {"mode", "lines"},
                             {"x", {low, high}},        {"y", {low, high}},
                             {"showlegend", false},     {"hoverinfo", "skip"},
                             {"line", {{"color", "#888"}, {"width", 1}}}};
  figure.traces.insert(figure.traces.begin(), std::move(diagonal));
  figure.layout = Axes(absl::StrCat("observed ", comparison.target), "predicted", false, false);
  return figure;
}

// Residuals of the best form against one covariate.
void AppendResiduals(const std::string& id, const compare::Ranked& best, const observe::Table& table,
                     const std::string& column, Section* section) {
  Figure figure;
  std::vector<double> x;
  for (int64_t i = 0; i < best.fit.problem->rows(); ++i) {
    x.push_back(table.NumberAt(best.fit.problem->row(i), column));
  }
  const auto [low, high] = std::minmax_element(x.begin(), x.end());
  if (x.empty() || !(*low < *high)) return;
  figure.id = absl::StrCat(id, "-residuals-", column);
  figure.title = absl::StrCat("What ", best.name, " leaves unexplained, against ", column);
  figure.reading = "Observed minus predicted. A trend here is something that the form does not know.";
  figure.traces.push_back(PointTrace(best.name, x, best.fit.residual, {}, 0, false));
  figure.layout = Axes(column, "residual (nats/token)", column != "weight_bits", false);
  for (size_t i = 0; i < x.size(); ++i) {
    (void)figure.data.Append({{column, x[i]}, {"residual", best.fit.residual[i]}});
  }
  section->figures.push_back(std::move(figure));
}

}  // namespace

Section LawSection(const std::string& id, const std::string& title, const compare::Comparison& comparison,
                   const observe::Table& table) {
  Section section;
  section.id = id;
  section.title = title;
  section.paragraphs.push_back(comparison.sentence);
  if (!comparison.rule.empty()) section.paragraphs.push_back(comparison.rule);
  for (const std::string& note : comparison.notes) section.paragraphs.push_back(note);
  if (!comparison.ranking.empty()) {
    section.tables.push_back(Ranking(id, comparison));
    section.tables.push_back(Parameters(id, comparison));
    section.figures.push_back(PredictedObserved(id, comparison));
    for (const char* column : {"N", "D", "G", "weight_bits"}) {
      if (table.Has(column)) AppendResiduals(id, comparison.ranking.front(), table, column, &section);
    }
  }
  if (!comparison.refused.empty()) {
    ShownTable refused;
    refused.id = id + "-refused";
    refused.title = "Forms that could not be fitted to these runs";
    refused.reading = "Each with the reason.";
    for (const auto& [form, why] : comparison.refused) {
      (void)refused.data.Append({{"form", form}, {"reason", why}});
    }
    section.tables.push_back(std::move(refused));
  }
  return section;
}

}  // namespace qatlas::report
