// Prepares data once and opens it again: a SourceSpec becomes two streams of tokens.
#ifndef QATLAS_FRAMEWORK_DATA_SOURCE_H_
#define QATLAS_FRAMEWORK_DATA_SOURCE_H_

#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "framework/data/info.h"
#include "framework/data/progress.h"
#include "framework/data/source_spec.h"
#include "framework/data/token_store.h"

namespace qatlas::data {

// Raised whenever the tokens made from the same input change. Part of every identity.
inline constexpr int kNumericsVersion = 1;

// In the folder of token files, which stay where they lie: {"format", "dtype", "files": [absolute
// paths, of the training stream and then of the validation stream]}.
inline constexpr char kPlacesFile[] = "files.json";

// Data ready for training. Copies share the mapped files.
struct PreparedData {
  std::string identity;
  // cache_root/identity: info.json and, but for token files (used where they lie), train.bin,
  // validation.bin and tokenizer.model.
  std::filesystem::path folder;
  TokenStore train;
  TokenStore validation;
  DataInfo info;
};

// Values out of range and contradictions, all in one message, with names as in SourceSpec. Looks at
// no file. Prepare() and Identity() call it.
absl::Status Validate(const SourceSpec& spec);

// The hash (64 hexadecimal digits) of everything that decides the tokens: the files' content,
// split, separator, tokenizer settings and library, kNumericsVersion. Not of paths. Prepares
// nothing, but reads the files; with a `cache_root` the files' hashes are kept there by path, size
// and time of modification, so that the next call reads nothing. An empty `cache_root` keeps
// nothing. Errors: as Validate(); a file that is missing or cannot be read.
// The files that it was read from, with their hashes, go to `origin`, where given.
absl::StatusOr<std::string> Identity(const SourceSpec& spec,
                                     const std::filesystem::path& cache_root = {},
                                     std::vector<OriginFile>* origin = nullptr);

// Opens cache_root/<identity>, preparing it first if it is not there. Prepared in a temporary
// folder that is synced and renamed, under a lock: a second process waits and then finds it done, a
// killed one leaves nothing that is read. `progress` (may be empty) is called from this thread.
// Errors: as Identity(); an empty corpus, one document that cannot be split, a vocabulary that the
// corpus cannot fill, an id beyond the vocabulary (file and position named), a truncated or damaged
// file, a write that fails (nothing half-written stays).
absl::StatusOr<PreparedData> Prepare(const SourceSpec& spec,
                                     const std::filesystem::path& cache_root,
                                     const ProgressCallback& progress = {});

}  // namespace qatlas::data

#endif  // QATLAS_FRAMEWORK_DATA_SOURCE_H_
