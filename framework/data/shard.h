// Shards: files of nothing but little-endian ids. What they hold stands in info.json beside them.
#ifndef QATLAS_FRAMEWORK_DATA_SHARD_H_
#define QATLAS_FRAMEWORK_DATA_SHARD_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "framework/data/files.h"
#include "framework/data/token_store.h"

namespace qatlas::data {

// uint16 for vocabularies up to 65536, uint32 above.
TokenType ShardType(int64_t vocabulary);

// Writes ids below `vocabulary` and counts them.
class ShardWriter {
 public:
  static absl::StatusOr<std::unique_ptr<ShardWriter>> Create(const std::filesystem::path& path,
                                                             int64_t vocabulary);

  // Errors: an id out of range, a write that fails.
  absl::Status Append(const std::vector<int32_t>& ids);
  // Syncs; gives the SHA-256 of the file.
  absl::StatusOr<std::string> Close() { return file_->Close(); }

  int64_t tokens() const { return tokens_; }
  const std::vector<int64_t>& counts() const { return counts_; }  // by id

 private:
  ShardWriter(std::unique_ptr<FileWriter> file, int64_t vocabulary);
  std::unique_ptr<FileWriter> file_;
  TokenType type_;
  int64_t tokens_ = 0;
  std::vector<int64_t> counts_;
};

// Maps a shard. Errors: a missing file; a size other than that of `tokens` ids (truncated); content
// other than `sha256` (hashed once, then known by size and time: see HashFile()).
absl::StatusOr<TokenStore> OpenShard(const std::filesystem::path& path, TokenType type,
                                     int64_t tokens, const std::string& sha256,
                                     const std::filesystem::path& cache_root);

// Entropy in nats of the frequencies `counts`; 0 without any.
double Entropy(const std::vector<int64_t>& counts);

// How many are above 0.
int64_t CountUsed(const std::vector<int64_t>& counts);

}  // namespace qatlas::data

#endif  // QATLAS_FRAMEWORK_DATA_SHARD_H_
