#include "framework/compare/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <absl/strings/str_cat.h>
#include <qatlas/check.h>

#include "framework/compare/extrapolation.h"
#include "framework/compare/held_out.h"
#include "framework/compare/nested.h"
#include "framework/compare/paired.h"
#include "framework/compare/pose.h"
#include "framework/compare/robustness.h"
#include "framework/compare/verdict.h"
#include "framework/compare/win_map.h"

namespace qatlas::compare {
namespace {

// By row of the table, from by row of the problem.
std::vector<double> ByTableRow(const fit::Problem& problem, const std::vector<double>& values) {
  std::vector<double> result(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    result[problem.row(static_cast<int64_t>(i))] = values[i];
  }
  return result;
}

// Which rows err together.
struct Together {
  Clusterings clusterings;  // for standard errors of differences
  std::vector<int> drawn;   // groups that bootstraps draw; empty where there are too few
};

absl::StatusOr<Together> FindTogether(const observe::Table& table, const CompareOptions& options,
                                      Comparison* comparison) {
  Together together;
  if (!options.together.empty()) {
    QATLAS_ASSIGN_OR_RETURN(std::vector<int> cells, ClustersOf(table, options.together));
    together.clusterings.push_back(std::move(cells));
  }
  if (options.resampled_together.empty()) return together;
  QATLAS_ASSIGN_OR_RETURN(std::vector<int> groups, ClustersOf(table, options.resampled_together));
  int count = 0;
  for (int group : groups) count = std::max(count, group + 1);
  if (count < kLeastGroups) return together;
  together.clusterings.push_back(groups);
  if (!options.draw_groups) return together;
  together.drawn = std::move(groups);
  comparison->resampled_groups = count;
  return together;
}

// Differences to the best form: likelihood run by run, squared held-out errors run by run.
void CompareWithBest(const Ranked& best, const Clusterings& clusterings, Ranked* other) {
  const std::vector<double> a = ByTableRow(*best.fit.problem, best.likelihood.by_row);
  const std::vector<double> b = ByTableRow(*other->fit.problem, other->likelihood.by_row);
  std::vector<double> difference(a.size());
  for (size_t i = 0; i < a.size(); ++i) difference[i] = b[i] - a[i];
  const PairedMean likelihood = MeanOfPairs(difference, clusterings);
  const double n = static_cast<double>(likelihood.count);
  other->log_likelihood_difference = likelihood.mean * n;
  other->difference_se = likelihood.standard_error * n;
  other->difference_design_effect = likelihood.design_effect;
  for (size_t i = 0; i < a.size(); ++i) {
    const double e = other->cross_validation.errors[i];
    const double f = best.cross_validation.errors[i];
    difference[i] = e * e - f * f;
  }
  const PairedMean errors = MeanOfPairs(difference, clusterings);
  other->error_difference = errors.mean;
  other->error_difference_se = errors.standard_error;
  other->error_difference_p = errors.p;
  other->error_design_effect = errors.design_effect;
  for (size_t k = 0; k < best.extrapolation.size(); ++k) {
    CompareExtrapolation(best.extrapolation[k], clusterings, &other->extrapolation[k]);
  }
}

void FillWeights(std::vector<Ranked>* ranking) {
  std::vector<double> aicc;
  std::vector<double> bic;
  for (const Ranked& form : *ranking) {
    aicc.push_back(form.aicc);
    bic.push_back(form.bic);
  }
  const std::vector<double> by_aicc = Weights(aicc);
  const std::vector<double> by_bic = Weights(bic);
  for (size_t i = 0; i < ranking->size(); ++i) {
    (*ranking)[i].weight_aicc = by_aicc[i];
    (*ranking)[i].weight_bic = by_bic[i];
    (*ranking)[i].delta_aicc = i == 0 ? 0 : aicc[i] - aicc[0];
  }
}

// The form fitted under its loss, and its density at its maximum.
absl::StatusOr<Ranked> FitForm(const fit::Problem& problem, const std::string& name,
                               NoiseModel noise, const fit::FitOptions& options) {
  Ranked form;
  form.name = name;
  QATLAS_ASSIGN_OR_RETURN(form.fit, fit::Fit(problem, options));
  // Least squares gives the density's search a second start, for losses that ignore outliers.
  const fit::Refit squares = fit::FitFrom(
      problem.WithLoss({problem.loss().space, fit::Shape::kSquare}), form.fit.coordinates, options);
  std::vector<std::vector<double>> starts = {form.fit.coordinates};
  if (std::isfinite(squares.objective)) starts.push_back(squares.coordinates);
  QATLAS_ASSIGN_OR_RETURN(form.likelihood, Maximize(problem, starts, noise, options));
  form.parameters = problem.coordinates() + 1;  // and the scale of the noise
  return form;
}

void FillCriteria(std::vector<Ranked>* forms, int64_t rows) {
  for (Ranked& form : *forms) {
    form.aicc = form.likelihood.maximum
                    ? Aicc(form.likelihood.log_likelihood, form.parameters, rows)
                    : std::numeric_limits<double>::infinity();
    form.bic = Bic(form.likelihood.log_likelihood, form.parameters, rows);
  }
  // Forms without a finite AICc (too few runs) come last, by BIC.
  std::stable_sort(forms->begin(), forms->end(), [](const Ranked& a, const Ranked& b) {
    if (a.aicc != b.aicc) return a.aicc < b.aicc;
    return a.bic < b.bic;
  });
}

// Errors on rows that the form was not fitted to, near and far.
void PredictHeldOut(const observe::Table& table, const std::vector<int>& folds,
                    const CompareOptions& options, const fit::FitOptions& fit_options,
                    Ranked* form) {
  const std::string what = options.folds > 0 ? absl::StrCat(options.folds, " folds") : "each run";
  form->cross_validation = LeaveOut(form->fit, folds, options.noise, fit_options, what, table);
  for (const std::string& scale : options.scales) {
    const std::vector<int> levels = LevelFolds(table, scale);
    if (levels.empty()) continue;
    form->by_scale.push_back(LeaveOut(form->fit, levels, options.noise, fit_options, scale, table));
  }
  for (const std::string& axis : options.extrapolated) {
    const std::vector<double> values = AxisValues(table, axis);
    if (values.empty()) continue;
    form->extrapolation.push_back(
        Extrapolate(form->fit, axis, values, options.noise, fit_options, table));
  }
}

void ResampleParameters(const CompareOptions& options, const std::vector<int>& groups, Ranked* form,
                        std::vector<std::string>* notes) {
  fit::BootstrapOptions resampling = options.resampling;
  resampling.level = options.level;
  resampling.threads = options.threads;
  if (!groups.empty()) {
    resampling.resampling = fit::Resampling::kGroups;
    resampling.groups.clear();
    for (int64_t row = 0; row < form->fit.problem->rows(); ++row) {
      resampling.groups.push_back(absl::StrCat(groups[form->fit.problem->row(row)]));
    }
  }
  if (auto bootstrap = fit::Bootstrap(form->fit, resampling); bootstrap.ok()) {
    form->bootstrap = bootstrap->parameters;
    form->bootstrap_failed = bootstrap->failed;
  } else {
    notes->push_back(absl::StrCat(form->name, ": ", bootstrap.status().message()));
  }
}

void ExamineRobustness(const std::vector<const Candidate*>& posed, const observe::Table& table,
                       const CompareOptions& options, const fit::FitOptions& fit_options,
                       const std::vector<int>& groups, Comparison* comparison) {
  Robustness& robustness = comparison->robustness;
  for (Ranked& form : comparison->ranking) {
    form.bootstrap_first = std::numeric_limits<double>::quiet_NaN();
  }
  if (comparison->ranking.size() < 2 || !std::isfinite(comparison->ranking[0].aicc)) return;
  // Without noise nothing of it can be taken otherwise.
  if (comparison->ranking[0].likelihood.exact) return;
  Examined examined = {&comparison->ranking, {}, &table, &options, fit_options, groups};
  for (const Ranked& form : comparison->ranking) {
    for (const Candidate* candidate : posed) {
      if (candidate->name == form.name) examined.candidates.push_back(candidate);
    }
  }
  robustness.gap = comparison->ranking[1].delta_aicc;
  robustness.resamples = ResampleRanking(examined, &comparison->ranking, &robustness.notes);
  if (!options.robustness) return;
  robustness.losses = VaryLoss(examined, &robustness.notes);
  robustness.sizes = VarySize(examined, &robustness.notes);
  robustness.runs = LeaveEachOut(examined, &robustness.notes);
  robustness.examined_runs = static_cast<int64_t>(robustness.runs.size());
  for (const Influence& run : robustness.runs) robustness.flipping_runs += run.flips;
}

}  // namespace

absl::StatusOr<Comparison> Compare(const std::vector<Candidate>& candidates,
                                   const observe::Table& given, const CompareOptions& options) {
  QATLAS_RETURN_IF_ERROR(CheckCandidates(candidates));
  Comparison comparison;
  comparison.target = candidates[0].form->Spec().target;
  std::vector<const Candidate*> posed;
  std::vector<fit::Problem> problems;
  QATLAS_ASSIGN_OR_RETURN(const observe::Table table,
                          PoseAll(candidates, given, &comparison, &posed, &problems));
  comparison.rows = static_cast<int64_t>(table.rows());
  QATLAS_ASSIGN_OR_RETURN(const std::vector<int> folds,
                          RandomFolds(table, options.folds, options.together, options.seed));
  QATLAS_ASSIGN_OR_RETURN(const Together together, FindTogether(table, options, &comparison));
  fit::FitOptions fit_options = options.fit;
  fit_options.threads = options.threads;
  fit_options.level = options.level;
  // Inside loops that use every thread themselves.
  fit::FitOptions single = fit_options;
  single.threads = 1;
  std::vector<Ranked>& ranking = comparison.ranking;
  for (size_t i = 0; i < problems.size(); ++i) {
    auto form = FitForm(problems[i], posed[i]->name, options.noise, fit_options);
    if (form.ok()) {
      ranking.push_back(*std::move(form));
    } else {
      comparison.refused.emplace_back(posed[i]->name, std::string(form.status().message()));
    }
  }
  if (options.nested) comparison.nested = TestNested(&ranking, single);
  FillCriteria(&ranking, comparison.rows);
  FillWeights(&ranking);
  for (Ranked& form : ranking) {
    PredictHeldOut(table, folds, options, fit_options, &form);
    if (options.bootstrap && form.fit.identifiability.identifiable) {
      ResampleParameters(options, together.drawn, &form, &comparison.notes);
    }
  }
  for (size_t i = 1; i < ranking.size(); ++i) {
    CompareWithBest(ranking[0], together.clusterings, &ranking[i]);
  }
  comparison.win_maps = WinMaps(ranking, table, options.regions, together.clusterings);
  ExamineRobustness(posed, table, options, single, together.drawn, &comparison);
  Judge(&comparison);
  return comparison;
}

absl::StatusOr<std::vector<Comparison>> CompareByTarget(const std::vector<Candidate>& candidates,
                                                        const observe::Table& table,
                                                        const CompareOptions& options) {
  std::vector<std::string> targets;
  for (const Candidate& candidate : candidates) {
    const std::string& target = candidate.form->Spec().target;
    if (std::find(targets.begin(), targets.end(), target) == targets.end()) {
      targets.push_back(target);
    }
  }
  std::vector<Comparison> result;
  for (const std::string& target : targets) {
    std::vector<Candidate> group;
    for (const Candidate& candidate : candidates) {
      if (candidate.form->Spec().target == target) group.push_back(candidate);
    }
    // Each target has its own rows: those that have it.
    const std::string& column = group[0].problem.target.empty() ? target : group[0].problem.target;
    QATLAS_ASSIGN_OR_RETURN(const absl::Span<const double> values, table.Numbers(column));
    const observe::Table rows = table.Filter([&](size_t row) { return !std::isnan(values[row]); });
    QATLAS_ASSIGN_OR_RETURN(Comparison comparison, Compare(group, rows, options));
    result.push_back(std::move(comparison));
  }
  return result;
}

}  // namespace qatlas::compare
