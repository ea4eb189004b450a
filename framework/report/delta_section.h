// δ against size, data, group size and bits, with its error and a fitted law.
#ifndef QATLAS_FRAMEWORK_REPORT_DELTA_SECTION_H_
#define QATLAS_FRAMEWORK_REPORT_DELTA_SECTION_H_

#include <string>
#include <vector>

#include "framework/decompose/parts.h"
#include "framework/fit/fit.h"
#include "framework/observe/table.h"
#include "framework/report/figure.h"

namespace qatlas::report {

// `law` draws its curve through every series; nullptr draws none.
// Means over seeds come from the decomposition of the same table.
Section DeltaSection(const observe::Table& observations, const decompose::Parts& parts,
                     const fit::FitResult* law);

}  // namespace qatlas::report

#endif  // QATLAS_FRAMEWORK_REPORT_DELTA_SECTION_H_
