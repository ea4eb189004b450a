#include "framework/compare/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <qatlas/check.h>

#include "framework/compare/held_out.h"
#include "framework/compare/verdict.h"
#include "framework/fit/stats.h"

namespace qatlas::compare {
namespace {

absl::Status CheckCandidates(const std::vector<Candidate>& candidates) {
  if (candidates.empty()) return absl::InvalidArgumentError("there is no law to compare");
  std::set<std::string> names;
  for (const Candidate& candidate : candidates) {
    if (!names.insert(candidate.name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("two laws to compare are called '", candidate.name, "'"));
    }
    if (candidate.form->Spec().target != candidates[0].form->Spec().target) {
      return absl::InvalidArgumentError(absl::StrCat(
          "'", candidates[0].name, "' predicts ", candidates[0].form->Spec().target, " and '",
          candidate.name, "' predicts ", candidate.form->Spec().target,
          "; compare them apart, or bring them to one target through the full-precision law"));
    }
  }
  return absl::OkStatus();
}

struct Fitted {
  const Candidate* candidate;
  fit::FitResult fit;
};

// Rows of the table that every problem uses, ascending.
std::vector<size_t> CommonRows(const std::vector<fit::Problem>& problems, size_t rows) {
  std::vector<int> uses(rows, 0);
  for (const fit::Problem& problem : problems) {
    for (int64_t i = 0; i < problem.rows(); ++i) ++uses[problem.row(i)];
  }
  std::vector<size_t> common;
  for (size_t row = 0; row < rows; ++row) {
    if (uses[row] == static_cast<int>(problems.size())) common.push_back(row);
  }
  return common;
}

// Problems of all candidates on the same rows; those that cannot be posed are listed as refused.
absl::StatusOr<observe::Table> PoseAll(const std::vector<Candidate>& candidates,
                                       const observe::Table& given, Comparison* comparison,
                                       std::vector<const Candidate*>* posed,
                                       std::vector<fit::Problem>* problems) {
  observe::Table table = given;
  for (int round = 0; round < 3; ++round) {
    posed->clear();
    problems->clear();
    comparison->refused.clear();
    for (const Candidate& candidate : candidates) {
      auto problem = fit::Problem::Create(candidate.form, candidate.name, table, candidate.problem);
      if (!problem.ok()) {
        comparison->refused.emplace_back(candidate.name, std::string(problem.status().message()));
        continue;
      }
      posed->push_back(&candidate);
      problems->push_back(*std::move(problem));
    }
    if (problems->empty()) {
      std::vector<std::string> reasons;
      for (const auto& [name, reason] : comparison->refused) reasons.push_back(reason);
      return absl::InvalidArgumentError(
          absl::StrCat("no law can be fitted to these rows:\n", absl::StrJoin(reasons, "\n")));
    }
    const std::vector<size_t> common = CommonRows(*problems, table.rows());
    if (common.size() == table.rows()) return table;
    comparison->notes.push_back(absl::StrCat(table.rows() - common.size(),
                                             " rows that not every law can use were left out, so "
                                             "that all are judged on the same runs."));
    table = table.Take(common);
  }
  return absl::InternalError("the rows that every law can use could not be settled");
}

// By row of the table, from by row of the problem.
std::vector<double> ByTableRow(const fit::Problem& problem, const std::vector<double>& values) {
  std::vector<double> result(values.size());
  for (size_t i = 0; i < values.size(); ++i)
    result[problem.row(static_cast<int64_t>(i))] = values[i];
  return result;
}

// For each row of the table the group that a bootstrap draws it in; empty where there are too few.
absl::StatusOr<std::vector<std::string>> BootstrapGroups(const observe::Table& table,
                                                         const CompareOptions& options,
                                                         Comparison* comparison) {
  std::vector<std::string> labels;
  if (!options.bootstrap || options.resampled_together.empty()) return labels;
  QATLAS_ASSIGN_OR_RETURN(const std::vector<observe::Group> groups,
                          table.GroupBy(options.resampled_together));
  if (groups.size() < kLeastGroups) return labels;
  comparison->resampled_groups = static_cast<int>(groups.size());
  labels.resize(table.rows());
  for (size_t group = 0; group < groups.size(); ++group) {
    for (size_t row : groups[group].rows) labels[row] = absl::StrCat(group);
  }
  return labels;
}

struct MeanError {
  double mean = 0;
  double standard_error = 0;
  int64_t count = 0;
};
MeanError MeanOf(const std::vector<double>& values) {
  MeanError result;
  for (double value : values) {
    if (std::isfinite(value)) {
      result.mean += value;
      ++result.count;
    }
  }
  if (result.count == 0) return result;
  result.mean /= static_cast<double>(result.count);
  double squares = 0;
  for (double value : values) {
    if (std::isfinite(value)) squares += (value - result.mean) * (value - result.mean);
  }
  if (result.count > 1) {
    result.standard_error = std::sqrt(squares / static_cast<double>(result.count - 1) /
                                      static_cast<double>(result.count));
  }
  return result;
}

// Differences to the best form: likelihood run by run, squared held-out errors run by run.
void CompareWithBest(const Ranked& best, Ranked* other) {
  const std::vector<double> a = ByTableRow(*best.fit.problem, best.likelihood.by_row);
  const std::vector<double> b = ByTableRow(*other->fit.problem, other->likelihood.by_row);
  std::vector<double> difference(a.size());
  for (size_t i = 0; i < a.size(); ++i) difference[i] = b[i] - a[i];
  const MeanError likelihood = MeanOf(difference);
  const double n = static_cast<double>(likelihood.count);
  other->log_likelihood_difference = likelihood.mean * n;
  other->difference_se = likelihood.standard_error * n;
  for (size_t i = 0; i < a.size(); ++i) {
    const double e = other->cross_validation.errors[i];
    const double f = best.cross_validation.errors[i];
    difference[i] = e * e - f * f;
  }
  const MeanError errors = MeanOf(difference);
  other->error_difference = errors.mean;
  other->error_difference_se = errors.standard_error;
  other->error_difference_p = errors.count > 1 && errors.standard_error > 0
                                  ? fit::StudentTwoSided(errors.mean / errors.standard_error,
                                                         static_cast<double>(errors.count - 1))
                                  : 1.0;
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
  QATLAS_ASSIGN_OR_RETURN(const std::vector<std::string> groups,
                          BootstrapGroups(table, options, &comparison));
  fit::FitOptions fit_options = options.fit;
  fit_options.threads = options.threads;
  fit_options.level = options.level;
  for (size_t i = 0; i < problems.size(); ++i) {
    const std::string& name = posed[i]->name;
    auto fitted = fit::Fit(problems[i], fit_options);
    if (!fitted.ok()) {
      comparison.refused.emplace_back(name, std::string(fitted.status().message()));
      continue;
    }
    auto likelihood = FitLikelihood(problems[i], fitted->prediction, options.noise);
    if (!likelihood.ok()) {
      comparison.refused.emplace_back(name, std::string(likelihood.status().message()));
      continue;
    }
    Ranked form;
    form.name = name;
    form.fit = *std::move(fitted);
    form.likelihood = *std::move(likelihood);
    form.parameters = problems[i].coordinates() + 1;  // and the scale of the noise
    form.aicc = Aicc(form.likelihood.log_likelihood, form.parameters, comparison.rows);
    form.bic = Bic(form.likelihood.log_likelihood, form.parameters, comparison.rows);
    const std::string what = options.folds > 0 ? absl::StrCat(options.folds, " folds") : "each run";
    form.cross_validation = LeaveOut(form.fit, folds, options.noise, fit_options, what);
    for (const std::string& scale : options.scales) {
      const std::vector<int> levels = LevelFolds(table, scale);
      if (levels.empty()) continue;
      form.by_scale.push_back(LeaveOut(form.fit, levels, options.noise, fit_options, scale));
    }
    if (options.bootstrap && form.fit.identifiability.identifiable) {
      fit::BootstrapOptions resampling = options.resampling;
      resampling.level = options.level;
      resampling.threads = options.threads;
      if (!groups.empty()) {
        resampling.resampling = fit::Resampling::kGroups;
        resampling.groups.clear();
        for (int64_t row = 0; row < problems[i].rows(); ++row) {
          resampling.groups.push_back(groups[problems[i].row(row)]);
        }
      }
      if (auto bootstrap = fit::Bootstrap(form.fit, resampling); bootstrap.ok()) {
        form.bootstrap = bootstrap->parameters;
        form.bootstrap_failed = bootstrap->failed;
      } else {
        comparison.notes.push_back(absl::StrCat(name, ": ", bootstrap.status().message()));
      }
    }
    comparison.ranking.push_back(std::move(form));
  }
  // Forms without a finite AICc (too few runs) come last, by BIC.
  std::stable_sort(comparison.ranking.begin(), comparison.ranking.end(),
                   [](const Ranked& a, const Ranked& b) {
                     if (a.aicc != b.aicc) return a.aicc < b.aicc;
                     return a.bic < b.bic;
                   });
  FillWeights(&comparison.ranking);
  for (size_t i = 1; i < comparison.ranking.size(); ++i) {
    CompareWithBest(comparison.ranking[0], &comparison.ranking[i]);
  }
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
