#include "framework/observe/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <absl/strings/str_cat.h>

namespace qatlas::observe {
namespace {

absl::Status SystemError(absl::string_view what, const std::string& path, int error) {
  const std::string message = absl::StrCat("cannot ", what, " ", path, ": ", std::strerror(error));
  if (error == ENOENT) return absl::NotFoundError(message);
  if (error == ENOSPC || error == EDQUOT) return absl::ResourceExhaustedError(message);
  return absl::FailedPreconditionError(message);
}

// A file that cannot be written is no fault of what is written.
absl::Status WriteError(absl::string_view what, const std::string& path, int error) {
  const absl::Status status = SystemError(what, path, error);
  return absl::IsResourceExhausted(status) ? status : absl::UnavailableError(status.message());
}

// 0, or the errno of the write that failed.
int WriteAll(int file, absl::string_view contents) {
  while (!contents.empty()) {
    const ssize_t written = write(file, contents.data(), contents.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    contents.remove_prefix(static_cast<size_t>(written));
  }
  return 0;
}

}  // namespace

absl::Status WriteFileAtomically(const std::string& path, absl::string_view contents) {
  std::string temporary = absl::StrCat(path, ".XXXXXX");
  const int file = mkostemp(temporary.data(), O_CLOEXEC);
  if (file < 0) return WriteError("write", path, errno);
  // mkostemp gives 0600; a result file is as readable as any other new file.
  const mode_t mask = umask(0);
  umask(mask);
  int error = fchmod(file, 0666 & ~mask) == 0 ? 0 : errno;
  if (error == 0) error = WriteAll(file, contents);
  if (error == 0 && fsync(file) != 0) error = errno;
  if (close(file) != 0 && error == 0) error = errno;
  if (error == 0 && rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    unlink(temporary.c_str());
    return WriteError("write", path, error);
  }
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "."
                             : slash == 0               ? "/"
                                                        : path.substr(0, slash);
  const int handle = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle < 0) return WriteError("open the folder of", path, errno);
  error = fsync(handle) == 0 ? 0 : errno;
  close(handle);
  // Some file systems cannot sync a folder; the rename itself has happened.
  if (error != 0 && error != EINVAL) return WriteError("sync the folder of", path, error);
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadWholeFile(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return SystemError("read", path, errno);
  std::string contents;
  struct stat info;
  if (fstat(file, &info) == 0 && info.st_size > 0) contents.reserve(info.st_size + 1);
  char buffer[1 << 16];
  while (true) {
    const ssize_t got = read(file, buffer, sizeof(buffer));
    if (got == 0) break;
    if (got < 0) {
      if (errno == EINTR) continue;
      const int error = errno;
      close(file);
      return SystemError("read", path, error);
    }
    contents.append(buffer, static_cast<size_t>(got));
  }
  close(file);
  return contents;
}

}  // namespace qatlas::observe
