// The tables of a comparison: ranking, parameters, how the fits were made, and what was refused.
#ifndef QATLAS_FRAMEWORK_REPORT_LAW_TABLES_H_
#define QATLAS_FRAMEWORK_REPORT_LAW_TABLES_H_

#include <string>

#include "framework/compare/compare.h"
#include "framework/report/figure.h"

namespace qatlas::report {

// "k[D 131072, G 16]" for a parameter of the form ("k") in a category, whose numbers do not say
// what they count; `name` ("k[131072, 16]") where it has none.
std::string ParameterLabel(const fit::FitResult& fit, const std::string& parameter,
                           const std::string& category, const std::string& name);

ShownTable RankingTable(const std::string& id, const compare::Comparison& comparison);
ShownTable ParameterTable(const std::string& id, const compare::Comparison& comparison);
// What papers leave out of their fits, after the survey "(Mis)Fitting" (arXiv 2502.18969): formula,
// objective, starts, how many agree, convergence, condition.
ShownTable FitTable(const std::string& id, const compare::Comparison& comparison);
ShownTable RefusedTable(const std::string& id, const compare::Comparison& comparison);

}  // namespace qatlas::report

#endif  // QATLAS_FRAMEWORK_REPORT_LAW_TABLES_H_
