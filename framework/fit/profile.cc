#include "framework/fit/profile.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include <absl/strings/str_cat.h>
#include <qatlas/check.h>

#include "framework/fit/local.h"
#include "framework/fit/parallel.h"
#include "framework/fit/rows_at.h"
#include "framework/fit/distributions.h"
#include "framework/observe/names.h"

namespace qatlas::fit {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// A logarithm is followed to a factor of 1e6 either way, others to so many spans of their starts.
constexpr double kLogReach = 13.8;
constexpr double kReach = 100;
// Ends are found to this share of the cut.
constexpr double kEndTolerance = 2e-3;
constexpr int kMostRefits = 40;
constexpr double kRefitTolerance = 1e-8;
// A refit this much (relative) below the fit's objective is another optimum.
constexpr double kBetter = 1e-6;
// The tether of a prediction is this many times as stiff as the objective.
constexpr double kStiffness = 100;

// What is profiled: a coordinate, or a function of the coordinates.
struct Quantity {
  int coordinate = -1;
  std::function<double(const double* u, double* gradient)> function;  // where coordinate < 0
  double lower = -kInfinity, upper = kInfinity;                       // bounds of its position
  double reach = kInfinity;  // how far from the estimate it is followed
};

// A point of the profile; position: the coordinate itself or the function's value.
struct Point {
  double position = 0, root = 0;
  std::vector<double> coordinates;
};

class Tracer {
 public:
  Tracer(const FitResult& fit, Quantity quantity, const FitOptions& options)
      : fit_(fit), quantity_(std::move(quantity)), searcher_(*fit.problem, options) {
    const int m = fit.problem->coordinates();
    direction_.assign(m, 0.0);
    center_.coordinates = fit.coordinates;
    std::vector<double> gradient(m, 0.0);
    if (quantity_.coordinate >= 0) {
      gradient[quantity_.coordinate] = 1;
      center_.position = fit.coordinates[quantity_.coordinate];
    } else {
      center_.position = quantity_.function(fit.coordinates.data(), gradient.data());
    }
    scale_ = fit.objective_scale;
    if (!fit.covariance.empty()) {
      double model = 0;
      for (int a = 0; a < m; ++a) {
        for (int b = 0; b < m; ++b) {
          variance_ += gradient[a] * fit.covariance[a * m + b] * gradient[b];
          direction_[a] += fit.covariance[a * m + b] * gradient[b];
          if (!fit.model_covariance.empty()) {
            model += gradient[a] * fit.model_covariance[a * m + b] * gradient[b];
          }
        }
      }
      if (model > 0 && variance_ > 0) scale_ *= variance_ / model;
      for (double& x : direction_) x = variance_ > 0 ? x / variance_ : 0;
    }
    points_.push_back(center_);
    if (quantity_.coordinate >= 0) return;
    // Without a covariance a hundredth of the value stands in for its standard error.
    double error = std::sqrt(variance_);
    if (!(error > 0)) error = .01 * std::max(std::abs(center_.position), 1e-12);
    tether_.quantity = quantity_.function;
    tether_.width = error / std::sqrt(scale_ * kStiffness);
  }

