// Files that are there whole or not at all.
#ifndef QATLAS_FRAMEWORK_OBSERVE_ATOMIC_FILE_H_
#define QATLAS_FRAMEWORK_OBSERVE_ATOMIC_FILE_H_

#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

namespace qatlas::observe {

// Writes a temporary file in the same folder, fsyncs it, renames it over `path` and fsyncs the
// folder. On any error the old file is untouched, the temporary one is removed, and the status
// names the path and the system's reason.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view contents);

// The whole file. NotFound or FailedPrecondition with the path and the system's reason.
absl::StatusOr<std::string> ReadWholeFile(const std::string& path);

}  // namespace qatlas::observe

#endif  // QATLAS_FRAMEWORK_OBSERVE_ATOMIC_FILE_H_
