// Profile likelihood: how much worse a fit becomes when one quantity is held away from its estimate
// and everything else is fitted again. Needs no symmetry, and shows where the data do not close an
// interval.
#ifndef QATLAS_FRAMEWORK_FIT_PROFILE_H_
#define QATLAS_FRAMEWORK_FIT_PROFILE_H_

#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include "framework/fit/fit.h"
#include "framework/observe/table.h"

namespace qatlas::fit {

struct ProfileOptions {  // Of a profile likelihood.
  double level = .95;    // of the interval
  // Further points for a drawn curve, evenly spaced over the interval and a quarter of its width
  // beyond either end; 0: only those that the search for the ends has passed.
  int points = 0;
  int threads = 0;  // 0: all
  FitOptions fit;   // of the refits; their tolerance is not below 1e-8
};

struct ProfilePoint {  // One held value.
  double value = 0;    // of the quantity, natural units
  // sign(value - estimate) · sqrt(2 (F - F_min)/s), s = FitResult::objective_scale (times the ratio
  // of the sandwich's variance to the model's, where the fit has a sandwich). Of a linear form
  // under Gaussian noise a straight line, and Student-t with FitResult::degrees at the truth.
  double root = 0;
  std::vector<double> coordinates;  // of the fit with the quantity held there
};

struct Profile {                                   // Of one parameter.
  std::string name;                                // of the parameter; of a prediction "row 3"
  double estimate = 0;                             // at the optimum
  std::vector<ProfilePoint> points;                // ascending by value, with the estimate
  double cut = 0;                                  // |root| at which the interval ends
  Interval interval;                               // open or at a bound as `below` and `above` say
  End below = End::kClosed, above = End::kClosed;  // why an end is open
  // A refit that came out below the fit's objective: the fit was not the global optimum.
  std::optional<Refit> better;
};

// Of one free parameter, by its name in the fit ("alpha", "k[W4A4]"). The ends are found by
// warm-started refits to .2% of the interval. A side that reaches the form's bound ends there
// (kBound; also a positive parameter that can go to 0); one along which the objective does not rise
// enough within a factor of 1e6 is kOpen with an infinite end.
// NotFound: no such parameter. FailedPrecondition: it is fixed, or the fit has no noise to judge by
// (as many parameters as rows, or residuals of 0).
absl::StatusOr<Profile> ProfileParameter(const FitResult& fit, absl::string_view name,
                                         const ProfileOptions& options = {});

// Of every free coordinate, in order (tied parameters share one), in parallel.
absl::StatusOr<std::vector<Profile>> ProfileParameters(const FitResult& fit,
                                                       const ProfileOptions& options = {});

// Of the curve at each row of a table with the form's covariates and categories. Errors as Predict.
absl::StatusOr<std::vector<Profile>> ProfilePredictions(const FitResult& fit,
                                                        const observe::Table& table,
                                                        const ProfileOptions& options = {});

// Whether the residuals are above rounding, so that a profile means something.
bool HasNoise(const FitResult& fit);

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_PROFILE_H_
