#include "framework/compare/verdict.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>

namespace qatlas::compare {
namespace {

constexpr double kExtrapolationLevel = .01;
constexpr int64_t kSpareRuns = 3;

// The likelihood ratio of two forms, either way round; nullptr where neither contains the other.
const NestedTest* Ratio(const Comparison& comparison, const std::string& a, const std::string& b) {
  for (const NestedTest& test : comparison.nested) {
    if ((test.restricted == a && test.full == b) || (test.restricted == b && test.full == a)) {
      return &test;
    }
  }
  return nullptr;
}

// A special case of a special case is not told as one: `restriction` may be empty.
std::string As(const NestedTest& test) {
  return test.restriction.empty() ? "" : absl::StrCat(" (", test.restriction, ")");
}

// Why `best` is not clearly better than `other`; "" where it is.
std::string Objection(const Comparison& comparison, const VerdictRule& rule, const Ranked& best,
                      const Ranked& other) {
  const NestedTest* ratio = Ratio(comparison, best.name, other.name);
  const double gap = other.aicc - best.aicc;
  const bool contained = ratio != nullptr && ratio->restricted == best.name;
  if (contained && !(gap >= rule.criterion_gap && ratio->p > rule.full_level)) {
    return absl::StrFormat(
        "%s contains it%s and %s (likelihood ratio %.1f, p = %.2g)", other.name, As(*ratio),
        ratio->p > rule.full_level ? "cannot be ruled out, though the runs do not call for it"
                                   : "the runs half call for it",
        ratio->statistic, ratio->p);
  }
  if (std::isfinite(gap) && gap < rule.criterion_gap) {
    return absl::StrFormat("its AICc is only %.1f below that of %s", gap, other.name);
  }
  if (ratio != nullptr && !contained) {
    if (!(ratio->p < rule.ratio_level)) {
      return absl::StrFormat(
          "%s is a special case of it%s that the runs do not rule out (p = %.2g)", other.name,
          As(*ratio), ratio->p);
    }
  } else if (ratio == nullptr) {
    const double corrected =
        -other.log_likelihood_difference - (best.parameters - other.parameters);
    if (!(corrected >= rule.standard_errors * other.difference_se)) {
      return absl::StrFormat(
          "its log likelihood exceeds that of %s by %.1f with a standard error of %.1f (run by "
          "run, less the parameters)",
          other.name, corrected, other.difference_se);
    }
  }
  if (std::isfinite(best.cross_validation.rmse) && std::isfinite(other.cross_validation.rmse) &&
      best.cross_validation.rmse > other.cross_validation.rmse) {
    return absl::StrFormat("%s predicts held-out runs better (error %.4g against %.4g)", other.name,
                           other.cross_validation.rmse, best.cross_validation.rmse);
  }
  return "";
}

// Why its first place does not stand; adds whoever takes it to the contenders.
std::vector<std::string> Flips(const Comparison& comparison, std::set<std::string>* contenders) {
  std::vector<std::string> flips;
  for (const auto* variants : {&comparison.robustness.losses, &comparison.robustness.sizes}) {
    for (const Variant& variant : *variants) {
      if (!variant.flips || !variant.plausible) continue;
      flips.push_back(absl::StrCat(variant.first, " is first under ", variant.what));
      contenders->insert(variant.first);
    }
  }
  if (comparison.robustness.flipping_runs > 0) {
    std::set<std::string> takers;
    std::string where;
    for (const Influence& run : comparison.robustness.runs) {
      if (!run.flips) continue;
      if (where.empty()) where = run.where;
      takers.insert(run.first);
      contenders->insert(run.first);
    }
    flips.push_back(
        comparison.robustness.flipping_runs == 1
            ? absl::StrCat(absl::StrJoin(takers, " or "), " is first without one run, ", where)
            : absl::StrCat(absl::StrJoin(takers, " or "), " is first without any of ",
                           comparison.robustness.flipping_runs, " runs, such as ", where));
  }
  return flips;
}

// Forms that extrapolate better: no objection, since a form with fewer parameters may do so by its
// smaller variance alone, but whoever quotes the sentence must know.
std::string Caveat(const Comparison& comparison) {
  std::vector<std::string> parts;
  const Ranked& best = comparison.ranking[0];
  for (size_t axis = 0; axis < best.extrapolation.size(); ++axis) {
    const Ranked* better = nullptr;
    for (const Ranked& other : comparison.ranking) {
      const Extrapolation& along = other.extrapolation[axis];
      if (!(along.difference < 0 && along.difference_p < kExtrapolationLevel)) continue;
      if (better == nullptr || along.difference < better->extrapolation[axis].difference) {
        better = &other;
      }
    }
    if (better == nullptr) continue;
    parts.push_back(absl::StrFormat("%s extrapolates better along %s (p = %.2g)", better->name,
                                    best.extrapolation[axis].axis,
                                    better->extrapolation[axis].difference_p));
  }
  return parts.empty() ? "" : absl::StrCat(" But ", absl::StrJoin(parts, ", and "), ".");
}

// What a decided first place has stood: " ; it is first ..." or "".
std::string Stood(const Comparison& comparison) {
  std::vector<std::string> parts;
  const Robustness& robustness = comparison.robustness;
  int allowed = 0;
  for (const Variant& variant : robustness.losses) allowed += variant.plausible;
  if (!robustness.losses.empty()) {
    parts.push_back(allowed > 0
                        ? absl::StrFormat("under %s that the residuals allow",
                                          allowed == 1 ? std::string("the other loss")
                                                       : absl::StrCat(allowed, " other losses"))
                        : std::string("under the only loss that the residuals allow"));
  }
  if (robustness.examined_runs > 0) {
    parts.push_back(robustness.examined_runs == comparison.rows
                        ? std::string("without any one run")
                        : absl::StrCat("without any one of the ", robustness.examined_runs,
                                       " runs that weigh most"));
  }
  for (const Variant& variant : robustness.sizes)
    parts.push_back(absl::StrCat("with ", variant.what));
  if (robustness.resamples > 0) {
    parts.push_back(
        absl::StrFormat("in %.0f%% of resamples", 100 * comparison.ranking[0].bootstrap_first));
  }
  if (parts.empty()) return "";
  const std::string last = parts.back();
  parts.pop_back();
  return absl::StrCat("; it is first ", absl::StrJoin(parts, ", "), parts.empty() ? "" : " and ",
                      last);
}

// "so does b with one parameter more, and c with 36".
std::string SoDo(const Ranked& best, const std::vector<const Ranked*>& others) {
  std::vector<std::string> parts;
  for (const Ranked* other : others) {
    const int more = other->parameters - best.parameters;
    parts.push_back(more == 0   ? absl::StrCat(other->name, " with as many parameters")
                    : more == 1 ? absl::StrCat(other->name, " with one parameter more")
                                : absl::StrCat(other->name, " with ", more, " parameters more"));
  }
  return parts.empty() ? "" : absl::StrCat("; so does ", absl::StrJoin(parts, ", and "));
}

// The first form leaves no residuals: of data without noise it is only asked which others leave
// none either, and how many parameters they take for it.
void JudgeExact(const VerdictRule& rule, Comparison* comparison) {
  const std::vector<Ranked>& ranking = comparison->ranking;
  const Ranked& best = ranking[0];
  std::vector<const Ranked*> others;
  const Ranked* next = nullptr;
  for (size_t i = 1; i < ranking.size(); ++i) {
    const Ranked& other = ranking[i];
    const NestedTest* ratio = Ratio(*comparison, best.name, other.name);
    if (other.likelihood.exact || (ratio != nullptr && ratio->restricted == best.name)) {
      others.push_back(&other);
      const double aicc = Aicc(best.likelihood.log_likelihood, other.parameters, comparison->rows);
      if (aicc - best.aicc < rule.criterion_gap) comparison->contenders.push_back(other.name);
    } else if (next == nullptr) {
      next = &other;
    }
  }
  const bool identifiable = best.fit.identifiability.identifiable;
  comparison->verdict = identifiable && ranking.size() > 1 && comparison->contenders.size() == 1
                            ? Verdict::kDecided
                            : Verdict::kUndecided;
  comparison->sentence = absl::StrCat(
      best.name, " reproduces these ", comparison->rows,
      " runs exactly: it leaves no residuals beyond rounding, so there is no noise to measure a "
      "likelihood by",
      identifiable ? "" : absl::StrCat(", but ", best.fit.identifiability.reason),
      ranking.size() > 1            ? SoDo(best, others)
      : comparison->refused.empty() ? "; no other form was asked for"
                                    : "; no other form could be fitted",
      next == nullptr ? "."
                      : absl::StrFormat("; the next, %s, leaves a mean relative error of %.2g%%.",
                                        next->name, 100 * next->fit.mean_relative_error));
}

}  // namespace

void Judge(Comparison* comparison, const VerdictRule& rule) {
  comparison->contenders.clear();
  comparison->rule = absl::StrFormat(
      "A form is called best if its AICc is at least %g below every other's, its log likelihood "
      "(less the difference in parameters) is higher by at least %g standard errors of the "
      "run-by-run differences (against a special case of itself: the likelihood ratio has p < %g), "
      "its error on held-out runs is not larger, "
      "it stays first under every loss that the residuals allow, without any one run and with "
      "parameters counted otherwise, and its own parameters are determined by the runs. Against a "
      "form that contains it p must exceed %g. Fewer than %d runs beyond a form's parameters are "
      "too few to compare. A form that leaves no residuals beyond rounding stands before all "
      "others but those that leave none either with an AICc less than %g above.",
      rule.criterion_gap, rule.standard_errors, rule.ratio_level, rule.full_level, kSpareRuns,
      rule.criterion_gap);
  const std::vector<Ranked>& ranking = comparison->ranking;
  const std::string runs = absl::StrCat(comparison->rows, " runs");
  if (ranking.empty()) {
    comparison->verdict = Verdict::kTooFew;
    comparison->sentence = absl::StrCat("No form could be fitted to these ", runs, ".");
    return;
  }
  for (const Ranked& form : ranking) {
    if (comparison->rows - form.parameters < kSpareRuns) {
      comparison->verdict = Verdict::kTooFew;
      comparison->sentence =
          absl::StrCat("Too few runs to compare: ", form.name, " has ", form.parameters,
                       " parameters with its noise, and there are ", runs, "; at least ",
                       form.parameters + kSpareRuns, " are needed.");
      return;
    }
  }
  const Ranked& best = ranking[0];
  comparison->contenders = {best.name};
  if (ranking.size() > 1 && !std::isfinite(best.aicc)) {
    comparison->verdict = Verdict::kTooFew;
    comparison->sentence =
        absl::StrCat("Too few runs to compare: no form has a finite AICc on ", runs, ".");
    return;
  }
  if (best.likelihood.exact) return JudgeExact(rule, comparison);
  if (ranking.size() == 1) {
    comparison->verdict = Verdict::kUndecided;
    const std::string fitted = absl::StrFormat("%s was fitted to %s (mean relative error %.2g%%)",
                                               best.name, runs, 100 * best.fit.mean_relative_error);
    const std::string others = comparison->refused.empty()
                                   ? "no other form was asked for, so there is nothing to compare"
                                   : "no other form could be fitted, so nothing is decided";
    comparison->sentence =
        best.fit.identifiability.identifiable
            ? absl::StrCat(fitted, "; ", others, ".")
            : absl::StrCat(fitted, ", but ", best.fit.identifiability.reason, "; ", others, ".");
    return;
  }
  if (!best.fit.identifiability.identifiable) {
    comparison->verdict = Verdict::kUndecided;
    comparison->sentence =
        absl::StrCat("Undecided on ", runs, ": ", best.name, " has the lowest AICc, but ",
                     best.fit.identifiability.reason, ".");
    return;
  }
  std::vector<std::string> objections;
  std::set<std::string> contenders;
  for (size_t i = 1; i < ranking.size(); ++i) {
    const std::string objection = Objection(*comparison, rule, best, ranking[i]);
    if (objection.empty()) continue;
    objections.push_back(objection);
    contenders.insert(ranking[i].name);
  }
  for (std::string& flip : Flips(*comparison, &contenders)) objections.push_back(std::move(flip));
  if (!objections.empty()) {
    comparison->verdict = Verdict::kUndecided;
    std::vector<std::string> beaten;
    for (size_t i = 1; i < ranking.size(); ++i) {
      auto& list = contenders.count(ranking[i].name) != 0 ? comparison->contenders : beaten;
      list.push_back(ranking[i].name);
    }
    comparison->sentence = absl::StrCat(
        "Undecided on ", runs, ": ", best.name, " has the lowest AICc, but ",
        absl::StrJoin(objections, "; "),
        beaten.empty() ? "" : absl::StrCat(". Clearly worse: ", absl::StrJoin(beaten, ", ")), ".",
        Caveat(*comparison));
    return;
  }
  comparison->verdict = Verdict::kDecided;
  std::string gap;
  if (std::isfinite(ranking[1].delta_aicc)) {
    gap = absl::StrFormat(", AICc %.1f below the next, %s", ranking[1].delta_aicc, ranking[1].name);
  }
  comparison->sentence = absl::StrFormat(
      "%s describes these %s best of %d forms (mean relative error %.2g%%%s)%s.%s", best.name, runs,
      static_cast<int>(ranking.size()), 100 * best.fit.mean_relative_error, gap, Stood(*comparison),
      Caveat(*comparison));
}

}  // namespace qatlas::compare
