// What the decomposition says, in sentences: every claim with its error, and beside it what was
// published.
#ifndef QATLAS_FRAMEWORK_REPORT_FINDINGS_H_
#define QATLAS_FRAMEWORK_REPORT_FINDINGS_H_

#include <string>

#include "framework/decompose/decompose.h"
#include "framework/report/figure.h"

namespace qatlas::report {

// Steps between neighbouring levels of one covariate, by verdict.
struct StepCount {
  int rises = 0;
  int falls = 0;
  int not_clear = 0;
  int error_unknown = 0;
  int total() const { return rises + falls + not_clear + error_unknown; }
};

// Counts the steps of a part; with `bits` ("W4A4") only those held at these bits.
StepCount CountSteps(const decompose::Trends& trends, const std::string& covariate,
                     const std::string& part, const std::string& bits = "");

// "falls in 5, is not clear of noise in 1 of 6 steps"; "" without steps.
std::string StepPhrase(const StepCount& count);

// How δ moves with N, D, G and bits, what its parts cost, and which role costs most. The quantizer
// is named only where several occur.
Section FindingsSection(const decompose::Decomposition& decomposition);

}  // namespace qatlas::report

#endif  // QATLAS_FRAMEWORK_REPORT_FINDINGS_H_
