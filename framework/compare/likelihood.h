// Proper likelihoods of a fit's residuals: densities that integrate to one, so that AICc, BIC and
// the held-out log score can be compared between forms.
#ifndef QATLAS_FRAMEWORK_COMPARE_LIKELIHOOD_H_
#define QATLAS_FRAMEWORK_COMPARE_LIKELIHOOD_H_

#include <vector>

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include "framework/fit/fit.h"

namespace qatlas::compare {

enum class NoiseModel {  // Density of residuals.
  kGaussian,
  kStudentT,  // 4 degrees of freedom: outliers count less; scale fitted
  kHuber,     // exp(-rho(r/s)) normalized, threshold 1.345 s (95% efficiency under Gaussian noise)
};
absl::StatusOr<NoiseModel> NoiseModelByName(absl::string_view name);  // "student-t", ...
const char* Name(NoiseModel model);                                   // as ByName reads it

// Noise is additive in the space of the fit's loss: in log space the density of the target carries
// the Jacobian 1/y, so that fits in either space are comparable as densities of the target. Weights
// multiply the log densities, scaled to a mean of 1 over the rows.
struct Likelihood {
  NoiseModel model = NoiseModel::kStudentT;  // density
  double scale = 0;                          // maximum likelihood, in the residual's units
  double log_likelihood = 0;                 // sum, of the target
  std::vector<double> by_row;                // [rows of the problem], weighted
  // Where the density has its maximum: free coordinates as searched, natural values of all
  // parameters, and the predictions there. Filled by Maximize.
  std::vector<double> coordinates, values, prediction;  // at the maximum
  bool maximum = false;  // false: too few rows for one; the likelihood is that of given predictions
  // The residuals are no larger than what rounding makes of the targets: data without noise, as a
  // law's formula gives them. They have no likelihood of their own; this one is that of
  // residuals of 0 at `scale` = kRounding of the targets, so that an exact form stands before every
  // form that is not, and exact forms differ by their parameters alone.
  bool exact = false;
};

// Residuals of so much of the target (root mean square) are rounding, and no scale is below.
inline constexpr double kRounding = 1e-12;

// Fits the scale to residuals and sums. FailedPrecondition: a prediction that is no positive number
// where its logarithm is taken.
absl::StatusOr<Likelihood> FitLikelihood(const fit::Problem& problem,
                                         const std::vector<double>& prediction, NoiseModel model);

// Finds parameters and scale of maximum likelihood from the given starts (coordinates of the
// problem's, at least one) and takes the best; the loss of the problem counts for its space alone.
// Where Student's t has no maximum (rows · 4 <= 5 · free parameters) the parameters stay at the
// first start. Errors as FitLikelihood.
absl::StatusOr<Likelihood> Maximize(const fit::Problem& problem,
                                    const std::vector<std::vector<double>>& starts,
                                    NoiseModel model, const fit::FitOptions& options);

// Log density of targets at predictions for a known scale (held-out rows); rows are the problem's.
// Without weights.
std::vector<double> LogDensity(const fit::Problem& problem, const std::vector<double>& prediction,
                               NoiseModel model, double scale);

// AICc = 2k - 2 log L + 2k(k+1)/(n-k-1), infinite for n <= k + 1; BIC = k ln n - 2 log L.
double Aicc(double log_likelihood, int64_t k, int64_t n);
double Bic(double log_likelihood, int64_t k, int64_t n);
// exp(-Δ/2) normalized; infinite criteria get weight 0 (all equal where all are infinite).
std::vector<double> Weights(const std::vector<double>& criteria);

}  // namespace qatlas::compare

#endif  // QATLAS_FRAMEWORK_COMPARE_LIKELIHOOD_H_
