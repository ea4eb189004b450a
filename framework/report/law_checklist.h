// What a reader must know of a fit to repeat it and to doubt it.
#ifndef QATLAS_FRAMEWORK_REPORT_LAW_CHECKLIST_H_
#define QATLAS_FRAMEWORK_REPORT_LAW_CHECKLIST_H_

#include <string>

#include "framework/compare/comparison.h"
#include "framework/observe/table.h"
#include "framework/report/figure.h"

namespace qatlas::report {

// The questions of the survey "(Mis)Fitting" (arXiv 2502.18969) to papers on scaling laws, in our
// words: the form, the runs, how they were made one number each, how the form was fitted, and how
// it was checked. Answers come from the comparison and the table; what neither knows is said to be
// missing, since a reader must then look elsewhere.
ShownTable ChecklistTable(const std::string& id, const compare::Comparison& comparison,
                          const observe::Table& table);

}  // namespace qatlas::report

#endif  // QATLAS_FRAMEWORK_REPORT_LAW_CHECKLIST_H_
