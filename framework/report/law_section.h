// Which law form the evidence supports: ranking, parameters, fit and residuals.
#ifndef QATLAS_FRAMEWORK_REPORT_LAW_SECTION_H_
#define QATLAS_FRAMEWORK_REPORT_LAW_SECTION_H_

#include <string>

#include "framework/compare/compare.h"
#include "framework/observe/table.h"
#include "framework/report/figure.h"

namespace qatlas::report {

// `table` is the one that was compared on. `id` keeps the names of several comparisons apart.
Section LawSection(const std::string& id, const std::string& title,
                   const compare::Comparison& comparison, const observe::Table& table);

}  // namespace qatlas::report

#endif  // QATLAS_FRAMEWORK_REPORT_LAW_SECTION_H_
