#include "framework/compare/summary.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>

namespace qatlas::compare {
namespace {

constexpr size_t kShownRuns = 3;

std::string Percent(double share) {
  return std::isfinite(share) ? absl::StrFormat("%.3g%%", 100 * share) : "-";
}

void AppendExtrapolation(const Comparison& comparison, std::string* text) {
  const std::vector<Ranked>& ranking = comparison.ranking;
  for (size_t axis = 0; axis < ranking[0].extrapolation.size(); ++axis) {
    std::vector<std::string> parts;
    for (const Ranked& form : ranking) {
      const Extrapolation& along = form.extrapolation[axis];
      if (along.predictions == 0) {
        parts.push_back(absl::StrCat(form.name, " cannot"));
        continue;
      }
      std::vector<std::string> steps;
      for (const FanStep& step : along.fan) {
        steps.push_back(absl::StrFormat("%s to x%g", Percent(step.mean_relative_error), step.high));
      }
      parts.push_back(absl::StrCat(form.name, " ", absl::StrJoin(steps, ", ")));
    }
    absl::StrAppend(text, "Extrapolating along ", ranking[0].extrapolation[axis].axis,
                    " (relative error by distance): ", absl::StrJoin(parts, "; "), "\n");
  }
}

void AppendNested(const Comparison& comparison, std::string* text) {
  for (const NestedTest& test : comparison.nested) {
    absl::StrAppend(
        text, test.restricted, " is ", test.full,
        test.restriction.empty() ? " restricted" : absl::StrCat(" with ", test.restriction),
        absl::StrFormat(": likelihood ratio %.2f on %d degree%s, p = %.2g", test.statistic,
                        test.degrees, test.degrees == 1 ? "" : "s", test.p),
        test.on_bound ? absl::StrFormat(" (%.2g, since the value lies on a bound)", test.p_on_bound)
                      : "",
        "\n");
  }
}

void AppendWinMaps(const Comparison& comparison, std::string* text) {
  for (const WinMap& map : comparison.win_maps) {
    if (map.columns.size() != 1) continue;
    std::vector<std::string> parts;
    for (const WinRegion& region : map.regions) {
      const Range& range = region.ranges[0];
      if (region.winner.empty()) continue;
      parts.push_back(absl::StrFormat("%s %s%s (%d runs)",
                                      range.low == range.high
                                          ? absl::StrFormat("%.3g", range.low)
                                          : absl::StrFormat("%.3g to %.3g", range.low, range.high),
                                      region.winner, region.clear ? ", clearly" : "", region.rows));
    }
    if (parts.empty()) continue;
    absl::StrAppend(text, "Best on held-out runs by ", map.columns[0], ": ",
                    absl::StrJoin(parts, "; "), "\n");
  }
}

void AppendRobustness(const Comparison& comparison, std::string* text) {
  const Robustness& robustness = comparison.robustness;
  std::vector<std::string> parts;
  for (const auto* variants : {&robustness.losses, &robustness.sizes}) {
    for (const Variant& variant : *variants) {
      parts.push_back(
          absl::StrFormat("%s: %s by %.1f%s", variant.what, variant.first,
                          variant.flips ? -variant.gap : variant.gap,
                          variant.plausible ? "" : " (the residuals speak against this loss)"));
    }
  }
  if (!parts.empty()) {
    absl::StrAppend(text, "First by AICc under ", absl::StrJoin(parts, "; "), "\n");
  }
  if (robustness.examined_runs > 0) {
    parts.clear();
    for (size_t i = 0; i < std::min(kShownRuns, robustness.runs.size()); ++i) {
      const Influence& run = robustness.runs[i];
      parts.push_back(
          absl::StrFormat("%s %+.1f%s", run.where, run.gap_change,
                          run.flips ? absl::StrCat(", then ", run.first, " is first") : ""));
    }
    absl::StrAppend(
        text,
        absl::StrFormat("Without any one of %d runs the first form changes %d "
                        "times; the gap of %.1f moves most without ",
                        robustness.examined_runs, robustness.flipping_runs, robustness.gap),
        absl::StrJoin(parts, "; "), "\n");
  }
  if (robustness.resamples > 0) {
    parts.clear();
    for (const Ranked& form : comparison.ranking) {
      parts.push_back(absl::StrFormat("%s %.0f%%", form.name, 100 * form.bootstrap_first));
    }
    absl::StrAppend(text, "First in ", robustness.resamples,
                    " resamples: ", absl::StrJoin(parts, ", "), "\n");
  }
  for (const std::string& note : robustness.notes) absl::StrAppend(text, note, "\n");
}

}  // namespace

std::string Evidence(const Comparison& comparison) {
  std::string text;
  if (comparison.ranking.size() < 2) return text;
  AppendExtrapolation(comparison, &text);
  AppendNested(comparison, &text);
  AppendWinMaps(comparison, &text);
  AppendRobustness(comparison, &text);
  return text;
}

}  // namespace qatlas::compare
