// Multi-start: which starts are searched, and when that is enough.
#ifndef QATLAS_FRAMEWORK_FIT_SEARCH_H_
#define QATLAS_FRAMEWORK_FIT_SEARCH_H_

#include <cstdint>
#include <vector>

#include "framework/fit/fit.h"

namespace qatlas::fit {

// Objectives within this share of the best (and rounding of the targets) are the same optimum.
inline constexpr double kAgreement = 1e-6;
// What rounding alone makes of an objective: that of residuals of 1e-12 of the target.
double RoundingFloor(const Problem& problem);
bool Agrees(double objective, double best, double floor);

struct MultiStart {
  std::vector<Refit> searches;  // in the order in which they were chosen; never empty
  int64_t starts = 0;           // generated
  int optima = 0;               // of different objectives among the searches that are finite
  bool stopped_early = false;   // not all of FitOptions::searched were run, since it was safe
};

// The objective of every start is taken, with the linear parameters solved where the options say
// so. Every other search then goes to the lowest of them; the rest are spread over their whole
// order, so that a region whose starts all look bad is searched too. Searches run in batches of
// kBatch; after each the rule below decides, so that what is searched does not depend on threads.
//
// It stops early when
//  - SafeToStop holds for the searches and the optima that they found,
//  - the best of these was found at least twice, and
//  - no start that was left out lies below it already.
MultiStart SearchStarts(const Problem& problem, const FitOptions& options);

inline constexpr int kBatch = 8;

// Boender and Rinnooy Kan 1987 (Mathematical Programming 37, 59-80): with n searches from starts
// drawn at random that ended in w optima, and nothing known before, the expected number of all
// optima is w (n - 1)/(n - w - 2); searching ends when that is below w + 1/2. It takes 8 searches
// that all agree, 17 for two optima, 30 for three.
bool SafeToStop(int searches, int optima);

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_SEARCH_H_
