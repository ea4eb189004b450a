// The tables of a comparison: ranking, parameters, how the fits were made, and what was refused.
#ifndef QATLAS_FRAMEWORK_REPORT_LAW_TABLES_H_
#define QATLAS_FRAMEWORK_REPORT_LAW_TABLES_H_

#include <string>

#include "framework/compare/compare.h"
#include "framework/report/figure.h"

namespace qatlas::report {

ShownTable RankingTable(const std::string& id, const compare::Comparison& comparison);
ShownTable ParameterTable(const std::string& id, const compare::Comparison& comparison);
// What papers leave out of their fits, after the survey "(Mis)Fitting" (arXiv 2502.18969): formula,
// objective, starts, how many agree, convergence, condition.
ShownTable FitTable(const std::string& id, const compare::Comparison& comparison);
ShownTable RefusedTable(const std::string& id, const compare::Comparison& comparison);

}  // namespace qatlas::report

#endif  // QATLAS_FRAMEWORK_REPORT_LAW_TABLES_H_
