// From candidates and a table to problems on the same rows.
#ifndef QATLAS_FRAMEWORK_COMPARE_POSE_H_
#define QATLAS_FRAMEWORK_COMPARE_POSE_H_

#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "framework/compare/compare.h"

namespace qatlas::compare {

// At least one, of different names, for one target.
absl::Status CheckCandidates(const std::vector<Candidate>& candidates);

// Problems of all candidates on the rows that every one of them can use, and those rows. Candidates
// that cannot be posed go to comparison->refused, rows left out to its notes. InvalidArgument when
// none can be posed.
absl::StatusOr<observe::Table> PoseAll(const std::vector<Candidate>& candidates,
                                       const observe::Table& given, Comparison* comparison,
                                       std::vector<const Candidate*>* posed,
                                       std::vector<fit::Problem>* problems);

}  // namespace qatlas::compare

#endif  // QATLAS_FRAMEWORK_COMPARE_POSE_H_
