#include "framework/report/law_checklist.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace qatlas::report {
namespace {

constexpr char kMissing[] = "not in the table: look where the runs come from";

// "96 to 1.6M, 4 levels" over the rows of the fit; empty where there is no such column.
std::string RangeOf(const observe::Table& table, const fit::Problem& problem,
                    const std::string& column) {
  if (table.FindNumbers(column) == nullptr) return "";
  std::set<double> levels;
  for (int64_t i = 0; i < problem.rows(); ++i) {
    const double value = table.NumberAt(problem.row(i), column);
    if (std::isfinite(value)) levels.insert(value);
  }
  if (levels.empty()) return "";
  if (levels.size() == 1) return absl::StrCat(column, " ", ShortCount(*levels.begin()), " alone");
  return absl::StrCat(column, " ", ShortCount(*levels.begin()), " to ",
                      ShortCount(*levels.rbegin()), " (", levels.size(), " levels)");
}

std::string Levels(const observe::Table& table, const fit::Problem& problem,
                   const std::string& column) {
  std::set<std::string> levels;
  for (int64_t i = 0; i < problem.rows(); ++i) {
    const observe::Value value = table.At(problem.row(i), column);
    if (!(std::holds_alternative<double>(value) && std::isnan(std::get<double>(value)))) {
      levels.insert(observe::ShowValue(value));
    }
  }
  levels.erase("missing");
  if (levels.empty()) return "";
  if (levels.size() > 6) return absl::StrCat(levels.size(), " different");
  return absl::StrJoin(levels, ", ");
}

std::string HeldOutText(const compare::Ranked& best) {
  const compare::HeldOut& folds = best.cross_validation;
  if (folds.what.empty() || !std::isfinite(folds.rmse)) return "no: too few runs to hold any out";
  std::string text =
      absl::StrCat("yes: ", folds.what, ", RMSE ", ShortNumber(folds.rmse, 3), " nats, ",
                   ShortNumber(100 * folds.mean_relative_error, 3), "% of the target");
  std::vector<std::string> scales;
  for (const compare::HeldOut& held : best.by_scale) {
    if (std::isfinite(held.rmse)) {
      scales.push_back(absl::StrCat("one ", held.what, " left out ", ShortNumber(held.rmse, 3)));
    }
  }
  if (!scales.empty()) absl::StrAppend(&text, "; ", absl::StrJoin(scales, ", "));
  return text;
}

std::string ExtrapolationText(const compare::Ranked& best) {
  std::vector<std::string> parts;
  for (const compare::Extrapolation& extrapolation : best.extrapolation) {
    if (extrapolation.predictions == 0 || !std::isfinite(extrapolation.rmse)) continue;
    double furthest = 0;
    for (const compare::FanStep& step : extrapolation.fan) furthest = std::max(furthest, step.high);
    parts.push_back(absl::StrCat("in ", extrapolation.axis, " up to ", ShortNumber(furthest, 2),
                                 " times beyond, RMSE ", ShortNumber(extrapolation.rmse, 3)));
  }
  return parts.empty() ? "no: too few levels" : absl::StrCat("yes: ", absl::StrJoin(parts, "; "));
}

}  // namespace

