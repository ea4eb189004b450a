// What is known of prepared data, for people and programs (`qatlas data info`).
#ifndef QATLAS_FRAMEWORK_DATA_INFO_H_
#define QATLAS_FRAMEWORK_DATA_INFO_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "absl/status/statusor.h"

namespace qatlas::data {

// One of the two streams.
struct SplitInfo {
  int64_t tokens = 0;
  // Text only; end-of-document tokens are counted in `tokens`.
  std::optional<int64_t> documents;
  // Text only: bytes of the documents, before normalization.
  std::optional<int64_t> bytes;
  // SHA-256 of the shard; empty for token files, whose hashes stand in DataInfo::origin.
  std::string checksum;
};

// A file that the data was made from.
struct OriginFile {
  std::string path;
  int64_t bytes = 0;
  std::string sha256;
};

struct DataInfo {
  std::string kind;  // "text", "tokens" or "synthetic"
  std::string identity;
  int64_t vocabulary = 0;
  std::string dtype;  // of the shards, or of the token files ("mixed" where they differ)
  SplitInfo train;
  SplitInfo validation;
  // Text only: bytes of training documents per training token (end-of-document tokens included).
  std::optional<double> bytes_per_token;
  // Nats per token of the training stream's token frequencies.
  double unigram_entropy = 0;
  // Ids that occur in the training stream.
  int64_t used_ids = 0;
  // Synthetic only: nats per token, exact.
  std::optional<double> entropy_rate;
  // Text only: bytes that were not valid UTF-8, each replaced by U+FFFD.
  std::optional<int64_t> replaced_bytes;
  // Text only: documents left out for being shorter than min_document_bytes.
  std::optional<int64_t> short_documents;
  // Text only: bytes of training documents that the tokenizer was trained on.
  std::optional<int64_t> tokenizer_sample_bytes;
  // Text only: the token after each document.
  std::optional<int64_t> end_of_document;
  // In the order of reading; empty for synthetic data. As found by the caller, not as cached.
  std::vector<OriginFile> origin;
};

// Keys are the field names; fields without a value are left out.
nlohmann::ordered_json ToJson(const DataInfo& info);

// Reads what ToJson() wrote. Errors name the missing or mistyped key.
absl::StatusOr<DataInfo> DataInfoFromJson(const nlohmann::ordered_json& json);

}  // namespace qatlas::data

#endif  // QATLAS_FRAMEWORK_DATA_INFO_H_
