// Covariance of a fit, intervals of its parameters, and whether the data determine them.
#ifndef QATLAS_FRAMEWORK_FIT_UNCERTAINTY_H_
#define QATLAS_FRAMEWORK_FIT_UNCERTAINTY_H_

#include <optional>

#include "framework/fit/fit.h"

namespace qatlas::fit {

// Fills residual_scale, objective_scale, degrees, covariance, identifiability and the estimates'
// standard errors and intervals of a result that has values, coordinates, prediction and objective.
//
// Covariance: variance_factor (JᵀWJ)⁻¹ of scatter.h, or for Covariance::kSandwich HC3 (MacKinnon
// and White 1985), B⁻¹ [Σ (w psi/(1 - h))² x xᵀ] B⁻¹ with B = E psi' JᵀWJ and h the leverage.
// Coordinates on a bound are held in it, and have no standard error.
//
// Intervals::kProfile: where a profile came below the objective, the fit was not the global
// optimum; the lower one is returned, and the caller is to start again from it.
std::optional<Refit> FillUncertainty(const FitOptions& options, FitResult* result);

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_UNCERTAINTY_H_
