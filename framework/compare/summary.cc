#include "framework/compare/summary.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>

namespace qatlas::compare {
namespace {

constexpr size_t kShownRuns = 3;
constexpr size_t kWidestName = 40;

std::string Percent(double share) {
  if (std::abs(share) < 100 * kRounding) share = 0;
  return std::isfinite(share) ? absl::StrFormat("%.3g%%", 100 * share) : "-";
}

// A block by axis: forms down, how many times beyond the fitted runs across.
void AppendExtrapolation(const Comparison& comparison, std::string* text) {
  const std::vector<Ranked>& ranking = comparison.ranking;
  size_t width = 0;
  for (const Ranked& form : ranking) width = std::max(width, form.name.size());
  width = std::min(width, kWidestName);
  bool begun = false;
  for (size_t axis = 0; axis < ranking[0].extrapolation.size(); ++axis) {
    std::set<double> steps;
    for (const Ranked& form : ranking) {
      for (const FanStep& step : form.extrapolation[axis].fan) steps.insert(step.high);
    }
    if (steps.empty()) continue;
    if (!begun) {
      absl::StrAppend(text,
                      "Extrapolation: relative error on runs up to so many times beyond those "
                      "fitted\n");
    }
    begun = true;
    absl::StrAppendFormat(text, "  %-*s", static_cast<int>(width) + 2,
                          absl::StrCat("along ", ranking[0].extrapolation[axis].axis));
    for (const double step : steps) {
      absl::StrAppendFormat(text, "%8s", absl::StrFormat("x%g", step));
    }
    absl::StrAppend(text, "\n");
    for (const Ranked& form : ranking) {
      absl::StrAppendFormat(text, "    %-*s", static_cast<int>(width), form.name);
      for (const double step : steps) {
        const auto& fan = form.extrapolation[axis].fan;
        const auto found = std::find_if(fan.begin(), fan.end(),
                                        [&](const FanStep& other) { return other.high == step; });
        absl::StrAppendFormat(text, "%8s",
                              found == fan.end() ? "-" : Percent(found->mean_relative_error));
      }
      absl::StrAppend(text, "\n");
    }
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
  bool begun = false;
  for (const WinMap& map : comparison.win_maps) {
    if (map.columns.size() != 1) continue;
    std::vector<std::string> parts;
    for (const WinRegion& region : map.regions) {
      const Range& range = region.ranges[0];
      if (region.winner.empty()) continue;
      parts.push_back(absl::StrFormat("%s %s%s",
                                      range.low == range.high
                                          ? absl::StrFormat("%.3g", range.low)
                                          : absl::StrFormat("%.3g to %.3g", range.low, range.high),
                                      region.winner, region.clear ? "*" : ""));
    }
    if (parts.empty()) continue;
    if (!begun) absl::StrAppend(text, "Best on held-out runs (*: clear of noise)\n");
    begun = true;
    absl::StrAppend(text, "  by ", map.columns[0], ": ", absl::StrJoin(parts, ", "), "\n");
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
        absl::StrFormat("Leaving out any one of %d runs: %s; the gap of %.1f moves most without ",
                        robustness.examined_runs,
                        robustness.flipping_runs == 0
                            ? "the same form is first"
                            : absl::StrCat("another form is first without ",
                                           robustness.flipping_runs, " of them"),
                        robustness.gap),
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