  // Position of the interval's end on one side (sign: -1 or 1), and how it ends.
  std::pair<double, End> Side(int sign, double cut) {
    const double bound = sign > 0 ? quantity_.upper : quantity_.lower;
    const double far = center_.position + sign * quantity_.reach;
    const bool bounded = sign > 0 ? bound <= far : bound >= far;
    const double limit = bounded ? bound : far;
    double step = cut * std::sqrt(variance_);
    if (!(step > 0) || !std::isfinite(step)) step = .01 * quantity_.reach;
    double goal = center_.position + sign * step;
    Point inner = center_;
    Point outer;
    bool bracketed = false;
    const auto left = [&](double position) { return sign * (limit - position); };
    for (int refits = 0; refits < kMostRefits; ++refits) {
      // A parameter already at its bound, or a last step onto the limit.
      if (left(goal) < 0) goal = limit;
      if (left(center_.position) <= 0) return {limit, bounded ? End::kBound : End::kOpen};
      const Point point = Solve(goal);
      const double size = sign * point.root;
      const bool moved = sign * (point.position - inner.position) > 0;
      if (std::abs(size - cut) <= kEndTolerance * cut) return {point.position, End::kClosed};
      if (size > cut) {
        outer = point;
        bracketed = true;
      } else if (moved) {
        inner = point;
      }
      if (!bracketed) {
        if (goal == limit || !moved) return {limit, bounded ? End::kBound : End::kOpen};
        const double factor = size > 0 ? std::clamp(1.02 * cut / size, 1.1, 2.0) : 2.0;
        goal = center_.position + sign * factor * std::abs(goal - center_.position);
        continue;
      }
      const double width = std::abs(outer.position - inner.position);
      const double low = sign * inner.root;
      const double high = sign * outer.root;
      double share = std::isfinite(high) ? (cut - low) / (high - low) : .25;
      if (width <= 1e-9 * (1 + std::abs(center_.position)) || high - low <= kEndTolerance * cut) {
        return {inner.position + sign * share * width, End::kClosed};
      }
      // A kink (a robust loss, a bound that begins to hold) defeats the secant: halve now and then.
      if (refits % 4 == 3) share = .5;
      goal = inner.position + sign * std::clamp(share, .02, .98) * width;
    }
    return {bracketed ? outer.position : limit, bracketed ? End::kClosed : End::kOpen};
  }

  // Solves at positions evenly spread over [low, high], for drawing.
  void Draw(double low, double high, int count) {
    for (int i = 0; i < count; ++i) {
      const double goal = low + (high - low) * (count > 1 ? i / (count - 1.0) : .5);
      if (std::abs(goal - center_.position) > 1e-9 * (high - low)) Solve(goal);
    }
  }

  const Point& center() const { return center_; }
  double Clip(double position) const {
    return std::clamp(position, std::max(quantity_.lower, center_.position - quantity_.reach),
                      std::min(quantity_.upper, center_.position + quantity_.reach));
  }
  // All points solved, ascending by position.
  std::vector<Point> Points() const {
    std::vector<Point> points = points_;
    std::sort(points.begin(), points.end(),
              [](const Point& a, const Point& b) { return a.position < b.position; });
    return points;
  }
  const std::optional<Refit>& better() const { return better_; }

 private:
  // The way from the estimate through the nearest point on this side, or along the covariance.
  std::vector<double> Start(double goal) {
    const Point* nearest = nullptr;
    for (const Point& point : points_) {
      if ((point.position - center_.position) * (goal - center_.position) <= 0) continue;
      if (nearest == nullptr ||
          std::abs(point.position - goal) < std::abs(nearest->position - goal)) {
        nearest = &point;
      }
    }
    const double distance = goal - center_.position;
    std::vector<double> start = center_.coordinates;
    std::vector<double> plain = nearest != nullptr ? nearest->coordinates : start;
    const double ratio = nearest != nullptr ? distance / (nearest->position - center_.position) : 0;
    for (size_t i = 0; i < start.size(); ++i) {
      start[i] += nearest != nullptr ? ratio * (nearest->coordinates[i] - center_.coordinates[i])
                                     : distance * direction_[i];
    }
    const int c = quantity_.coordinate;
    if (c >= 0) start[c] = plain[c] = goal;
    return searcher_.Objective(start) <= searcher_.Objective(plain) ? start : plain;
  }

