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
// One fold a level of the column, or one a tenth of the rows in order of the value where a number
// has more than twelve levels (folds may then be fewer); empty where it has fewer than three levels or is absent.
std::vector<int> LevelFolds(const observe::Table& table, const std::string& column);

// What a fit to some rows predicts for the others; rows are those of the problem.
struct LeftOut {
  bool fitted = false;
  std::vector<int64_t> rows;
  std::vector<double> prediction;
  std::vector<double> log_density;
};

// Refits to the rows that `keep` marks, [rows of the problem], from the fit's optimum, under the
// fit's own loss. Not fitted where these rows are no more than the free parameters or leave one of
// them open: what is left of it would come from the rows left out.
LeftOut LeaveRowsOut(const fit::FitResult& fit, const std::vector<char>& keep, NoiseModel noise,
                     const fit::FitOptions& options);

// Errors against the loss and δ, as far as the table has them. errors[i] belongs to the row rows[i]
// of the table; missing ones are skipped.
std::vector<Score> ScoresOf(const std::vector<double>& errors, const std::vector<size_t>& rows,
                            const fit::Problem& problem, const observe::Table& table);

// Refits without each fold, starting from the fit's optimum, and predicts its rows. A fold that
// leaves too few rows, or a category without any, cannot be fitted and counts as refused. The table
// is the one that the problem was made of.
HeldOut LeaveOut(const fit::FitResult& fit, const std::vector<int>& fold_of_row, NoiseModel noise,
                 const fit::FitOptions& options, const std::string& what,
                 const observe::Table& table);

}  // namespace qatlas::compare

#endif  // QATLAS_FRAMEWORK_COMPARE_HELD_OUT_H_
