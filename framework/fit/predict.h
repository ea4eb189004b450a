// Predictions of fitted laws for any table, with intervals.
#ifndef QATLAS_FRAMEWORK_FIT_PREDICT_H_
#define QATLAS_FRAMEWORK_FIT_PREDICT_H_

#include <vector>

#include <absl/status/statusor.h>

#include "framework/fit/bootstrap.h"
#include "framework/fit/fit.h"
#include "framework/observe/table.h"

namespace qatlas::fit {

struct Prediction {
  std::vector<double> value;           // by row of the table
  std::vector<double> standard_error;  // of the curve (not of a new run), by the delta method;
                                       // empty where the fit has no covariance
  std::vector<Interval> interval;      // of the curve; from bootstrap replicates where given
};

// The table needs the form's covariates and category columns, not the target. A category that the
// fit has not seen is an error.
absl::StatusOr<Prediction> Predict(const FitResult& fit, const observe::Table& table,
                                   double level = .95, const BootstrapResult* bootstrap = nullptr);

// Values of a form at given parameters (a preset's, say) without a fit. theta: natural units, in
// the order of the spec. Columns are looked up by covariate name.
absl::StatusOr<std::vector<double>> Evaluate(const LawForm& form, const std::vector<double>& theta,
                                             const observe::Table& table);

// A table of the product of the given axes, for curves and surfaces: one row a combination, the
// last axis fastest. Texts of `labels` are the same in every row.
struct Axis {
  std::string column;
  std::vector<double> values;
};
observe::Table Grid(const std::vector<Axis>& axes,
                    const std::vector<std::pair<std::string, std::string>>& labels = {});
// `count` values from low to high, evenly spaced in the logarithm; 0 < low < high.
std::vector<double> LogSpaced(double low, double high, int count);

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_PREDICT_H_
