#include "framework/data/info.h"

#include <nlohmann/json.hpp>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace qatlas::data {
namespace {

using Json = nlohmann::ordered_json;

template <typename T>
void PutIf(Json* json, const char* key, const std::optional<T>& value) {
  if (value.has_value()) (*json)[key] = *value;
}

Json SplitToJson(const SplitInfo& split) {
  Json json;
  json["tokens"] = split.tokens;
  PutIf(&json, "documents", split.documents);
  PutIf(&json, "bytes", split.bytes);
  if (!split.checksum.empty()) json["checksum"] = split.checksum;
  return json;
}

// Reads keys and remembers the first that is missing or of the wrong type.
class Reader {
 public:
  Reader(const Json& json, std::string where) : json_(json), where_(std::move(where)) {}

  template <typename T>
  void Get(const char* key, T* out, bool required = true) {
    if (!json_.is_object() || !json_.contains(key)) {
      if (required) Fail(key, "is missing");
      return;
    }
    const Json& value = json_[key];
    if constexpr (std::is_same_v<T, std::string>) {
      if (!value.is_string()) return Fail(key, "is not a string");
    } else if constexpr (std::is_integral_v<T>) {
      if (!value.is_number_integer()) return Fail(key, "is not an integer");
    } else {
      if (!value.is_number()) return Fail(key, "is not a number");
    }
    *out = value.template get<T>();
  }

  template <typename T>
  void Get(const char* key, std::optional<T>* out) {
    if (!json_.is_object() || !json_.contains(key)) return;
    T value{};
    Get(key, &value);
    *out = value;
  }

  void GetSplit(const char* key, SplitInfo* split) {
    if (!json_.is_object() || !json_.contains(key)) return Fail(key, "is missing");
    Reader reader(json_[key], absl::StrCat(where_, key, "."));
    reader.Get("tokens", &split->tokens);
    reader.Get("documents", &split->documents);
    reader.Get("bytes", &split->bytes);
    reader.Get("checksum", &split->checksum, /*required=*/false);
    if (status.ok()) status = reader.status;
  }

  void Fail(const char* key, const char* problem) {
    if (!status.ok()) return;
    status = absl::InvalidArgumentError(
        absl::StrCat("description of data: \"", where_, key, "\" ", problem));
  }

  absl::Status status;

 private:
  const Json& json_;
  std::string where_;
};

}  // namespace

nlohmann::ordered_json ToJson(const DataInfo& info) {
  Json json;
  json["kind"] = info.kind;
  json["identity"] = info.identity;
  json["vocabulary"] = info.vocabulary;
  json["dtype"] = info.dtype;
  json["train"] = SplitToJson(info.train);
  json["validation"] = SplitToJson(info.validation);
  PutIf(&json, "bytes_per_token", info.bytes_per_token);
  json["unigram_entropy"] = info.unigram_entropy;
  json["used_ids"] = info.used_ids;
  PutIf(&json, "entropy_rate", info.entropy_rate);
  PutIf(&json, "replaced_bytes", info.replaced_bytes);
  PutIf(&json, "short_documents", info.short_documents);
  PutIf(&json, "tokenizer_sample_bytes", info.tokenizer_sample_bytes);
  PutIf(&json, "end_of_document", info.end_of_document);
  if (!info.origin.empty()) {
    Json origin = Json::array();
    for (const OriginFile& file : info.origin) {
      Json entry;
      entry["path"] = file.path;
      entry["bytes"] = file.bytes;
      entry["sha256"] = file.sha256;
      origin.push_back(std::move(entry));
    }
    json["origin"] = std::move(origin);
  }
  return json;
}

absl::StatusOr<DataInfo> DataInfoFromJson(const nlohmann::ordered_json& json) {
  DataInfo info;
  Reader reader(json, "");
  reader.Get("kind", &info.kind);
  reader.Get("identity", &info.identity);
  reader.Get("vocabulary", &info.vocabulary);
  reader.Get("dtype", &info.dtype);
  reader.GetSplit("train", &info.train);
  reader.GetSplit("validation", &info.validation);
  reader.Get("bytes_per_token", &info.bytes_per_token);
  reader.Get("unigram_entropy", &info.unigram_entropy);
  reader.Get("used_ids", &info.used_ids);
  reader.Get("entropy_rate", &info.entropy_rate);
  reader.Get("replaced_bytes", &info.replaced_bytes);
  reader.Get("short_documents", &info.short_documents);
  reader.Get("tokenizer_sample_bytes", &info.tokenizer_sample_bytes);
  reader.Get("end_of_document", &info.end_of_document);
  if (!reader.status.ok()) return reader.status;
  if (json.contains("origin")) {
    if (!json["origin"].is_array()) {
      reader.Fail("origin", "is not an array");
      return reader.status;
    }
    for (const Json& entry : json["origin"]) {
      Reader file_reader(entry, "origin.");
      OriginFile file;
      file_reader.Get("path", &file.path);
      file_reader.Get("bytes", &file.bytes);
      file_reader.Get("sha256", &file.sha256);
      if (!file_reader.status.ok()) return file_reader.status;
      info.origin.push_back(std::move(file));
    }
  }
  return info;
}

}  // namespace qatlas::data
