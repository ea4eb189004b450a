// Small helpers over files that several parts of the room need.
#ifndef QATLAS_FRAMEWORK_RUNS_FILES_H_
#define QATLAS_FRAMEWORK_RUNS_FILES_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include "absl/strings/string_view.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace qatlas::runs {

// "cannot <doing> <path>: <reason>"; a full disk or quota is ResourceExhausted and says so.
absl::Status FileError(absl::string_view doing, const std::filesystem::path& path,
                       int error_number);

absl::Status MakeFolders(const std::filesystem::path& path);
absl::Status RemoveAll(const std::filesystem::path& path);
// rename(2); the folders of both names are synced.
absl::Status Rename(const std::filesystem::path& from, const std::filesystem::path& to);
// fsync of every file below and of the folders.
absl::Status SyncTree(const std::filesystem::path& folder);

absl::StatusOr<nlohmann::json> ReadJson(const std::filesystem::path& path);
// Written whole or not at all, with two blanks of indent and a line end.
absl::Status WriteJson(const std::filesystem::path& path, const nlohmann::json& json);
absl::Status WriteJson(const std::filesystem::path& path, const nlohmann::ordered_json& json);

// Whether a file is what a killed process left of writing another: "x.tmp", or "x.json.Ab12Cd"
// (also of .csv and .toml).
bool IsTemporary(const std::filesystem::path& path);

// Bytes of all files below; 0 for nothing there.
int64_t TreeBytes(const std::filesystem::path& path);

// 16 bytes of SHA-256 over the text, as hex.
std::string ShortHash(absl::string_view text);

}  // namespace qatlas::runs

#endif  // QATLAS_FRAMEWORK_RUNS_FILES_H_
