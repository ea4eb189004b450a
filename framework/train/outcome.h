// How a worker's work can end, as statuses, exit codes and failed.json.
#ifndef QATLAS_FRAMEWORK_TRAIN_OUTCOME_H_
#define QATLAS_FRAMEWORK_TRAIN_OUTCOME_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "absl/status/status.h"

namespace qatlas::train {

// Exit codes of qatlas-train.
inline constexpr int kExitDone = 0;
inline constexpr int kExitUserError = 3;       // bad spec, a checkpoint that does not fit
inline constexpr int kExitTrainingFailed = 4;  // NaN, divergence, out of memory
inline constexpr int kExitIo = 5;              // input and output, disk full
inline constexpr int kExitPlugin = 6;          // a plugin that is missing or cannot be used
inline constexpr int kExitStopped = 75;        // by a signal, with a resume checkpoint written

// "nan", "diverged", "out-of-memory" or "internal" (an exception from LibTorch or a plugin).
absl::Status TrainingFailed(const std::string& kind, const std::string& message);
// The status of a plugin that was not found, failed its handshake or whose factory refused. OK
// stays OK.
absl::Status PluginFailed(const absl::Status& status);
// The status with a text before its message; it stays of its kind.
absl::Status WithPrefix(const std::string& prefix, const absl::Status& status);
// What the system says of a file; a full disk or quota is ResourceExhausted.
absl::Status IoError(const std::string& doing, const std::filesystem::path& path, int error_number);
// Stopped by a signal.
absl::Status Stopped();

// The kind written in failed.json: the kinds of TrainingFailed, "plugin", "user-error" or
// "io".
std::string FailureKind(const absl::Status& status);
int ExitCode(const absl::Status& status);

// Runs `work` and turns what it throws (LibTorch reports out-of-memory and shape errors so) into a
// status of TrainingFailed.
absl::Status CatchTorch(const std::function<absl::Status()>& work);

// Writes {kind, message, step} to folder/failed.json.
absl::Status WriteFailure(const std::filesystem::path& folder, const absl::Status& status,
                          int64_t step);

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_OUTCOME_H_
