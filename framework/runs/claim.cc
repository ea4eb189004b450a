#include "framework/runs/claim.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "framework/runs/files.h"
#include "framework/runs/machine.h"
#include "framework/runs/records.h"
#include "nlohmann/json.hpp"

namespace qatlas::runs {
namespace {

// Whether the open file still has that name: a claim that was let go meanwhile has been removed.
bool StillThere(int fd, const std::string& path) {
  struct stat open_file, named_file;
  return fstat(fd, &open_file) == 0 && stat(path.c_str(), &named_file) == 0 &&
         open_file.st_ino == named_file.st_ino && open_file.st_dev == named_file.st_dev;
}

int Lock(int fd, int how) {
  int result;
  do {
    result = flock(fd, how);
  } while (result != 0 && errno == EINTR);
  return result;
}

}  // namespace

absl::StatusOr<std::optional<Claim>> Claim::Try(const Store& store, const std::string& id) {
  const std::string path = store.ClaimFile(id).string();
  while (true) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return FileError("open the claim", path, errno);
    if (Lock(fd, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      close(fd);
      if (error == EWOULDBLOCK) return std::optional<Claim>();
      return FileError("lock the claim", path, error);
    }
    if (!StillThere(fd, path)) {
      close(fd);
      continue;
    }
    Claim claim(path, fd);
    const nlohmann::json text = {{"pid", getpid()}, {"host", HostName()}, {"boot", BootId()}};
    const std::string bytes = text.dump() + "\n";
    if (ftruncate(fd, 0) != 0 ||
        pwrite(fd, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
      return FileError("write the claim", path, errno);
    }
    return std::optional<Claim>(std::move(claim));
  }
}

Claim::Claim(Claim&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

Claim& Claim::operator=(Claim&& other) noexcept {
  if (this != &other) {
    Release();
    path_ = std::move(other.path_);
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

Claim::~Claim() { Release(); }

void Claim::Release() {
  if (fd_ < 0) return;
  // While still locked, so that nobody's new claim is removed.
  unlink(path_.c_str());
  close(fd_);
  fd_ = -1;
}

std::optional<ClaimHolder> ReadClaim(const Store& store, const std::string& id) {
  const std::string path = store.ClaimFile(id).string();
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  ClaimHolder holder;
  if (Lock(fd, LOCK_SH | LOCK_NB) == 0) {
    Lock(fd, LOCK_UN);
  } else {
    holder.alive = errno == EWOULDBLOCK;
  }
  char text[1024];
  const ssize_t count = pread(fd, text, sizeof(text), 0);
  close(fd);
  if (count > 0) {
    const nlohmann::json json =
        nlohmann::json::parse(std::string(text, count), nullptr, /*allow_exceptions=*/false);
    if (json.is_object()) {
      if (json.contains("pid") && json["pid"].is_number_integer()) holder.pid = json["pid"];
      holder.host = TextAt(json, "host");
      holder.boot = TextAt(json, "boot");
    }
  }
  return holder;
}

}  // namespace qatlas::runs
