// Predictions of runs that a fit has not seen.
#ifndef QATLAS_FRAMEWORK_COMPARE_HELD_OUT_H_
#define QATLAS_FRAMEWORK_COMPARE_HELD_OUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "framework/compare/compare.h"

namespace qatlas::compare {

// For each row of the table the fold that it is left out in.
// `folds` of nearly equal size, drawn at random; rows that agree in `together` share a fold. 0
// folds, or more than there are groups: one group a fold. NotFound for an absent column.
absl::StatusOr<std::vector<int>> RandomFolds(const observe::Table& table, int folds,
                                             const std::vector<std::string>& together,
                                             uint64_t seed);
// One fold a level of the column; empty where it has fewer than three levels or is absent.
std::vector<int> LevelFolds(const observe::Table& table, const std::string& column);

// Refits without each fold, starting from the fit's optimum, and predicts its rows. A fold that
// leaves too few rows, or a category without any, cannot be fitted and counts as refused.
HeldOut LeaveOut(const fit::FitResult& fit, const std::vector<int>& fold_of_row, NoiseModel noise,
                 const fit::FitOptions& options, const std::string& what);

}  // namespace qatlas::compare

#endif  // QATLAS_FRAMEWORK_COMPARE_HELD_OUT_H_
