// Global search through NLopt, in place of a grid of starts.
#ifndef QATLAS_FRAMEWORK_FIT_GLOBAL_H_
#define QATLAS_FRAMEWORK_FIT_GLOBAL_H_

#include <cstdint>

#include "framework/fit/fit.h"
#include "framework/fit/local.h"

namespace qatlas::fit {

// Searches the box of the form's bounds, cut to the start values and their span again to either
// side (for logarithms: e^8 at least), with FitOptions::evaluations evaluations of the objective.
// The result is near an optimum and wants a local search. Deterministic in the seed. Infinite where
// nothing finite was found.
Refit SearchGlobally(const Problem& problem, const FitOptions& options, uint64_t seed,
                     LocalSearcher* searcher);

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_GLOBAL_H_