  Point Solve(double goal) {
    const int c = quantity_.coordinate;
    tether_.goal = goal;
    if (c < 0) searcher_.SetTether(&tether_);
    const std::vector<double> start = Start(goal);
    if (c >= 0) searcher_.Hold(c, goal);
    Refit refit = searcher_.Run(start);
    if (c >= 0) searcher_.Release(c);
    Point point;
    point.position = goal;
    if (c < 0) {
      searcher_.SetTether(nullptr);
      // Whatever the tether's stiffness, this is the best fit at the value that it has reached.
      std::vector<double> unused(refit.coordinates.size(), 0.0);
      if (std::isfinite(refit.objective)) {
        point.position = quantity_.function(refit.coordinates.data(), unused.data());
        refit.objective = searcher_.Objective(refit.coordinates);
      }
    }
    if (refit.objective < fit_.objective * (1 - kBetter) &&
        (!better_ || refit.objective < better_->objective)) {
      better_ = refit;
    }
    const double rise = std::max(0.0, refit.objective - fit_.objective);
    point.root = std::copysign(std::sqrt(2 * rise / scale_), point.position - center_.position);
    point.coordinates = std::move(refit.coordinates);
    if (std::isfinite(rise)) points_.push_back(point);
    return point;
  }

  const FitResult& fit_;
  Quantity quantity_;
  LocalSearcher searcher_;
  LocalSearcher::Tether tether_;
  double scale_ = 1, variance_ = 0;
  std::vector<double> direction_;  // of the profile at the estimate: d coordinates / d position
  Point center_;
  std::vector<Point> points_;
  std::optional<Refit> better_;
};

// The natural value of a position: the open side of a logarithm ends at the form's bound, or at
// infinity.
double Natural(double position, End end, int sign, const Parameter* parameter) {
  if (parameter == nullptr) return end == End::kOpen ? sign * kInfinity : position;
  if (end == End::kClosed) return parameter->log ? std::exp(position) : position;
  return sign > 0 ? parameter->upper : parameter->lower;
}

Profile Trace(const FitResult& fit, Quantity quantity, const Parameter* parameter,
              const ProfileOptions& options) {
  FitOptions refits = options.fit;
  refits.tolerance = std::max(refits.tolerance, kRefitTolerance);
  Tracer tracer(fit, std::move(quantity), refits);
  Profile profile;
  const bool log = parameter != nullptr && parameter->log;
  const auto natural = [&](double position) { return log ? std::exp(position) : position; };
  profile.estimate = natural(tracer.center().position);
  profile.cut = TwoSidedQuantile(options.level, fit.degrees);
  auto [low, below] = tracer.Side(-1, profile.cut);
  auto [high, above] = tracer.Side(1, profile.cut);
  // A positive parameter that may as well be 0 ends at 0, which is the form's bound.
  if (below == End::kOpen && parameter != nullptr && std::isfinite(parameter->lower)) {
    below = End::kBound;
  }
  profile.below = below;
  profile.above = above;
  profile.interval = {Natural(low, below, -1, parameter), Natural(high, above, 1, parameter)};
  if (options.points > 0) {
    const double margin = .25 * (high - low);
    tracer.Draw(tracer.Clip(low - margin), tracer.Clip(high + margin), options.points);
  }
  for (Point& point : tracer.Points()) {
    profile.points.push_back({natural(point.position), point.root, std::move(point.coordinates)});
  }
  profile.better = tracer.better();
  return profile;
}

Profile TraceCoordinate(const FitResult& fit, int c, const ProfileOptions& options) {
  const Problem& problem = *fit.problem;
  const Parameter& parameter = problem.coordinate(c);
  Quantity quantity;
  quantity.coordinate = c;
  quantity.lower = problem.LowerCoordinate(c);
  quantity.upper = problem.UpperCoordinate(c);
  quantity.reach = kLogReach;
  if (!parameter.log) {
    const std::vector<double>& starts = problem.form().Spec().parameters[parameter.base].starts;
    const auto [low, high] = std::minmax_element(starts.begin(), starts.end());
    const double span = std::max(*high - *low, std::abs(fit.coordinates[c]));
    quantity.reach = kReach * (span > 0 ? span : 1.0);
  }
  Profile profile = Trace(fit, std::move(quantity), &parameter, options);
  profile.name = parameter.name;
  return profile;
}

absl::Status Check(const FitResult& fit, const ProfileOptions& options) {
  if (!(options.level > 0 && options.level < 1)) {
    return absl::InvalidArgumentError("the level of intervals must lie between 0 and 1");
  }
  if (!HasNoise(fit)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the fit of ", fit.form,
                     " leaves no residuals to judge it by: as many parameters as runs, or runs "
                     "that lie exactly on the curve"));
  }
  return absl::OkStatus();
}

}  // namespace

