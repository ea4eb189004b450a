// Files that appear whole or not at all: written beside their place, synced, renamed.
#ifndef QATLAS_FRAMEWORK_TRAIN_ATOMIC_FILE_H_
#define QATLAS_FRAMEWORK_TRAIN_ATOMIC_FILE_H_

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace qatlas::train {

// A file under construction at `path` + ".tmp". Destroyed without Commit() it removes what it
// wrote.
class AtomicFile {
 public:
  static absl::StatusOr<std::unique_ptr<AtomicFile>> Create(const std::filesystem::path& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  // Errors: as IoError() of outcome.h.
  absl::Status Write(const void* bytes, size_t count);
  // Syncs the file, renames it and syncs the folder.
  absl::Status Commit();

 private:
  AtomicFile(std::filesystem::path path, std::filesystem::path temporary, int fd);
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int fd_;
};

absl::Status WriteFileAtomically(const std::filesystem::path& path, std::string_view content);

// The whole file as text. Errors: NotFound or as IoError().
absl::StatusOr<std::string> ReadFile(const std::filesystem::path& path);

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_ATOMIC_FILE_H_
