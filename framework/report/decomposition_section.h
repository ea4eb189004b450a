// Which operand, which role and which site caused the gap.
#ifndef QATLAS_FRAMEWORK_REPORT_DECOMPOSITION_SECTION_H_
#define QATLAS_FRAMEWORK_REPORT_DECOMPOSITION_SECTION_H_

#include "framework/decompose/decompose.h"
#include "framework/observe/table.h"
#include "framework/report/figure.h"

namespace qatlas::report {

// Bars of the parts and roles, and how δ moves with each covariate.
Section DecompositionSection(const decompose::Decomposition& decomposition);

// Heat maps of site statistics; `sites` as of decompose::AppendSites, all runs in one table. The statistics
// shown are those of the runs named `runs` (in full precision, say), averaged.
Section SitesSection(const observe::Table& sites, const std::vector<std::string>& runs,
                     const std::string& what_runs);

}  // namespace qatlas::report

#endif  // QATLAS_FRAMEWORK_REPORT_DECOMPOSITION_SECTION_H_
