#include "framework/data/token_store.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace qatlas::data {
namespace {

template <typename T>
void Widen(const std::byte* from, int64_t count, int64_t* out) {
  for (int64_t i = 0; i < count; ++i) {
    // Elements of somebody else's file may lie at odd addresses.
    T value;
    std::memcpy(&value, from + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
    out[i] = static_cast<int64_t>(value);
  }
}

}  // namespace

int64_t BytesOf(TokenType type) {
  switch (type) {
    case TokenType::kUint16:
      return 2;
    case TokenType::kUint32:
    case TokenType::kInt32:
      return 4;
    case TokenType::kInt64:
      return 8;
  }
  return 0;
}

const char* NameOf(TokenType type) {
  switch (type) {
    case TokenType::kUint16:
      return "uint16";
    case TokenType::kUint32:
      return "uint32";
    case TokenType::kInt32:
      return "int32";
    case TokenType::kInt64:
      return "int64";
  }
  return "";
}

absl::StatusOr<std::shared_ptr<const MappedFile>> MappedFile::Open(
    const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path.string()));
  struct stat about;
  if (::fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
    ::close(fd);
    return absl::InvalidArgumentError(absl::StrCat(path.string(), " is not a regular file"));
  }
  std::shared_ptr<MappedFile> file(new MappedFile);
  file->path_ = path;
  file->size_ = about.st_size;
  if (about.st_size > 0) {
    void* at = ::mmap(nullptr, static_cast<size_t>(about.st_size), PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
      const int error = errno;
      ::close(fd);
      return absl::ErrnoToStatus(error, absl::StrCat("cannot map ", path.string()));
    }
    file->data_ = static_cast<const std::byte*>(at);
  }
  ::close(fd);
  return file;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), static_cast<size_t>(size_));
}

TokenStore::TokenStore(std::vector<TokenRun> runs) {
  for (TokenRun& run : runs) {
    if (run.tokens == 0) continue;
    starts_.push_back(size_);
    size_ += run.tokens;
    runs_.push_back(std::move(run));
  }
}

void TokenStore::Read(int64_t begin, int64_t count, int64_t* out) const {
  if (count <= 0) return;
  size_t at = std::upper_bound(starts_.begin(), starts_.end(), begin) - starts_.begin() - 1;
  while (count > 0) {
    const TokenRun& run = runs_[at];
    const int64_t first = begin - starts_[at];
    const int64_t here = std::min(count, run.tokens - first);
    const std::byte* from = run.file->data() + run.offset + first * BytesOf(run.type);
    switch (run.type) {
      case TokenType::kUint16:
        Widen<uint16_t>(from, here, out);
        break;
      case TokenType::kUint32:
        Widen<uint32_t>(from, here, out);
        break;
      case TokenType::kInt32:
        Widen<int32_t>(from, here, out);
        break;
      case TokenType::kInt64:
        Widen<int64_t>(from, here, out);
        break;
    }
    begin += here;
    out += here;
    count -= here;
    ++at;
  }
}

TokenStore TokenStore::Slice(int64_t begin, int64_t end) const {
  std::vector<TokenRun> runs;
  for (size_t i = 0; i < runs_.size(); ++i) {
    const int64_t first = std::max<int64_t>(begin - starts_[i], 0);
    const int64_t last = std::min(end - starts_[i], runs_[i].tokens);
    if (first >= last) continue;
    TokenRun run = runs_[i];
    run.offset += first * BytesOf(run.type);
    run.skipped += first;
    run.tokens = last - first;
    runs.push_back(std::move(run));
  }
  return TokenStore(std::move(runs));
}

}  // namespace qatlas::data
