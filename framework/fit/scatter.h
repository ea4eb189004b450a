// How the residuals of a fit scatter, and what that makes of its objective and covariance.
#ifndef QATLAS_FRAMEWORK_FIT_SCATTER_H_
#define QATLAS_FRAMEWORK_FIT_SCATTER_H_

#include <vector>

#include "framework/fit/fit.h"

namespace qatlas::fit {

struct Scatter {
  double scale = 0;  // of one residual, see FitResult::residual_scale
  // The covariance of the coordinates is variance_factor · (JᵀWJ)⁻¹, W the weights and J the
  // Jacobian of the residuals by them.
  double variance_factor = 0;
  double psi_slope = 1;  // mean derivative of Psi below
  double slope = 1;      // the same of the objective's: mean d²F/dr² of a row of weight 1
  double degrees = 0;    // n - p; infinite where the noise is known exactly
};

// Residuals of rows with weight in the loss's units, f - y or ln f - ln y, over their standard
// errors.
struct Residuals {
  std::vector<double> r, weight;
  std::vector<int64_t> row;  // of the problem
};
Residuals ResidualsOf(const FitResult& fit);

// Of a fit with `free` coordinates off their bounds. With psi the derivative of rho:
//
// Squares: s² = sum w r²/(n - free). Huber and Student's t: Huber 1981 (Robust Statistics, section
// 7.6), K² [sum w psi²/(n - free)] / [E psi']². E psi' of Huber is the share of residuals in the
// quadratic branch, counted in a window of the residuals' own scale where the threshold is narrower
// than that; of Student's t its mean at the scale of highest likelihood.
//
// Where the problem's noise is known exactly (ProblemOptions::noise_exact) nothing is estimated
// from the residuals: the factor is that of the loss under Gaussian noise of those standard errors
// (1 for squares).
Scatter MeasureScatter(const FitResult& fit, const Residuals& residuals, int free);

// psi at residual r of a fit whose residuals have the given scatter, for rows of weight 1.
double Psi(const Loss& loss, const Scatter& scatter, double r);

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_SCATTER_H_
