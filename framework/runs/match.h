// Matching a plan with the store: what is there, what is needed, and where training starts from.
#ifndef QATLAS_FRAMEWORK_RUNS_MATCH_H_
#define QATLAS_FRAMEWORK_RUNS_MATCH_H_

#include <vector>

#include "absl/status/status.h"
#include "framework/runs/plan.h"
#include "framework/runs/store.h"

namespace qatlas::runs {

// How a plan's segments hang together, whatever the store holds.
struct Forest {
  struct Node {
    int previous = -1;  // the piece before it on its trajectory
    int origin = -1;    // for the first piece: the segment that its trajectory forks from
  };
  std::vector<Node> nodes;  // of Plan::segments, parents before children
};

// Fills state, reason, parent, start_segment and spec.begin_step of every segment of the plan.
absl::Status MatchStore(const Forest& forest, const std::vector<SegmentRecord>& records,
                        const Store& store, bool retry_failed, Plan* plan);

}  // namespace qatlas::runs

#endif  // QATLAS_FRAMEWORK_RUNS_MATCH_H_
