// A comparison as text for a terminal.
#ifndef QATLAS_FRAMEWORK_COMPARE_SUMMARY_H_
#define QATLAS_FRAMEWORK_COMPARE_SUMMARY_H_

#include <string>

#include "framework/compare/comparison.h"

namespace qatlas::compare {

// Extrapolation, likelihood ratios, win map and robustness in a few lines each, as far as they were
// examined; ends in a newline unless empty. The ranking itself is not part of it.
std::string Evidence(const Comparison& comparison);

}  // namespace qatlas::compare

#endif  // QATLAS_FRAMEWORK_COMPARE_SUMMARY_H_
