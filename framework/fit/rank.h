// Whether the rows of a problem can tell its free parameters apart at all.
#ifndef QATLAS_FRAMEWORK_FIT_RANK_H_
#define QATLAS_FRAMEWORK_FIT_RANK_H_

#include <string>
#include <vector>

#include "framework/fit/problem.h"

namespace qatlas::fit {

// Names of the free parameters in the null direction of the Jacobian (columns scaled to unit
// length) at a quantile 0 <= where < 1 of the start values; empty where it has full rank.
std::vector<std::string> OpenParameters(const Problem& problem, double where);

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_RANK_H_
