// Predictions of fitted laws for any table, with intervals.
#ifndef QATLAS_FRAMEWORK_FIT_PREDICT_H_
#define QATLAS_FRAMEWORK_FIT_PREDICT_H_

#include <string>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>

#include "framework/fit/bootstrap.h"
#include "framework/fit/fit.h"
#include "framework/observe/table.h"

namespace qatlas::fit {

struct Prediction {                    // At one point.
  std::vector<double> value;           // by row of the table
  std::vector<double> standard_error;  // of the curve (not of a new run), by the delta method;
                                       // empty where the fit has no covariance
  std::vector<Interval> interval;      // of the curve, as PredictOptions say
  // Of the target of one new run there: the curve's interval and a run's noise, their distances
  // from the value added as squares (on the logarithm where the loss is). The noise is the ceil((n
  // + 1) level)-th smallest residual of the fit, each over sqrt(1 - leverage) (interpolated; no
  // assumption but that the new run errs like the old ones), or with fewer runs than that takes a
  // Student-t quantile times their root mean square. Empty where `interval` is, and where there are
  // no residuals.
  std::vector<Interval> new_run;
};

struct PredictOptions {  // Of its intervals.
  double level = .95;    // of intervals
  // The curve's interval: percentiles of these refits where given; else from the profile likelihood
  // of each prediction where `profile`; else from the covariance (on the logarithm where the loss
  // is, so that it stays positive).
  const BootstrapResult* bootstrap = nullptr;
  bool profile = false;  // likelihood in place of covariance
  // Column of the table with the new runs' standard errors, for fits with noise; empty: the median
  // of the fit's own.
  std::string noise;
};

// The table needs the form's covariates and category columns, not the target. A category that the
// fit has not seen is an error.
absl::StatusOr<Prediction> Predict(const FitResult& fit, const observe::Table& table,
                                   const PredictOptions& options);
absl::StatusOr<Prediction> Predict(const FitResult& fit, const observe::Table& table,
                                   double level = .95, const BootstrapResult* bootstrap = nullptr);

// Values of a form at given parameters (a preset's, say) without a fit. theta: natural units, in
// the order of the spec. Columns are looked up by covariate name.
absl::StatusOr<std::vector<double>> Evaluate(const LawForm& form, const std::vector<double>& theta,
                                             const observe::Table& table);

// A table of the product of the given axes, for curves and surfaces: one row a combination, the
// last axis fastest. Texts of `labels` are the same in every row.
struct Axis {
  std::string column;          // name
  std::vector<double> values;  // along it
};
observe::Table Grid(const std::vector<Axis>& axes,  // product of the axes
                    const std::vector<std::pair<std::string, std::string>>& labels = {});
// `count` values from low to high, evenly spaced in the logarithm; 0 < low < high.
std::vector<double> LogSpaced(double low, double high, int count);

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_PREDICT_H_
