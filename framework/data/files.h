// Finding, hashing and writing files.
#ifndef QATLAS_FRAMEWORK_DATA_FILES_H_
#define QATLAS_FRAMEWORK_DATA_FILES_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace qatlas::data {

// SHA-256 of what Update() was given so far.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void Update(const void* bytes, size_t count);
  // 64 hexadecimal digits. Ends the object's use.
  std::string Finish();

 private:
  void* context_;
};

// Files named by `entries`, each a file, a folder (all regular files below, hidden ones left out)
// or a glob; the order is that of the entries and of the paths within each. `what` is the option's
// name for errors: an entry that names nothing, and no file at all.
absl::StatusOr<std::vector<std::filesystem::path>> ExpandFiles(
    const std::vector<std::string>& entries, const std::string& what);

struct FileHash {
  std::string sha256;
  int64_t bytes = 0;
};

// The file's SHA-256. With a `cache_root` it is kept in cache_root/hashes under the path, and taken
// from there while size, inode and time of modification are the same. A file changed within the
// last tenth of a second is not kept, since the clock of files may not tell the next change apart.
absl::StatusOr<FileHash> HashFile(const std::filesystem::path& path,
                                  const std::filesystem::path& cache_root);

// A new file that is buffered, hashed, and synced when closed.
class FileWriter {
 public:
  static absl::StatusOr<std::unique_ptr<FileWriter>> Create(const std::filesystem::path& path);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  // Errors: the system's (a full disk, ...), with the path.
  absl::Status Write(const void* bytes, size_t count);
  // Writes the rest, syncs and closes; gives the SHA-256 of the file.
  absl::StatusOr<std::string> Close();

 private:
  FileWriter(std::filesystem::path path, int fd);
  absl::Status Flush();
  std::filesystem::path path_;
  int fd_;
  std::vector<std::byte> buffer_;
  Sha256 hash_;
};

absl::StatusOr<std::string> ReadWholeFile(const std::filesystem::path& path);

// Writes a synced file that appears whole or not at all, by renaming a temporary one beside it.
absl::Status WriteWholeFile(const std::filesystem::path& path, std::string_view content);

// An error if the file system of `folder` has fewer than `bytes` free.
absl::Status CheckSpace(const std::filesystem::path& folder, int64_t bytes);

}  // namespace qatlas::data

#endif  // QATLAS_FRAMEWORK_DATA_FILES_H_
