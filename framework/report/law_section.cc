#include "framework/report/law_section.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/report/law_checklist.h"
#include "framework/report/law_evidence.h"
#include "framework/report/law_tables.h"
#include "framework/report/law_uncertainty.h"

namespace qatlas::report {
namespace {

// Forms beyond these start hidden: a click on the legend shows them.
constexpr size_t kFormsShown = 3;

Figure PredictedObserved(const std::string& id, const compare::Comparison& comparison) {
  Figure figure;
  figure.id = id + "-fit";
  figure.title =
      absl::StrCat("How close each form comes: predicted against observed ", comparison.target);
  figure.reading = absl::StrCat(
      "On the diagonal a form is exact; above it the form expects more than was seen. These are "
      "rows of the fit itself; what counts more is the error held out, beside.",
      comparison.ranking.size() > kFormsShown
          ? absl::StrCat(" The first ", kFormsShown,
                         " forms are shown; a click on a name shows or hides it.")
          : "");
  double low = INFINITY;
  double high = -INFINITY;
  size_t series = 0;
  for (const compare::Ranked& ranked : comparison.ranking) {
    const auto target = ranked.fit.problem->target();
    std::vector<double> x(target.begin(), target.end());
    nlohmann::json trace = PointTrace(ranked.name, x, ranked.fit.prediction, {}, series, false);
    trace["marker"]["size"] = 6;
    if (series >= kFormsShown) trace["visible"] = "legendonly";
    figure.traces.push_back(std::move(trace));
    ++series;
    for (size_t i = 0; i < x.size() && i < ranked.fit.prediction.size(); ++i) {
      if (std::isfinite(x[i])) {
        low = std::min(low, x[i]);
        high = std::max(high, x[i]);
      }
      figure.data
          .Append(
              {{"form", ranked.name}, {"observed", x[i]}, {"predicted", ranked.fit.prediction[i]}})
          .IgnoreError();
    }
  }
  if (low <= high) {
    figure.traces.insert(figure.traces.begin(),
                         nlohmann::json{{"type", "scatter"},
                                        {"mode", "lines"},
                                        {"x", {low, high}},
                                        {"y", {low, high}},
                                        {"showlegend", false},
                                        {"hoverinfo", "skip"},
                                        {"line", {{"color", "#888888"}, {"width", 1}}}});
  }
  figure.layout = Axes(absl::StrCat("observed ", comparison.target, " (nats/token)"),
                       "predicted (nats/token)", false, false);
  figure.layout["showlegend"] = true;
  return figure;
}

// Errors of rows that were not in the fit, as bars.
Figure HeldOutBars(const std::string& id, const compare::Comparison& comparison) {
  Figure figure;
  figure.id = id + "-held-out";
  figure.title = "Which form predicts runs that it has not seen";
  figure.reading =
      "Root mean square error on held-out rows: random folds, then each level of one scale left "
      "out and predicted from the others (extrapolation, where the level lies at an end). Lower is "
      "better. The data count folds that could not be fitted.";
  size_t series = 0;
  for (const compare::Ranked& ranked : comparison.ranking) {
    std::vector<std::string> labels;
    std::vector<double> heights;
    std::vector<const compare::HeldOut*> all = {&ranked.cross_validation};
    for (const compare::HeldOut& held : ranked.by_scale) all.push_back(&held);
    for (const compare::HeldOut* held : all) {
      if (held->what.empty()) continue;
      const std::string label =
          held == all.front() ? held->what : absl::StrCat("one ", held->what, " left out");
      figure.data
          .Append({{"form", ranked.name},
                   {"held_out", label},
                   {"rmse", held->rmse},
                   {"mean_relative_error", held->mean_relative_error},
                   {"log_score", held->log_score},
                   {"rows", static_cast<double>(held->rows)},
                   {"folds", static_cast<double>(held->folds)},
                   {"folds_refused", static_cast<double>(held->refused)}})
          .IgnoreError();
      if (!std::isfinite(held->rmse)) continue;
      labels.push_back(label);
      heights.push_back(held->rmse);
    }
    if (!labels.empty()) {
      nlohmann::json trace = BarTrace(ranked.name, labels, heights, {}, series);
      figure.traces.push_back(std::move(trace));
    }
    ++series;
  }
  figure.layout = Axes("", "held-out RMSE (nats/token)", false, false);
  figure.layout["xaxis"]["type"] = "category";
  figure.layout["barmode"] = "group";
  figure.layout["showlegend"] = true;
  return figure;
}

// Residuals of the best form against each covariate that varies, with the errors of the rows.
void AppendResiduals(const std::string& id, const compare::Comparison& comparison,
                     const observe::Table& table, Section* section) {
  const compare::Ranked& best = comparison.ranking.front();
  const fit::Problem& problem = *best.fit.problem;
  Figure figure;
  figure.id = id + "-residuals";
  figure.title = absl::StrCat("What the best form (", best.name, ") leaves unexplained");
  const std::string error_column =
      problem.options().noise.empty() ? comparison.target + "_se" : problem.options().noise;
  bool errors = false;
  for (int64_t i = 0; i < problem.rows() && table.FindNumbers(error_column) != nullptr; ++i) {
    errors = errors || std::isfinite(table.NumberAt(problem.row(i), error_column));
  }
  std::vector<std::string> columns;
  for (const char* column : {"N", "D", "G", "weight_bits"}) {
    if (table.FindNumbers(column) == nullptr) continue;
    double low = INFINITY;
    double high = -INFINITY;
    for (int64_t i = 0; i < problem.rows(); ++i) {
      const double x = table.NumberAt(problem.row(i), column);
      if (!std::isfinite(x)) continue;
      low = std::min(low, x);
      high = std::max(high, x);
    }
    if (low < high) columns.push_back(column);
  }
  if (columns.empty()) return;
  for (size_t panel = 0; panel < columns.size(); ++panel) {
    const std::string& column = columns[panel];
    std::vector<double> x, error;
    bool positive = true;
    for (int64_t i = 0; i < problem.rows(); ++i) {
      x.push_back(table.NumberAt(problem.row(i), column));
      positive &= !(x.back() <= 0);
      if (errors) error.push_back(table.NumberAt(problem.row(i), error_column));
    }
    nlohmann::json trace = PointTrace(best.name, x, best.fit.residual, error, 0, false);
    trace["marker"] = {{"color", PaleColor(0, .6)}, {"size", 6}};
    trace["showlegend"] = false;
    if (errors) trace["error_y"]["color"] = PaleColor(0, .35);
    InPanel(panel, &trace);
    figure.traces.push_back(std::move(trace));
    nlohmann::json axis = {{"title", {{"text", column}}}};
    if (positive && column != "weight_bits") {
      axis["type"] = "log";
      axis["exponentformat"] = "SI";
    }
    TickAt(x, &axis);
    figure.layout[absl::StrCat("xaxis", panel + 1)] = std::move(axis);
    figure.panels.push_back(absl::StrCat("against ", column));
  }
  for (int64_t i = 0; i < problem.rows(); ++i) {
    observe::Table::Row row;
    for (const std::string& column : columns) {
      row.emplace_back(column, table.NumberAt(problem.row(i), column));
    }
    row.emplace_back("observed", problem.target()[i]);
    row.emplace_back("predicted", best.fit.prediction[i]);
    row.emplace_back("residual", best.fit.residual[i]);
    if (errors) row.emplace_back(error_column, table.NumberAt(problem.row(i), error_column));
    figure.data.Append(row).IgnoreError();
  }
  figure.reading = absl::StrCat(
      "Observed minus predicted, one mark a row of the fit",
      errors ? absl::StrCat("; bars are ", error_column, ", which may leave out part of the noise")
             : "",
      ". Marks should scatter about zero everywhere; a trend is something that the form does not "
      "know.");
  const nlohmann::json own = figure.layout;
  figure.layout = Axes("", "residual (nats/token)", false, false);
  figure.layout.update(own);
  figure.wide = true;
  section->figures.push_back(std::move(figure));
}

}  // namespace

Section LawSection(const std::string& id, const std::string& title,
                   const compare::Comparison& comparison, const observe::Table& table) {
  Section section;
  section.id = id;
  section.title = title;
  if (!comparison.sentence.empty()) section.paragraphs.push_back(comparison.sentence);
  if (!comparison.rule.empty()) section.paragraphs.push_back(comparison.rule);
  if (!comparison.notes.empty()) section.findings = comparison.notes;
  if (!comparison.ranking.empty()) {
    section.tables.push_back(RankingTable(id, comparison));
    section.tables.push_back(ParameterTable(id, comparison));
    section.tables.push_back(FitTable(id, comparison));
    section.figures.push_back(PredictedObserved(id, comparison));
    Figure held_out = HeldOutBars(id, comparison);
    if (!held_out.traces.empty()) section.figures.push_back(std::move(held_out));
    AppendResiduals(id, comparison, table, &section);
    AppendEvidence(id, comparison, &section);
    const compare::Ranked& best = comparison.ranking.front();
    AppendUncertainty(id, best.name, best.fit, table, &section);
    section.tables.push_back(ChecklistTable(id, comparison, table));
  }
  if (!comparison.refused.empty()) section.tables.push_back(RefusedTable(id, comparison));
  return section;
}

}  // namespace qatlas::report
