// Predictions beyond the runs that a form was fitted to.
#ifndef QATLAS_FRAMEWORK_COMPARE_EXTRAPOLATION_H_
#define QATLAS_FRAMEWORK_COMPARE_EXTRAPOLATION_H_

#include <string>
#include <vector>

#include "framework/compare/comparison.h"
#include "framework/compare/paired.h"
#include "framework/observe/table.h"

namespace qatlas::compare {

// Values by row of the table along "N", "D", "compute" or another column of numbers; empty where
// the table lacks it, a value is missing or not positive, or it has fewer than three levels.
std::vector<double> AxisValues(const observe::Table& table, const std::string& axis);
// Thresholds of the windows: every level between the ends where there are at most nine, else eight
// quantiles from a fifth to nine tenths of the rows. At least two levels lie at or below the first.
std::vector<double> Thresholds(const std::vector<double>& values);

// Refits to the rows at or below each threshold and predicts those beyond.
Extrapolation Extrapolate(const fit::FitResult& fit, const std::string& axis,
                          const std::vector<double>& values, NoiseModel noise,
                          const fit::FitOptions& options, const observe::Table& table);

// Fills difference, difference_se and difference_p of `other` over what both predict.
void CompareExtrapolation(const Extrapolation& best, const Clusterings& clusterings,
                          Extrapolation* other);

}  // namespace qatlas::compare

#endif  // QATLAS_FRAMEWORK_COMPARE_EXTRAPOLATION_H_
