#include "framework/train/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "framework/train/outcome.h"
#include "qatlas/check.h"

namespace qatlas::train {

absl::StatusOr<std::unique_ptr<AtomicFile>> AtomicFile::Create(const std::filesystem::path& path) {
  std::filesystem::path temporary = path;
  temporary += ".tmp";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return IoError("create", temporary, errno);
  return std::unique_ptr<AtomicFile>(new AtomicFile(path, temporary, fd));
}

AtomicFile::AtomicFile(std::filesystem::path path, std::filesystem::path temporary, int fd)
    : path_(std::move(path)), temporary_(std::move(temporary)), fd_(fd) {}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

absl::Status AtomicFile::Write(const void* bytes, size_t count) {
  const char* at = static_cast<const char*>(bytes);
  while (count > 0) {
    // One call writes at most 2 GiB; smaller pieces let a signal through.
    const ssize_t written = ::write(fd_, at, std::min<size_t>(count, size_t{64} << 20));
    if (written < 0) {
      if (errno == EINTR) continue;
      return IoError("write", temporary_, errno);
    }
    at += written;
    count -= static_cast<size_t>(written);
  }
  return absl::OkStatus();
}

absl::Status AtomicFile::Commit() {
  if (::fsync(fd_) != 0) return IoError("sync", temporary_, errno);
  const int fd = fd_;
  fd_ = -1;
  if (::close(fd) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int error_number = errno;
    ::unlink(temporary_.c_str());
    return IoError("write", path_, error_number);
  }
  std::filesystem::path parent = path_.parent_path();
  if (parent.empty()) parent = ".";
  const int folder = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return IoError("open", parent, errno);
  // Some file systems cannot sync a folder; the rename is atomic there all the same.
  ::fsync(folder);
  ::close(folder);
  return absl::OkStatus();
}

absl::Status WriteFileAtomically(const std::filesystem::path& path, std::string_view content) {
  QATLAS_ASSIGN_OR_RETURN(auto file, AtomicFile::Create(path));
  QATLAS_RETURN_IF_ERROR(file->Write(content.data(), content.size()));
  return file->Commit();
}

absl::StatusOr<std::string> ReadFile(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return IoError("open", path, errno);
  std::string content;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t count = ::read(fd, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int error_number = errno;
      ::close(fd);
      return IoError("read", path, error_number);
    }
    if (count == 0) break;
    content.append(buffer, static_cast<size_t>(count));
  }
  ::close(fd);
  return content;
}

}  // namespace qatlas::train
