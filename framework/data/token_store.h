// A stream of token ids that lies in memory-mapped files, read without copying the files.
#ifndef QATLAS_FRAMEWORK_DATA_TOKEN_STORE_H_
#define QATLAS_FRAMEWORK_DATA_TOKEN_STORE_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"

namespace qatlas::data {

enum class TokenType { kUint16, kUint32, kInt32, kInt64 };

int64_t BytesOf(TokenType type);
const char* NameOf(TokenType type);  // "uint16", ...

// A whole file, mapped for reading.
class MappedFile {
 public:
  // Errors: NotFound, or what the system says, with the path.
  static absl::StatusOr<std::shared_ptr<const MappedFile>> Open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::byte* data() const { return data_; }
  int64_t size() const { return size_; }  // bytes
  const std::filesystem::path& path() const { return path_; }

 private:
  MappedFile() = default;
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  int64_t size_ = 0;
};

// Consecutive little-endian ids in one file; `offset` bytes need no alignment.
struct TokenRun {
  std::shared_ptr<const MappedFile> file;
  int64_t offset = 0;  // bytes
  int64_t tokens = 0;
  TokenType type = TokenType::kUint16;
  int64_t skipped = 0;  // tokens of the file before the first of the run
};

// Runs one after the other, addressed as one stream. Cheap to copy; safe to read from many threads.
class TokenStore {
 public:
  TokenStore() = default;
  // Each run must lie within its file; runs without tokens are dropped.
  explicit TokenStore(std::vector<TokenRun> runs);

  int64_t size() const { return size_; }  // tokens
  const std::vector<TokenRun>& runs() const { return runs_; }

  // Copies tokens [begin, begin + count) to `out`. The range must lie within [0, size()].
  void Read(int64_t begin, int64_t count, int64_t* out) const;

  // The tokens [begin, end) as a store of their own, on the same files.
  TokenStore Slice(int64_t begin, int64_t end) const;

 private:
  std::vector<TokenRun> runs_;
  std::vector<int64_t> starts_;  // of each run, in tokens
  int64_t size_ = 0;
};

}  // namespace qatlas::data

#endif  // QATLAS_FRAMEWORK_DATA_TOKEN_STORE_H_
