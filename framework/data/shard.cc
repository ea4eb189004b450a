#include "framework/data/shard.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

namespace qatlas::data {

TokenType ShardType(int64_t vocabulary) {
  return vocabulary <= 65536 ? TokenType::kUint16 : TokenType::kUint32;
}

ShardWriter::ShardWriter(std::unique_ptr<FileWriter> file, int64_t vocabulary)
    : file_(std::move(file)),
      type_(ShardType(vocabulary)),
      counts_(static_cast<size_t>(vocabulary), 0) {}

absl::StatusOr<std::unique_ptr<ShardWriter>> ShardWriter::Create(const std::filesystem::path& path,
                                                                 int64_t vocabulary) {
  absl::StatusOr<std::unique_ptr<FileWriter>> file = FileWriter::Create(path);
  if (!file.ok()) return file.status();
  return std::unique_ptr<ShardWriter>(new ShardWriter(*std::move(file), vocabulary));
}

absl::Status ShardWriter::Append(const std::vector<int32_t>& ids) {
  for (const int32_t id : ids) {
    if (id < 0 || static_cast<size_t>(id) >= counts_.size()) {
      return absl::InternalError(
          absl::StrCat("token id ", id, " is beyond the vocabulary of ", counts_.size()));
    }
    ++counts_[id];
  }
  tokens_ += static_cast<int64_t>(ids.size());
  if (type_ == TokenType::kUint32) return file_->Write(ids.data(), ids.size() * sizeof(int32_t));
  const std::vector<uint16_t> narrow(ids.begin(), ids.end());
  return file_->Write(narrow.data(), narrow.size() * sizeof(uint16_t));
}

absl::StatusOr<TokenStore> OpenShard(const std::filesystem::path& path, TokenType type,
                                     int64_t tokens, const std::string& sha256,
                                     const std::filesystem::path& cache_root) {
  const auto advice = [&path] {
    return absl::StrCat("; remove the folder ", path.parent_path().string(),
                        " and prepare the data again");
  };
  absl::StatusOr<std::shared_ptr<const MappedFile>> file = MappedFile::Open(path);
  if (!file.ok()) {
    return absl::Status(file.status().code(), absl::StrCat(file.status().message(), advice()));
  }
  if ((*file)->size() != tokens * BytesOf(type)) {
    return absl::DataLossError(absl::StrCat(
        path.string(), " has ", (*file)->size(), " bytes, but its ", tokens, " tokens of ",
        NameOf(type), " take ", tokens * BytesOf(type), ": it is ",
        (*file)->size() < tokens * BytesOf(type) ? "truncated" : "not as written", advice()));
  }
  absl::StatusOr<FileHash> hash = HashFile(path, cache_root);
  if (!hash.ok()) return hash.status();
  if (hash->sha256 != sha256) {
    return absl::DataLossError(absl::StrCat(path.string(), " is damaged: its SHA-256 is ",
                                            hash->sha256, ", not ", sha256, advice()));
  }
  return TokenStore({TokenRun{*std::move(file), 0, tokens, type, 0}});
}

double Entropy(const std::vector<int64_t>& counts) {
  double total = 0;
  for (const int64_t count : counts) total += static_cast<double>(count);
  double entropy = 0;
  for (const int64_t count : counts) {
    if (count == 0) continue;
    const double share = static_cast<double>(count) / total;
    entropy -= share * std::log(share);
  }
  return entropy;
}

int64_t CountUsed(const std::vector<int64_t>& counts) {
  return std::count_if(counts.begin(), counts.end(), [](int64_t count) { return count > 0; });
}

}  // namespace qatlas::data
