// Freeing checkpoints by a stated rule. Results are never touched.
#ifndef QATLAS_FRAMEWORK_RUNS_GC_H_
#define QATLAS_FRAMEWORK_RUNS_GC_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "framework/runs/store.h"

namespace qatlas::runs {

// The rule. A checkpoint of a finished segment is kept while, for some study of the store,
//   1. a segment that is still to be trained will start from it: it is the latest state of its
//      trajectory that one can start from; or
//   2. it is the final state of a run (`finals`), wanted for export, quantization after training
//      and evaluation on more sequences; or
//   3. another trajectory forks from it (`forks`), so that a scheme added later costs no trunk.
// Every other checkpoint is freed, one that is damaged too: of recipes whose study was removed or
// changed, and of pieces that a later one continues. In work/, what was left by segments that
// finished after all, and temporary files, are removed, and plans that another took the place of,
// where others need all that they need or (without `old_plans`) all of them. Segments that somebody
// holds a claim on are not touched.
struct GcOptions {
  bool dry_run = false;
  bool finals = true;
  bool forks = true;
  bool old_plans = true;
};

struct GcReport {
  std::vector<std::string> freed;  // ids of segments whose checkpoints went
  std::vector<std::string> removed_work;
  std::vector<std::string> removed_plans;  // files
  int64_t bytes = 0;
  int64_t kept = 0;                  // checkpoints
  std::vector<std::string> damaged;  // sentences about segments that were left alone
};

absl::StatusOr<GcReport> Gc(const Store& store, const GcOptions& options);

}  // namespace qatlas::runs

#endif  // QATLAS_FRAMEWORK_RUNS_GC_H_
