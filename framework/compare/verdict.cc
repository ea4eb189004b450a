#include "framework/compare/verdict.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>

namespace qatlas::compare {
namespace {

constexpr double kCriterionGap = 6;
constexpr double kStandardErrors = 2;
constexpr int64_t kSpareRuns = 3;

// Why `best` is not clearly better than `other`; "" where it is.
std::string Objection(const Ranked& best, const Ranked& other) {
  const double gap = other.aicc - best.aicc;
  if (std::isfinite(gap) && gap < kCriterionGap) {
    return absl::StrFormat("its AICc is only %.1f below that of %s", gap, other.name);
  }
  const double corrected = -other.log_likelihood_difference - (best.parameters - other.parameters);
  if (!(corrected >= kStandardErrors * other.difference_se)) {
    return absl::StrFormat(
        "its log likelihood exceeds that of %s by %.1f with a standard error of %.1f (run by run, "
        "less the parameters)",
        other.name, corrected, other.difference_se);
  }
  if (std::isfinite(best.cross_validation.rmse) && std::isfinite(other.cross_validation.rmse) &&
      best.cross_validation.rmse > other.cross_validation.rmse) {
    return absl::StrFormat("%s predicts held-out runs better (error %.4g against %.4g)", other.name,
                           other.cross_validation.rmse, best.cross_validation.rmse);
  }
  return "";
}

}  // namespace

void Judge(Comparison* comparison) {
  comparison->rule = absl::StrFormat(
      "A form is called best if its AICc is at least %g below every other's, its log likelihood "
      "(less the difference in parameters) is higher by at least %g standard errors of the "
      "run-by-run "
      "differences, its error on held-out runs is not larger, and its own parameters are "
      "determined "
      "by the runs. Fewer than %d runs beyond a form's parameters are too few to compare.",
      kCriterionGap, kStandardErrors, kSpareRuns);
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
  for (size_t i = 1; i < ranking.size(); ++i) {
    const std::string objection = Objection(best, ranking[i]);
    if (!objection.empty()) objections.push_back(objection);
  }
  if (!objections.empty()) {
    comparison->verdict = Verdict::kUndecided;
    comparison->sentence =
        absl::StrCat("Undecided on ", runs, ": ", best.name, " has the lowest AICc, but ",
                     absl::StrJoin(objections, "; "), ".");
    return;
  }
  comparison->verdict = Verdict::kDecided;
  std::string gap;
  if (std::isfinite(ranking[1].delta_aicc)) {
    gap = absl::StrFormat(", AICc %.1f below the next, %s", ranking[1].delta_aicc, ranking[1].name);
  }
  comparison->sentence = absl::StrFormat(
      "%s describes these %s best of %d forms (mean relative error %.2g%%%s).", best.name, runs,
      static_cast<int>(ranking.size()), 100 * best.fit.mean_relative_error, gap);
}

}  // namespace qatlas::compare
