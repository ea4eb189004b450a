#include "framework/data/files.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace qatlas::data {
namespace fs = std::filesystem;
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;

absl::Status FromErrno(const char* doing, const fs::path& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot ", doing, " ", path.string()));
}

EVP_MD_CTX* Context(void* context) { return static_cast<EVP_MD_CTX*>(context); }

// Closes a descriptor when leaving a scope.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

absl::StatusOr<FileHash> HashNow(int fd, const fs::path& path) {
  Sha256 hash;
  FileHash result;
  std::vector<std::byte> buffer(kBufferBytes);
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FromErrno("read", path);
    if (got == 0) break;
    hash.Update(buffer.data(), static_cast<size_t>(got));
    result.bytes += got;
  }
  result.sha256 = hash.Finish();
  return result;
}

absl::Status AddFolder(const fs::path& folder, std::vector<fs::path>* files) {
  std::error_code error;
  std::vector<fs::path> found;
  fs::recursive_directory_iterator it(folder, error), end;
  for (; !error && it != end; it.increment(error)) {
    const bool hidden = it->path().filename().string().front() == '.';
    std::error_code ignored;
    if (hidden) {
      it.disable_recursion_pending();
    } else if (it->is_regular_file(ignored)) {
      found.push_back(it->path());
    }
  }
  if (error) {
    return absl::UnknownError(
        absl::StrCat("cannot list folder ", folder.string(), ": ", error.message()));
  }
  std::sort(found.begin(), found.end());
  files->insert(files->end(), found.begin(), found.end());
  return absl::OkStatus();
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  EVP_DigestInit_ex(Context(context_), EVP_sha256(), nullptr);
}

Sha256::~Sha256() { EVP_MD_CTX_free(Context(context_)); }

void Sha256::Update(const void* bytes, size_t count) {
  EVP_DigestUpdate(Context(context_), bytes, count);
}

std::string Sha256::Finish() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_DigestFinal_ex(Context(context_), digest, &size);
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest), size});
}

absl::StatusOr<std::vector<fs::path>> ExpandFiles(const std::vector<std::string>& entries,
                                                  const std::string& what) {
  std::vector<fs::path> files;
  for (const std::string& entry : entries) {
    std::vector<fs::path> named;
    std::error_code error;
    if (fs::exists(entry, error)) {
      named.push_back(entry);
    } else {
      glob_t matches;
      if (::glob(entry.c_str(), GLOB_BRACE | GLOB_TILDE, nullptr, &matches) == 0) {
        named.assign(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
      }
      ::globfree(&matches);
    }
    if (named.empty()) {
      return absl::NotFoundError(absl::StrCat(
          what, ": \"", entry, "\" names no file or folder and matches none (current folder: ",
          fs::current_path(error).string(), ")"));
    }
    for (const fs::path& path : named) {
      if (!fs::is_directory(path, error)) {
        files.push_back(path);
      } else if (absl::Status s = AddFolder(path, &files); !s.ok()) {
        return s;
      }
    }
  }
  if (files.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, entries.empty() ? " is empty; name at least one file"
                                           : " names only folders without files"));
  }
  return files;
}

absl::StatusOr<FileHash> HashFile(const fs::path& path, const fs::path& cache_root) {
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return FromErrno("open", path);
  struct stat about;
  if (::fstat(file.fd, &about) != 0) return FromErrno("read", path);
  if (!S_ISREG(about.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path.string(), " is not a regular file"));
  }
  if (cache_root.empty()) return HashNow(file.fd, path);

  const std::string absolute = fs::absolute(path).lexically_normal().string();
  Sha256 name;
  name.Update(absolute.data(), absolute.size());
  const fs::path entry = cache_root / "hashes" / name.Finish();
  const std::string key = absl::StrCat(about.st_size, " ", about.st_ino, " ", about.st_mtim.tv_sec,
                                       ".", about.st_mtim.tv_nsec, " ", absolute);
  if (absl::StatusOr<std::string> kept = ReadWholeFile(entry); kept.ok()) {
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(*kept, absl::MaxSplits('\n', 1));
    if (parts.second == key && parts.first.size() == 64)
      return FileHash{parts.first, about.st_size};
  }
  absl::StatusOr<FileHash> hash = HashNow(file.fd, path);
  if (!hash.ok()) return hash;
  struct stat after;
  struct timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  const double age = static_cast<double>(now.tv_sec - about.st_mtim.tv_sec) +
                     1e-9 * static_cast<double>(now.tv_nsec - about.st_mtim.tv_nsec);
  const bool still = ::fstat(file.fd, &after) == 0 && after.st_size == about.st_size &&
                     after.st_mtim.tv_sec == about.st_mtim.tv_sec &&
                     after.st_mtim.tv_nsec == about.st_mtim.tv_nsec;
  if (still && age > 0.1) {
    std::error_code error;
    fs::create_directories(entry.parent_path(), error);
    // Only a saving of time: without room or rights for it, the next call hashes again.
    WriteWholeFile(entry, absl::StrCat(hash->sha256, "\n", key)).IgnoreError();
  }
  return hash;
}

