// Which operand and which role caused the gap.
#ifndef QATLAS_FRAMEWORK_REPORT_DECOMPOSITION_SECTION_H_
#define QATLAS_FRAMEWORK_REPORT_DECOMPOSITION_SECTION_H_

#include "framework/decompose/decompose.h"
#include "framework/report/figure.h"

namespace qatlas::report {

// Bars of the parts and roles, their ratios, and how δ moves from step to step. Empty where the
// runs quantize both operands alone and have no steps.
Section DecompositionSection(const decompose::Decomposition& decomposition);

}  // namespace qatlas::report

#endif  // QATLAS_FRAMEWORK_REPORT_DECOMPOSITION_SECTION_H_
