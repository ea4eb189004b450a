// The store: where finished segments lie, and everything that leads to them.
//
//   segments/<id>/   finished and immutable: spec.json, result.json, sites.json, machine.json,
//                    metrics.jsonl, events.out.tfevents.*, log.txt, checkpoint.safetensors. The
//                    checkpoint alone may be freed (gc.h) and put back; results stay for ever.
//   work/<id>/       in progress: spec.json, resume.safetensors, log.txt; failed.json when it
//   failed claims/<id>      lock of the process that trains the segment (claim.h) data/ prepared
//   tokens (framework/data) studies/<name>/  what a recipe gave: results only, so that they compare
//   byte for byte cache/describe/  answers of `qatlas-train describe`
#ifndef QATLAS_FRAMEWORK_RUNS_STORE_H_
#define QATLAS_FRAMEWORK_RUNS_STORE_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "framework/recipe/segment.h"
#include "nlohmann/json.hpp"

namespace qatlas::runs {

inline constexpr char kSpecFile[] = "spec.json";
inline constexpr char kResultFile[] = "result.json";
inline constexpr char kSitesFile[] = "sites.json";
inline constexpr char kSiteLogFile[] = "sites.jsonl";
inline constexpr char kMachineFile[] = "machine.json";
inline constexpr char kFailedFile[] = "failed.json";
inline constexpr char kLogFile[] = "log.txt";
inline constexpr char kResumeFile[] = "resume.safetensors";
inline constexpr char kCheckpointFile[] = "checkpoint.safetensors";

// Why a segment failed. Kinds of the worker: "nan", "diverged", "out-of-memory", "internal",
// "user-error", "io", "plugin" (missing, or it cannot be used). Kinds seen from outside: "killed"
// (a signal from somebody), "crashed" (a signal of its own making), "protocol" (it ended without
// the files that it owes), "not-reproducible" (a segment trained again gave other numbers).
struct Failure {
  std::string kind;
  std::string message;
  int64_t step = -1;  // -1: not known

  // What the trajectory alone decides ("nan", "diverged", "internal", "not-reproducible") fails
  // again and is tried again only when asked for; anything else (killed, crashed, out of memory,
  // disk, a missing plugin) depends on the world and is tried again by the next run.
  bool TryAgain() const;
  std::string Show() const;  // "nan at step 120: loss is NaN"
};

// A finished segment as its spec tells it.
struct SegmentRecord {
  std::string id;
  std::string trajectory;  // identity
  int64_t end_step = 0;
  bool evaluated = false;
  bool has_checkpoint = false;
};

// A segment in progress, stopped or failed.
struct WorkRecord {
  std::string id;
  bool has_resume = false;
  std::optional<Failure> failure;
};

struct StoreSizes {
  int64_t segments = 0;     // finished
  int64_t checkpoints = 0;  // of these, with a checkpoint
  int64_t checkpoint_bytes = 0;
  int64_t other_bytes = 0;  // of finished segments
  int64_t work = 0;         // segments in progress, stopped or failed
  int64_t work_bytes = 0;
  int64_t data_bytes = 0;
  std::vector<std::string> studies;
};

// Cheap to copy. Opening a store writes nothing; Create() makes its folders.
class Store {
 public:
  explicit Store(std::filesystem::path root) : root_(std::move(root)) {}

  // Makes the folders that are missing. Errors: what the system says, with the path.
  absl::Status Create() const;
  // Whether there is a store at the path.
  bool Exists() const;

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path SegmentFolder(const std::string& id) const {
    return root_ / "segments" / id;
  }
  std::filesystem::path WorkFolder(const std::string& id) const { return root_ / "work" / id; }
  std::filesystem::path ClaimFile(const std::string& id) const { return root_ / "claims" / id; }
  std::filesystem::path DataFolder() const { return root_ / "data"; }
  std::filesystem::path StudyFolder(const std::string& name) const {
    return root_ / "studies" / name;
  }
  std::filesystem::path DescribeFolder() const { return root_ / "cache" / "describe"; }

  // spec.json of a finished segment. NotFound; DataLoss where a file that holds its results
  // (spec.json, result.json, sites.json, sites.jsonl) cannot be read or is of another segment: such
  // a segment is damaged and counts as missing.
  absl::StatusOr<recipe::SegmentSpec> Spec(const std::string& id) const;
  bool Finished(const std::string& id) const { return Spec(id).ok(); }
  // OK where the segment has a whole checkpoint. NotFound where it has none; DataLoss where the
  // file is cut short or no checkpoint: it counts as freed. Its header alone is read.
  absl::Status CheckCheckpoint(const std::string& id) const;
  bool HasCheckpoint(const std::string& id) const { return CheckCheckpoint(id).ok(); }
  // result.json of a finished segment. NotFound, DataLoss when it cannot be read.
  absl::StatusOr<nlohmann::json> Result(const std::string& id) const;

  // All finished segments in order of their ids. Damaged ones are left out, for one of them must
  // not hold up a whole store; `damaged` gets a sentence about each, and about damaged checkpoints.
  absl::StatusOr<std::vector<SegmentRecord>> List(
      std::vector<std::string>* damaged = nullptr) const;
  // All of work/, in order of their ids.
  absl::StatusOr<std::vector<WorkRecord>> ListWork() const;
  std::optional<Failure> ReadFailure(const std::string& id) const;  // of work/<id>
  absl::StatusOr<StoreSizes> Sizes() const;

  // For the holder of the claim. Makes work/<id> with its spec, or finds it and takes the old
  // failure away; what a killed worker left to resume from stays.
  absl::Status BeginWork(const recipe::SegmentSpec& spec) const;
  absl::Status RecordFailure(const std::string& id, const Failure& failure) const;
  // Moves work/<id> to segments/<id> once all of it is on disk. Where segments/<id> is there
  // already (its checkpoint had been freed), the checkpoint alone is put back, and
  // FailedPrecondition says so when the results differ. One that is damaged is moved to
  // work/damaged-<id>, for a person to look at. DataLoss when the worker left out a file
  // that it owes.
  absl::Status Finish(const std::string& id) const;

 private:
  std::filesystem::path root_;
};

}  // namespace qatlas::runs

#endif  // QATLAS_FRAMEWORK_RUNS_STORE_H_
