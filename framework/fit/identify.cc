#include "framework/fit/identify.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "framework/fit/distributions.h"
#include "framework/observe/number.h"

namespace qatlas::fit {
namespace {

// A positive parameter known to no better than this factor either way, at 95%, is open. Factors of
// a power law are extrapolations to one parameter or one token, so tens are ordinary.
constexpr double kOpenFactor = 1000;
constexpr double kLeastComponent = .05;

// Half the 95% interval of a coordinate above which the data do not determine it.
double LargestHalfWidth(const Problem& problem, int c) {
  const Parameter& parameter = problem.coordinate(c);
  if (parameter.log) return std::log(kOpenFactor);
  const std::vector<double>& starts = problem.form().Spec().parameters[parameter.base].starts;
  const auto [low, high] = std::minmax_element(starts.begin(), starts.end());
  const double span = *high - *low;
  return span > 0 ? span : std::numeric_limits<double>::infinity();
}

// From the estimate to the far point of an open profile.
void PointAlong(const std::vector<double>& far, FitResult* result) {
  const size_t m = far.size();
  double length = 0;
  for (size_t c = 0; c < m; ++c) length = std::hypot(length, far[c] - result->coordinates[c]);
  if (!(length > 0) || !std::isfinite(length)) return;
  auto& direction = result->identifiability.open_direction;
  direction.clear();
  for (size_t c = 0; c < m; ++c) {
    const double component = (far[c] - result->coordinates[c]) / length;
    if (std::abs(component) < kLeastComponent) continue;
    direction.emplace_back(result->problem->coordinate(static_cast<int>(c)).name, component);
  }
  std::stable_sort(direction.begin(), direction.end(), [](const auto& a, const auto& b) {
    return std::abs(a.second) > std::abs(b.second);
  });
}

// "alpha above 0.2", "A" for the sides on which a profile does not close; empty where both do.
std::string OpenSides(const Profile& profile) {
  const bool below = profile.below != End::kClosed;
  const bool above = profile.above != End::kClosed;
  if (below && above) return absl::StrCat(profile.name, " on either side");
  if (below) return absl::StrCat(profile.name, " from below");
  if (above) return absl::StrCat(profile.name, " from above");
  return "";
}

}  // namespace

void JudgeIdentifiability(const std::vector<std::string>& bounded,
                          const std::vector<Profile>& profiles, FitResult* result) {
  const Problem& problem = *result->problem;
  Identifiability& id = result->identifiability;
  const auto open = [&](std::string reason) {
    id.identifiable = false;
    id.reason = std::move(reason);
  };
  std::vector<std::string> sides;
  const Profile* flattest = nullptr;  // whose open end has risen least
  double least = std::numeric_limits<double>::infinity();
  for (const Profile& profile : profiles) {
    const std::string side = OpenSides(profile);
    if (side.empty()) continue;
    sides.push_back(side);
    for (const bool above : {false, true}) {
      if ((above ? profile.above : profile.below) == End::kClosed || profile.points.empty()) {
        continue;
      }
      const double root = std::abs((above ? profile.points.back() : profile.points.front()).root);
      if (root < least) {
        least = root;
        flattest = &profile;
      }
    }
  }
  if (flattest != nullptr) {
    const bool above =
        flattest->above != End::kClosed &&
        (flattest->below == End::kClosed ||
         std::abs(flattest->points.back().root) <= std::abs(flattest->points.front().root));
    PointAlong((above ? flattest->points.back() : flattest->points.front()).coordinates, result);
  }
  if (!(id.condition < kWorstCondition)) {
    std::vector<std::string> names;
    for (const auto& [name, component] : id.open_direction) names.push_back(name);
    open(absl::StrCat("the runs leave ", absl::StrJoin(names, ", "), " open together (condition ",
                      observe::ShowNumber(id.condition), ")"));
    return;
  }
  if (!sides.empty()) {
    open(absl::StrCat("the runs do not bound ", absl::StrJoin(sides, ", "),
                      ": other parameters make up for any value"));
    return;
  }
  if (!bounded.empty()) {
    open(absl::StrCat("the optimum lies on a bound of ", absl::StrJoin(bounded, ", "),
                      ": the runs do not hold it inside the range that makes sense"));
    return;
  }
  std::vector<std::string> wide;
  const int m = problem.coordinates();
  for (int c = 0; c < m; ++c) {
    double half = 0;
    if (!profiles.empty()) {
      const Interval& interval = profiles[c].interval;
      half = problem.coordinate(c).log ? .5 * std::log(interval.high / interval.low)
                                       : .5 * (interval.high - interval.low);
    } else if (!result->covariance.empty()) {
      half = TwoSidedQuantile(.95, result->degrees) * std::sqrt(result->covariance[c * m + c]);
    }
    if (half > LargestHalfWidth(problem, c)) wide.push_back(problem.coordinate(c).name);
  }
  if (wide.empty()) return;
  open(absl::StrCat("the interval of ", absl::StrJoin(wide, ", "),
                    " reaches a factor of 1000 either way, or beyond all start values"));
}

void JudgeOtherOptima(const std::vector<Refit>& searches, double level, FitResult* result) {
  const Problem& problem = *result->problem;
  if (!result->identifiability.identifiable || result->covariance.empty() || !HasNoise(*result)) {
    return;
  }
  const double cut = TwoSidedQuantile(level, result->degrees);
  const int m = problem.coordinates();
  for (const Refit& search : searches) {
    if (!search.converged) continue;
    const double rise = 2 * (search.objective - result->objective) / result->objective_scale;
    if (!(rise <= cut * cut)) continue;
    for (int c = 0; c < m; ++c) {
      const double half = cut * std::sqrt(result->covariance[c * m + c]);
      if (std::abs(search.coordinates[c] - result->coordinates[c]) <= 3 * half) continue;
      const std::vector<double> values = problem.Values(search.coordinates);
      std::vector<std::string> there;
      for (size_t p = 0; p < values.size(); ++p) {
        if (problem.parameters()[p].coordinate < 0) continue;
        there.push_back(
            absl::StrCat(problem.parameters()[p].name, " = ", observe::ShowNumber(values[p])));
      }
      result->identifiability.identifiable = false;
      result->identifiability.reason = absl::StrCat(
          "another optimum fits as well within the noise: ", absl::StrJoin(there, ", "));
      PointAlong(search.coordinates, result);
      return;
    }
  }
}

}  // namespace qatlas::fit
