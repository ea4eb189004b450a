// What only the worker can know of a segment before it is trained: counts, FLOPs, memory.
#ifndef QATLAS_FRAMEWORK_RUNS_DESCRIBE_H_
#define QATLAS_FRAMEWORK_RUNS_DESCRIBE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "framework/recipe/segment.h"
#include "framework/runs/store.h"
#include "nlohmann/json.hpp"

namespace qatlas::runs {

struct Description {
  int64_t block_linears = 0;   // N
  int64_t total = 0;           // all parameters of the model
  double flops_per_token = 0;  // of training: forward and backward
  int64_t memory_bytes = 0;    // peak of a worker
  int64_t checkpoint_bytes = 0;
  nlohmann::json sites;             // as the worker answered
  std::vector<std::string> groups;  // optimizer groups, sorted
};

struct DescribeOptions {
  // The worker; empty: qatlas-train beside this program.
  std::string worker;
  // Answers are kept in the store's cache. Off for a dry run; the cache is read either way.
  bool keep = false;
};

// What the worker refuses of a spec.
struct Refusal {
  size_t spec = 0;   // index
  int rule = -1;     // index into its trajectory's rules; -1: of none
  std::string site;  // "0.fc2.weight"; "": of the rule, or of the spec as a whole
  std::string what;
};

// One description a spec, in order. Specs that differ only in what decides no size (seed, data,
// schedule, ...) are asked about once. The worker checks the specs on meta tensors, and the foreign
// checkpoint that a spec names: a group size that does not divide the features and the like comes
// back as InvalidArgument, with all problems, which are in `refusals` too (of specs that are asked
// about once, the first has them); a plugin that is missing or cannot be used as
// FailedPrecondition.
absl::StatusOr<std::vector<Description>> Describe(const std::vector<recipe::SegmentSpec>& specs,
                                                  const Store& store,
                                                  const DescribeOptions& options,
                                                  std::vector<Refusal>* refusals = nullptr);

// Path of the worker: `given`, else $QATLAS_TRAIN, else beside this program. NotFound says where it
// was looked for.
absl::StatusOr<std::string> FindWorker(const std::string& given);

}  // namespace qatlas::runs

#endif  // QATLAS_FRAMEWORK_RUNS_DESCRIBE_H_
