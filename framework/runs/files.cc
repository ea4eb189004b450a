#include "framework/runs/files.h"

#include <fcntl.h>
#include <openssl/sha.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "framework/observe/atomic_file.h"
#include "framework/observe/json_text.h"
#include "qatlas/check.h"

namespace qatlas::runs {
namespace fs = std::filesystem;
namespace {

absl::Status SyncOne(const fs::path& path, bool folder) {
  const int fd = open(path.c_str(), (folder ? O_RDONLY | O_DIRECTORY : O_RDONLY) | O_CLOEXEC);
  if (fd < 0) return FileError("open", path, errno);
  const int result = fsync(fd);
  const int error = errno;
  close(fd);
  if (result != 0) return FileError("sync", path, error);
  return absl::OkStatus();
}

template <typename Json>
absl::Status Write(const fs::path& path, const Json& json) {
  return observe::WriteFileAtomically(path.string(), json.dump(2) + "\n");
}

}  // namespace

absl::Status FileError(absl::string_view doing, const fs::path& path, int error_number) {
  std::string message =
      absl::StrCat("cannot ", doing, " ", path.string(), ": ", std::strerror(error_number));
  if (error_number == ENOSPC || error_number == EDQUOT) {
    return absl::ResourceExhaustedError(
        absl::StrCat(message, "; free some space (`qatlas store gc` frees checkpoints) and go on"));
  }
  if (error_number == ENOENT) return absl::NotFoundError(message);
  if (error_number == EACCES || error_number == EPERM || error_number == EROFS) {
    return absl::PermissionDeniedError(message);
  }
  return absl::FailedPreconditionError(message);
}

absl::Status MakeFolders(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return FileError("make the folder", path, error.value());
  return absl::OkStatus();
}

absl::Status RemoveAll(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) return FileError("remove", path, error.value());
  return absl::OkStatus();
}

absl::Status Rename(const fs::path& from, const fs::path& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) {
    return FileError(absl::StrCat("move ", from.string(), " to"), to, errno);
  }
  QATLAS_RETURN_IF_ERROR(SyncOne(to.parent_path(), true));
  return SyncOne(from.parent_path(), true);
}

absl::Status SyncTree(const fs::path& folder) {
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    QATLAS_RETURN_IF_ERROR(SyncOne(it->path(), it->is_directory()));
  }
  if (error) return FileError("read the folder", folder, error.value());
  return SyncOne(folder, true);
}

absl::StatusOr<nlohmann::json> ReadJson(const fs::path& path) {
  QATLAS_ASSIGN_OR_RETURN(const std::string text, observe::ReadWholeFile(path.string()));
  nlohmann::json json;
  if (const auto problem = observe::ParseJson(text, &json)) {
    return absl::DataLossError(
        absl::StrCat(path.string(), " was damaged: byte ", problem->byte, ": ", problem->what));
  }
  return json;
}

absl::Status WriteJson(const fs::path& path, const nlohmann::json& json) {
  return Write(path, json);
}
absl::Status WriteJson(const fs::path& path, const nlohmann::ordered_json& json) {
  return Write(path, json);
}

bool IsTemporary(const fs::path& path) {
  const std::string name = path.filename().string();
  if (absl::EndsWith(name, ".tmp")) return true;
  // As mkostemp() makes them.
  if (name.size() < 8 || name[name.size() - 7] != '.') return false;
  const absl::string_view whole = absl::string_view(name).substr(0, name.size() - 7);
  return absl::EndsWith(whole, ".json") || absl::EndsWith(whole, ".csv") ||
         absl::EndsWith(whole, ".toml");
}

int64_t TreeBytes(const fs::path& path) {
  std::error_code error;
  if (fs::is_regular_file(path, error)) return static_cast<int64_t>(fs::file_size(path, error));
  int64_t bytes = 0;
  for (fs::recursive_directory_iterator it(path, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code one;
    if (!it->is_regular_file(one)) continue;
    const auto size = it->file_size(one);
    if (!one) bytes += static_cast<int64_t>(size);
  }
  return bytes;
}

std::string ShortHash(absl::string_view text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), 16));
}

}  // namespace qatlas::runs
