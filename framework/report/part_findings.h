// Sentences on the parts of δ: weights against inputs, additivity, FC2's input, roles.
#ifndef QATLAS_FRAMEWORK_REPORT_PART_FINDINGS_H_
#define QATLAS_FRAMEWORK_REPORT_PART_FINDINGS_H_

#include <string>
#include <vector>

#include "framework/decompose/decompose.h"

namespace qatlas::report {

// One sentence or two on each comparison that at least one cell allows; none without parts.
std::vector<std::string> PartFindings(const std::vector<decompose::Cell>& cells);

}  // namespace qatlas::report

#endif  // QATLAS_FRAMEWORK_REPORT_PART_FINDINGS_H_