FileWriter::FileWriter(fs::path path, int fd) : path_(std::move(path)), fd_(fd) {
  buffer_.reserve(kBufferBytes);
}

FileWriter::~FileWriter() {
  if (fd_ >= 0) ::close(fd_);
}

absl::StatusOr<std::unique_ptr<FileWriter>> FileWriter::Create(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return FromErrno("create", path);
  return std::unique_ptr<FileWriter>(new FileWriter(path, fd));
}

absl::Status FileWriter::Flush() {
  size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t got = ::write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FromErrno("write", path_);
    done += static_cast<size_t>(got);
  }
  hash_.Update(buffer_.data(), buffer_.size());
  buffer_.clear();
  return absl::OkStatus();
}

absl::Status FileWriter::Write(const void* bytes, size_t count) {
  const auto* from = static_cast<const std::byte*>(bytes);
  while (count > 0) {
    const size_t here = std::min(count, kBufferBytes - buffer_.size());
    buffer_.insert(buffer_.end(), from, from + here);
    from += here;
    count -= here;
    if (buffer_.size() == kBufferBytes) {
      if (absl::Status s = Flush(); !s.ok()) return s;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> FileWriter::Close() {
  if (absl::Status s = Flush(); !s.ok()) return s;
  if (::fsync(fd_) != 0) return FromErrno("sync", path_);
  const int fd = std::exchange(fd_, -1);
  if (::close(fd) != 0) return FromErrno("close", path_);
  return hash_.Finish();
}

absl::StatusOr<std::string> ReadWholeFile(const fs::path& path) {
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return FromErrno("open", path);
  std::string content;
  char buffer[1 << 14];
  for (;;) {
    const ssize_t got = ::read(file.fd, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FromErrno("read", path);
    if (got == 0) return content;
    content.append(buffer, static_cast<size_t>(got));
  }
}

absl::Status WriteWholeFile(const fs::path& path, std::string_view content) {
  const fs::path temporary =
      absl::StrCat(path.string(), ".tmp-", ::getpid(), "-", reinterpret_cast<uintptr_t>(&content));
  std::error_code error;
  fs::remove(temporary, error);
  absl::StatusOr<std::unique_ptr<FileWriter>> file = FileWriter::Create(temporary);
  if (!file.ok()) return file.status();
  absl::Status status = (*file)->Write(content.data(), content.size());
  if (status.ok()) status = (*file)->Close().status();
  if (status.ok() && ::rename(temporary.c_str(), path.c_str()) != 0) {
    status = FromErrno("rename to", path);
  }
  if (!status.ok()) fs::remove(temporary, error);
  return status;
}

absl::Status CheckSpace(const fs::path& folder, int64_t bytes) {
  struct statvfs about;
  if (::statvfs(folder.c_str(), &about) != 0) return absl::OkStatus();
  const auto free_bytes = static_cast<int64_t>(about.f_bavail * about.f_frsize);
  if (free_bytes >= bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("preparing the data needs about ",
                                                   (bytes >> 20) + 1, " MiB in ", folder.string(),
                                                   ", which has ", free_bytes >> 20, " MiB free"));
}

}  // namespace qatlas::data
