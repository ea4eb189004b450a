// The verdict whether the runs determine a fit's parameters.
#ifndef QATLAS_FRAMEWORK_FIT_IDENTIFY_H_
#define QATLAS_FRAMEWORK_FIT_IDENTIFY_H_

#include <string>
#include <vector>

#include "framework/fit/fit.h"
#include "framework/fit/profile.h"

namespace qatlas::fit {

// Beyond this condition of the scaled Jacobian a direction is lost in rounding.
inline constexpr double kWorstCondition = 1e8;

// Sets identifiability.identifiable, .reason and, where a profile shows it better than the
// Jacobian, .open_direction of a result whose condition, covariance and estimates are filled. Not
// identifiable is a fit
// - whose condition exceeds kWorstCondition;
// - of which a profile does not close (practical non-identifiability: Raue et al. 2009,
//   Bioinformatics 25:1923), or, without profiles, an optimum on a bound of the form;
// - of which a positive parameter is known to no better than a factor of 1000 either way, or
// another
//   to no better than the span of its start values.
// bounded: names of the coordinates whose optimum lies on a bound. profiles: by coordinate, or
// none.
void JudgeIdentifiability(const std::vector<std::string>& bounded,
                          const std::vector<Profile>& profiles, FitResult* result);

// The same, of a result with intervals, for optima elsewhere: one that the noise does not tell from
// the best (its rise within the interval's cut) and that lies outside an interval by more than its
// width. With N and D in a fixed ratio the two terms of Chinchilla's law can change places.
void JudgeOtherOptima(const std::vector<Refit>& searches, double level, FitResult* result);

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_IDENTIFY_H_
