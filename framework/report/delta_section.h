// δ against size, data, group size and bits, with its error and a fitted law.
#ifndef QATLAS_FRAMEWORK_REPORT_DELTA_SECTION_H_
#define QATLAS_FRAMEWORK_REPORT_DELTA_SECTION_H_

#include <vector>

#include "framework/decompose/decompose.h"
#include "framework/observe/table.h"
#include "framework/report/figure.h"
#include "framework/report/law_curve.h"

namespace qatlas::report {

// `decomposition` is that of `observations`. Every law draws its curve through each series of bits
// that it was fitted to; the figure says which dashes are whose. Only the first at a series has a
// band.
Section DeltaSection(const observe::Table& observations,
                     const decompose::Decomposition& decomposition,
                     const std::vector<FittedLaw>& laws);

}  // namespace qatlas::report

#endif  // QATLAS_FRAMEWORK_REPORT_DELTA_SECTION_H_
