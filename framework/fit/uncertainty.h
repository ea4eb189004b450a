// Covariance of a fit and whether the data determine its parameters.
#ifndef QATLAS_FRAMEWORK_FIT_UNCERTAINTY_H_
#define QATLAS_FRAMEWORK_FIT_UNCERTAINTY_H_

#include "framework/fit/fit.h"

namespace qatlas::fit {

// Fills residual_scale, covariance, identifiability and the estimates' standard errors and
// intervals of a result that has values, coordinates and objective.
//
// Squares: s² (JᵀWJ)⁻¹ with s² = 2·objective/(n - p), J by search coordinates. Huber: the
// M-estimator's covariance (Huber 1981, eq. 6.5), K² [Σψ²/(n - p)] / [E ψ']² (JᵀWJ)⁻¹; E ψ' is the
// share of residuals in the quadratic branch, counted in a window of the residuals' own scale where
// the threshold is narrower than that. Coordinates on a bound are held, and have no standard error.
void FillUncertainty(const FitOptions& options, FitResult* result);

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_UNCERTAINTY_H_
