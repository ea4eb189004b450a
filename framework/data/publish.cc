#include "framework/data/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <system_error>

#include "absl/strings/str_cat.h"

namespace qatlas::data {
namespace fs = std::filesystem;
namespace {

absl::Status SyncFolder(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", folder.string()));
  const int failed = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  if (failed == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(error, absl::StrCat("cannot sync ", folder.string()));
}

// Opens and locks `path`. The holder removes the file at its end, so a lock won on a
// file that no longer has the name guards nothing, and the new file is locked instead.
absl::StatusOr<int> Lock(const fs::path& path, const std::function<void()>& waiting) {
  for (bool told = false;;) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot create ", path.string()));
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      if (!told && waiting) waiting();
      told = true;
      while (::flock(fd, LOCK_EX) != 0) {
        if (errno == EINTR) continue;
        const int error = errno;
        ::close(fd);
        return absl::ErrnoToStatus(error, absl::StrCat("cannot lock ", path.string()));
      }
    }
    struct stat held, named;
    if (::fstat(fd, &held) == 0 && ::stat(path.c_str(), &named) == 0 &&
        held.st_ino == named.st_ino && held.st_dev == named.st_dev) {
      return fd;
    }
    ::close(fd);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Publisher>> Publisher::Begin(const fs::path& root,
                                                            const std::string& name,
                                                            const std::function<void()>& waiting) {
  std::error_code error;
  fs::create_directories(root, error);
  if (error) {
    return absl::PermissionDeniedError(
        absl::StrCat("cannot create folder ", root.string(), ": ", error.message()));
  }
  std::unique_ptr<Publisher> publisher(new Publisher);
  publisher->target_ = root / name;
  publisher->lock_path_ = root / absl::StrCat(".lock-", name);
  absl::StatusOr<int> lock = Lock(publisher->lock_path_, waiting);
  if (!lock.ok()) return lock.status();
  publisher->lock_ = *lock;
  publisher->done_ = fs::exists(publisher->target_, error);
  if (publisher->done_) return publisher;

  // Under the lock nobody else writes there: what lies there is a dead process's.
  const fs::path temporary = root / absl::StrCat(".part-", name);
  fs::remove_all(temporary, error);
  if (!fs::create_directory(temporary, error)) {
    return absl::PermissionDeniedError(
        absl::StrCat("cannot create folder ", temporary.string(), ": ", error.message()));
  }
  publisher->temporary_ = temporary;
  return publisher;
}

Publisher::~Publisher() {
  std::error_code error;
  if (!temporary_.empty()) fs::remove_all(temporary_, error);
  if (lock_ < 0) return;
  fs::remove(lock_path_, error);
  ::close(lock_);
}

absl::Status Publisher::Commit() {
  if (absl::Status s = SyncFolder(temporary_); !s.ok()) return s;
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot rename to ", target_.string()));
  }
  temporary_.clear();
  done_ = true;
  return SyncFolder(target_.parent_path());
}

}  // namespace qatlas::data
