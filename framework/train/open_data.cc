#include "framework/train/open_data.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "framework/data/shard.h"
#include "framework/data/source.h"
#include "framework/data/token_files.h"
#include "framework/train/atomic_file.h"
#include "nlohmann/json.hpp"
#include "qatlas/check.h"

namespace qatlas::train {
namespace {

// Token files are used where they lie: files.json names them in the order of the two streams.
absl::Status OpenTokens(const std::filesystem::path& folder, OpenedData* data) {
  const std::filesystem::path places = folder / data::kPlacesFile;
  QATLAS_ASSIGN_OR_RETURN(const std::string text, ReadFile(places));
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const bool whole = json.is_object() && json.contains("files") && json["files"].is_array() &&
                     json.contains("format") && json.contains("dtype");
  if (!whole) {
    return absl::DataLossError(
        absl::StrCat(places.string(), " is damaged; prepare the data again"));
  }
  std::vector<data::TokenRun> runs;
  for (const nlohmann::json& file : json["files"]) {
    QATLAS_ASSIGN_OR_RETURN(
        data::TokenRun run,
        data::OpenTokenFile(file.get<std::string>(), json["format"].get<std::string>(),
                            json["dtype"].get<std::string>()));
    runs.push_back(std::move(run));
  }
  const data::TokenStore all(std::move(runs));
  const int64_t train = data->info.train.tokens;
  const int64_t both = train + data->info.validation.tokens;
  if (all.size() != both) {
    return absl::InvalidArgumentError(
        absl::StrCat("the token files hold ", all.size(), " tokens, but ", both,
                     " were there when the data was prepared; prepare it again"));
  }
  data->train = all.Slice(0, train);
  data->validation = all.Slice(train, both);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<OpenedData> OpenData(const std::filesystem::path& folder,
                                    const std::string& identity) {
  const std::filesystem::path file = folder / "info.json";
  QATLAS_ASSIGN_OR_RETURN(const std::string text, ReadFile(file));
  const auto json = nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  OpenedData data;
  QATLAS_ASSIGN_OR_RETURN(data.info, data::DataInfoFromJson(json));
  if (!identity.empty() && data.info.identity != identity) {
    return absl::InvalidArgumentError(absl::StrCat(file.string(), " describes the data ",
                                                   data.info.identity, ", the segment wants ",
                                                   identity));
  }
  if (data.info.kind == "tokens") {
    QATLAS_RETURN_IF_ERROR(OpenTokens(folder, &data));
    return data;
  }
  // Shards are written as uint16 where the vocabulary allows it.
  const data::TokenType type =
      data.info.dtype == "uint32" ? data::TokenType::kUint32 : data::TokenType::kUint16;
  QATLAS_ASSIGN_OR_RETURN(data.train,
                          data::OpenShard(folder / "train.bin", type, data.info.train.tokens,
                                          data.info.train.checksum, folder.parent_path()));
  QATLAS_ASSIGN_OR_RETURN(
      data.validation, data::OpenShard(folder / "validation.bin", type, data.info.validation.tokens,
                                       data.info.validation.checksum, folder.parent_path()));
  return data;
}

}  // namespace qatlas::train
