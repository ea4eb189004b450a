// How runs are picked one by one and exchanged, whatever the criterion.
#ifndef QATLAS_FRAMEWORK_PLAN_DESIGN_SEARCH_H_
#define QATLAS_FRAMEWORK_PLAN_DESIGN_SEARCH_H_

#include <functional>
#include <vector>

#include <absl/status/status.h>

#include "framework/plan/design.h"
#include "framework/plan/design_state.h"

namespace qatlas::plan {

inline constexpr size_t kMostCandidates = 5000;
inline constexpr int kMostRuns = 200;

// InvalidArgument: no candidates or too many, nothing that says where to stop, errors and costs
// that are not above 0.
absl::Status CheckDesign(const std::vector<Candidate>& candidates, const DesignOptions& options);

// A criterion to search: `score` of the design as it is; `with` candidate;
// `exchanged` (out, in); larger is better. `refresh` after every change.
struct Steps {
  std::function<double()> score;
  std::function<double(size_t)> with;
  std::function<double(size_t, size_t)> exchanged;
  std::function<void()> refresh;
  std::function<bool()> enough;
};

// Takes the cheapest runs that give every axis of the candidates two values or more, as far as the
// budget and the number of runs go: no law can be fitted to runs in which what it reads never
// varies.
void SpanAxes(const std::vector<Candidate>& candidates, const DesignOptions& options, Books* books);
// Adds the candidate of most gain for its cost (for itself, where only the number of runs is bound)
// until budget or number are used up, `enough` holds, or nothing gains.
void Greedy(const std::vector<Candidate>& candidates, const DesignOptions& options,
            const Steps& steps, Books* books);
// Exchanges one run for another, without making an axis constant that varied, while that raises the
// score and costs at most `most_cost` in all.
void Exchange(const std::vector<Candidate>& candidates, const Steps& steps, double most_cost,
              Books* books);

}  // namespace qatlas::plan

#endif  // QATLAS_FRAMEWORK_PLAN_DESIGN_SEARCH_H_
