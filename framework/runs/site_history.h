// How the tensors at the sites changed while the runs of a plan trained.
#ifndef QATLAS_FRAMEWORK_RUNS_SITE_HISTORY_H_
#define QATLAS_FRAMEWORK_RUNS_SITE_HISTORY_H_

#include "absl/status/statusor.h"
#include "framework/observe/table.h"
#include "framework/runs/plan.h"
#include "framework/runs/store.h"

namespace qatlas::runs {

// One row a site and record of every finished run, in the plan's order and by step: run, step,
// tokens (of the whole run so far), site, block, role, operand, kurtosis, max_to_median, snr_db
// (missing in full precision), and expert where a site has one. Records are the ends of the run's
// segments (sites.json) and what was logged on the way (sites.jsonl). Of segments that a quantized
// run shares with its full-precision pair the pair alone has rows. Errors: files that cannot be
// read.
absl::StatusOr<observe::Table> GatherSiteHistory(const Plan& plan, const Store& store);

}  // namespace qatlas::runs

#endif  // QATLAS_FRAMEWORK_RUNS_SITE_HISTORY_H_
