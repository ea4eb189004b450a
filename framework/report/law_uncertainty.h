// How firmly the runs hold the best form: profile curves, parameters that trade off, and its
// surface over N and D.
#ifndef QATLAS_FRAMEWORK_REPORT_LAW_UNCERTAINTY_H_
#define QATLAS_FRAMEWORK_REPORT_LAW_UNCERTAINTY_H_

#include <string>

#include "framework/fit/fit.h"
#include "framework/observe/table.h"
#include "framework/report/figure.h"

namespace qatlas::report {

// Appends the figures that the fit allows: profiles need noise to judge by, ellipses a covariance
// and parameters that the data determine, the surface a law that reads N or D and a table where
// both vary. `table` is the one that was fitted to, `name` the form's label.
void AppendUncertainty(const std::string& id, const std::string& name, const fit::FitResult& fit,
                       const observe::Table& table, Section* section);

}  // namespace qatlas::report

#endif  // QATLAS_FRAMEWORK_REPORT_LAW_UNCERTAINTY_H_
