#include "framework/runs/match.h"

#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "qatlas/check.h"

namespace qatlas::runs {
namespace {

// PlacesByStep that the store can start from: trajectory → step → segment.
using PlacesByStep = std::map<std::string, std::map<int64_t, std::string>>;

PlacesByStep StatesOf(const std::vector<SegmentRecord>& records) {
  PlacesByStep states;
  for (const SegmentRecord& record : records) {
    if (record.has_checkpoint) states[record.trajectory].try_emplace(record.end_step, record.id);
  }
  return states;
}

// The latest state of the trajectory at or before a step; nullptr: none.
const std::pair<const int64_t, std::string>* Latest(const PlacesByStep& states,
                                                    const std::string& trajectory, int64_t step) {
  const auto found = states.find(trajectory);
  if (found == states.end()) return nullptr;
  auto after = found->second.upper_bound(step);
  if (after == found->second.begin()) return nullptr;
  return &*--after;
}

bool HasState(const PlacesByStep& states, const PlannedSegment& segment) {
  const auto* latest = Latest(states, segment.trajectory, segment.spec.end_step);
  return latest != nullptr && latest->first == segment.spec.end_step;
}

}  // namespace

absl::Status MatchStore(const Forest& forest, const std::vector<SegmentRecord>& records,
                        const Store& store, bool retry_failed, Plan* plan) {
  std::vector<PlannedSegment>& segments = plan->segments;
  const PlacesByStep states = StatesOf(records);
  std::set<std::string> finished;
  for (const SegmentRecord& record : records) finished.insert(record.id);

  // A trajectory appears after the one that it forks from, so that going backwards all demands on a
  // trajectory are known before it is looked at.
  std::vector<std::string> order;
  std::map<std::string, std::vector<int>> pieces;
  for (size_t i = 0; i < segments.size(); ++i) {
    std::vector<int>& list = pieces[segments[i].trajectory];
    if (list.empty()) order.push_back(segments[i].trajectory);
    list.push_back(static_cast<int>(i));
  }
  std::vector<bool> state_needed(segments.size(), false);
  for (size_t i = 0; i < segments.size(); ++i) state_needed[i] = segments[i].restore;
  std::vector<bool> wanted(segments.size(), false);
  for (auto trajectory = order.rbegin(); trajectory != order.rend(); ++trajectory) {
    // By step: of one trajectory, earlier pieces are earlier in the plan, but for those of runs
    // that came later with a smaller budget.
    std::map<int64_t, int> by_step;
    for (int i : pieces[*trajectory]) by_step[segments[i].spec.end_step] = i;
    int before = -1;  // latest piece of the trajectory that will be trained
    for (const auto& [step, i] : by_step) {
      PlannedSegment& segment = segments[i];
      const bool results_missing = segment.spec.evaluate && finished.count(segment.spec.id) == 0;
      const bool state_missing = state_needed[i] && !HasState(states, segment);
      wanted[i] = results_missing || state_missing;
      if (!wanted[i]) continue;
      const auto* latest = Latest(states, segment.trajectory, step);
      if (before >= 0 && (latest == nullptr || latest->first < segments[before].spec.end_step)) {
        segment.parent = before;
        segment.spec.begin_step = segments[before].spec.end_step;
      } else if (latest != nullptr) {
        segment.start_segment = latest->second;
        segment.spec.begin_step = latest->first;
      } else {
        // From where the trajectory begins.
        segment.spec.begin_step = segment.spec.trajectory.start_step;
        int first = i;
        while (forest.nodes[first].previous >= 0) first = forest.nodes[first].previous;
        const int origin = forest.nodes[first].origin;
        segment.parent = origin;
        if (origin >= 0) state_needed[origin] = true;
      }
      before = i;
    }
  }
  for (size_t i = 0; i < segments.size(); ++i) {
    PlannedSegment& segment = segments[i];
    const std::string& id = segment.spec.id;
    if (!wanted[i]) {
      const bool there =
          finished.count(id) != 0 || (!segment.spec.evaluate && HasState(states, segment));
      segment.state = there ? SegmentState::kFinished : SegmentState::kNotNeeded;
      segment.reason = there ? "finished" : "not needed: all that starts from it is finished";
      continue;
    }
    if (segment.parent >= 0 && !wanted[segment.parent]) {
      // The store has that very state.
      const PlannedSegment& parent = segments[segment.parent];
      segment.start_segment = Latest(states, parent.trajectory, parent.spec.end_step)->second;
      segment.parent = -1;
    }
    segment.state = SegmentState::kTrain;
    if (const std::optional<Failure> failure = store.ReadFailure(id); failure.has_value()) {
      if (failure->TryAgain() || retry_failed) {
        segment.reason = absl::StrCat("failed before (", failure->Show(), "); tried again");
      } else {
        segment.state = SegmentState::kFailed;
        segment.reason = absl::StrCat("failed before: ", failure->Show());
      }
    } else if (finished.count(id) != 0) {
      segment.reason = segment.restore ? "its checkpoint is gone, and was asked for"
                                       : "its checkpoint is gone, and others start from it";
    } else {
      std::error_code error;
      const bool stopped = std::filesystem::exists(store.WorkFolder(id) / kResumeFile, error);
      segment.reason = stopped ? "stopped; goes on from its last checkpoint" : "missing";
    }
    if (segment.parent >= 0) {
      const PlannedSegment& parent = segments[segment.parent];
      if (parent.state == SegmentState::kFailed || parent.state == SegmentState::kBlocked) {
        segment.state = SegmentState::kBlocked;
        segment.reason = absl::StrCat("blocked by ", parent.spec.id, ": ", parent.reason);
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace qatlas::runs
