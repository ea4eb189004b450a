// What a comparison rests on: where each form wins, how far it can be trusted beyond the runs, and
// what a single run or another way to fit would change.
#ifndef QATLAS_FRAMEWORK_REPORT_LAW_EVIDENCE_H_
#define QATLAS_FRAMEWORK_REPORT_LAW_EVIDENCE_H_

#include <string>

#include "framework/compare/comparison.h"
#include "framework/report/figure.h"

namespace qatlas::report {

// Figures: win map, error against the distance extrapolated, influence of single runs. Tables:
// nested forms, other ways to fit, the win map over all columns together. Each only where the
// comparison has it.
void AppendEvidence(const std::string& id, const compare::Comparison& comparison, Section* section);

}  // namespace qatlas::report

#endif  // QATLAS_FRAMEWORK_REPORT_LAW_EVIDENCE_H_