const char* Name(End end) {
  switch (end) {
    case End::kBound:
      return "bound";
    case End::kOpen:
      return "open";
    case End::kClosed:
      break;
  }
  return "closed";
}

bool HasNoise(const FitResult& fit) {
  if (!(fit.objective_scale > 0) || !(fit.degrees > 0)) return false;
  const Problem& problem = *fit.problem;
  double rounding = 0;
  for (int64_t i = 0; i < problem.rows(); ++i) {
    const double noise = problem.noise().empty() ? 1.0 : problem.noise()[i];
    const double size = problem.loss().space == Space::kLog ? 1.0 : problem.target()[i];
    rounding += problem.weight()[i] * size * size / (noise * noise);
  }
  return fit.objective > 1e-24 * rounding;
}

absl::StatusOr<Profile> ProfileParameter(const FitResult& fit, absl::string_view name,
                                         const ProfileOptions& options) {
  if (absl::Status status = Check(fit, options); !status.ok()) return status;
  std::vector<std::string> names;
  for (const Parameter& parameter : fit.problem->parameters()) {
    names.push_back(parameter.name);
    if (parameter.name != name) continue;
    if (parameter.coordinate < 0) {
      return absl::FailedPreconditionError(
          absl::StrCat(name, " is held fixed in this fit and has no profile"));
    }
    Profile profile = TraceCoordinate(fit, parameter.coordinate, options);
    profile.name = parameter.name;
    return profile;
  }
  return absl::NotFoundError(absl::StrCat("the fit of ", fit.form, " has no parameter '", name, "'",
                                          observe::Suggest(name, names)));
}

absl::StatusOr<std::vector<Profile>> ProfileParameters(const FitResult& fit,
                                                       const ProfileOptions& options) {
  if (absl::Status status = Check(fit, options); !status.ok()) return status;
  std::vector<Profile> profiles(fit.problem->coordinates());
  ParallelFor(fit.problem->coordinates(), options.threads, 1, [&] {
    return [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c) {
        profiles[c] = TraceCoordinate(fit, static_cast<int>(c), options);
      }
    };
  });
  return profiles;
}

absl::StatusOr<std::vector<Profile>> ProfilePredictions(const FitResult& fit,
                                                        const observe::Table& table,
                                                        const ProfileOptions& options) {
  if (absl::Status status = Check(fit, options); !status.ok()) return status;
  QATLAS_ASSIGN_OR_RETURN(const std::vector<RowAt> rows, RowsAt(*fit.problem, table));
  std::vector<Profile> profiles(rows.size());
  ParallelFor(static_cast<int64_t>(rows.size()), options.threads, 1, [&] {
    return [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        Quantity quantity;
        quantity.function = [&fit, &row = rows[i]](const double* u, double* gradient) {
          return row.Value(*fit.problem, u, gradient);
        };
        Quantity copy = quantity;
        std::vector<double> unused(fit.problem->coordinates(), 0.0);
        const double value = quantity.function(fit.coordinates.data(), unused.data());
        copy.reach = kReach * std::max(std::abs(value), 1e-12);
        profiles[i] = Trace(fit, std::move(copy), nullptr, options);
        profiles[i].name = absl::StrCat("row ", i + 1);
      }
    };
  });
  return profiles;
}

}  // namespace qatlas::fit
