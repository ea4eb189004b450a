// What the finished runs of a plan say: the table that the laboratory reads.
#ifndef QATLAS_FRAMEWORK_RUNS_OBSERVATIONS_H_
#define QATLAS_FRAMEWORK_RUNS_OBSERVATIONS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "framework/observe/table.h"
#include "framework/runs/plan.h"
#include "framework/runs/store.h"
#include "nlohmann/json.hpp"

namespace qatlas::runs {

// One row a run, in the plan's order, with all standard columns (docs/observations.md) and
// `label`, `quantizer`, `grid`. Loss and counts come from the results in the store; Bits
// and group sizes that the recipe does not name are those that the quantizers say. δ and its error
// are taken sequence by sequence against the full-precision run of the same model, D and seed, or
// step by step where the recipe takes it of the training loss (`delta_of` says which). A
// run that is not finished has no loss, and its status says why: "missing", "failed: nan at step
// 120: ...", whichever of its segments failed. Errors: a result that cannot be read; pairs that
// were not evaluated on the same sequences.
absl::StatusOr<observe::Table> GatherObservations(const Plan& plan, const Store& store);

// δ of a finished pair.
struct PairDifference {
  std::string run;
  std::string baseline;
  double delta = 0;                 // nats/token
  double delta_se = 0;              // paired over sequences or steps
  std::vector<double> differences;  // [sequences or steps] loss of the run minus its baseline's
};
// Of all pairs whose runs are both finished, in the plan's order.
absl::StatusOr<std::vector<PairDifference>> GatherPairs(const Plan& plan, const Store& store);

// {"<run>": sites.json of its last segment, ...} of finished runs, in the plan's order.
absl::StatusOr<nlohmann::ordered_json> GatherSites(const Plan& plan, const Store& store);

// Names of finished runs that end no better than the frequencies of single tokens: validation losses
// above the unigram entropy of the training tokens less 0.05 nat. None where the data is not known.
absl::StatusOr<std::vector<std::string>> RunsWithoutLearning(const Plan& plan, const Store& store);

// Why a run has no results, as in the column `status`; "done" when it has.
std::string RunStatusText(const Plan& plan, const Store& store, int run);

}  // namespace qatlas::runs

#endif  // QATLAS_FRAMEWORK_RUNS_OBSERVATIONS_H_