ShownTable ChecklistTable(const std::string& id, const compare::Comparison& comparison,
                          const observe::Table& table) {
  ShownTable shown;
  shown.id = id + "-checklist";
  shown.title = "What to say when quoting this fit";
  shown.reading =
      "The questions that the survey \"(Mis)Fitting\" (arXiv 2502.18969) asks of papers on scaling "
      "laws, answered for the first form of the ranking.";
  shown.collapsed = true;
  const compare::Ranked& best = comparison.ranking.front();
  const fit::FitResult& fit = best.fit;
  const fit::Problem& problem = *fit.problem;
  const auto say = [&](const char* part, const char* question, std::string answer) {
    if (answer.empty()) answer = kMissing;
    shown.data
        .Append({{"part", std::string(part)},
                 {"question", std::string(question)},
                 {"answer", std::move(answer)}})
        .IgnoreError();
  };
  const LawSpec& spec = problem.form().Spec();
  say("form", "What is the formula?", absl::StrCat(problem.target_name(), " = ", spec.formula));
  say("form", "How many parameters are free?",
      absl::StrCat(problem.coordinates(), " on ", problem.rows(), " runs"));
  say("form", "Which rivals were tried?",
      absl::StrJoin(comparison.ranking, ", ", [](std::string* out, const compare::Ranked& ranked) {
        absl::StrAppend(out, ranked.name);
      }));
  std::vector<std::string> meanings;
  for (const LawCovariate& covariate : spec.covariates) {
    meanings.push_back(absl::StrCat(covariate.name, ": ", covariate.meaning));
  }
  say("form", "What do the covariates count?", absl::StrJoin(meanings, "; "));
  std::vector<std::string> ranges;
  for (const char* column : {"N", "D", "G", "weight_bits", "input_bits"}) {
    const std::string range = RangeOf(table, problem, column);
    if (!range.empty()) ranges.push_back(range);
  }
  say("runs", "Over which range?", absl::StrJoin(ranges, "; "));
  say("runs", "Which seeds?", Levels(table, problem, "seed"));
  say("runs", "Which runs were left out?",
      problem.dropped() > 0 ? absl::StrCat(problem.dropped(), " whose target is 0 or less")
                            : std::string("none of the rows given to this fit"));
  say("runs", "Which architecture, data, tokenizer?",
      Levels(table, problem, "data").empty() ? Levels(table, problem, "model")
                                             : Levels(table, problem, "data"));
  say("runs", "How was the learning rate chosen at each size?",
      Levels(table, problem, "learning_rate"));
  say("one number a run", "Is a row a finished run or a checkpoint on the way?",
      Levels(table, problem, "schedule"));
  say("one number a run", "Which loss is it, and with what error?",
      problem.options().noise.empty()
          ? absl::StrCat("the column ", problem.target_name(), "; errors of single runs not used")
          : absl::StrCat("the column ", problem.target_name(), ", errors from ",
                         problem.options().noise));
  say("fit", "What was minimized?", problem.loss().Name());
  say("fit", "With weights?",
      problem.options().weight.empty() ? std::string("none")
                                       : absl::StrCat("column ", problem.options().weight));
  say("fit", "How was it searched?",
      absl::StrCat(fit.starts, " starts, ", fit.searched, " searched to a local optimum, ",
                   fit.agreeing, " ended at the best one; ",
                   fit.converged ? "converged" : "not converged"));
  std::vector<std::string> bounded;
  for (const fit::Estimate& estimate : fit.estimates) {
    if (estimate.at_bound) bounded.push_back(estimate.name);
  }
  say("fit", "Is any parameter at its bound?",
      bounded.empty() ? std::string("no") : absl::StrJoin(bounded, ", "));
  say("check", "Do the runs determine the parameters?",
      fit.identifiability.identifiable
          ? absl::StrCat("yes (condition ", ShortNumber(fit.identifiability.condition, 2), ")")
          : absl::StrCat("no: ", fit.identifiability.reason));
  say("check", "What is the uncertainty of the parameters?",
      absl::StrCat("95% intervals in the table of parameters",
                   best.bootstrap.empty() ? "" : ", and a bootstrap"));
  say("check", "How well does it fit?",
      absl::StrCat("RMSE ", ShortNumber(fit.rmse, 3), ", mean relative error ",
                   ShortNumber(100 * fit.mean_relative_error, 3), "%, R² ",
                   ShortNumber(fit.r_squared, 4)));
  say("check", "Was it tested on runs not fitted to?", HeldOutText(best));
  say("check", "Was extrapolation tested?", ExtrapolationText(best));
  const compare::Robustness& robust = comparison.robustness;
  say("check", "Does one run decide the ranking?",
      robust.examined_runs == 0 ? std::string("not examined")
                                : absl::StrCat(robust.flipping_runs, " of ", robust.examined_runs,
                                               " runs change the first place when left out"));
  return shown;
}

}  // namespace qatlas::report
