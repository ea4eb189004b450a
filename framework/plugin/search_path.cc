#include "framework/plugin/search_path.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <qatlas/check.h>
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace qatlas::plugin {
namespace {

namespace fs = std::filesystem;

// Without "." and "..", and with links followed as far as the folder exists.
std::string Absolute(const fs::path& path) {
  std::error_code error;
  fs::path result = fs::weakly_canonical(fs::absolute(path, error), error);
  if (error) result = path.lexically_normal();
  std::string text = result.string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

absl::Status AddList(const std::string& list, const char* source, bool relative_allowed,
                     std::vector<std::string>* folders) {
  const std::vector<std::string> entries = absl::StrSplit(list, ':');
  for (const std::string& entry : entries) {
    if (entry.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(source, " '", list,
                       "' has an empty entry, which would mean the current folder; name the folder "
                       "or take out the colon"));
    }
    if (!relative_allowed && entry.front() != '/') {
      return absl::InvalidArgumentError(absl::StrCat(source, ": '", entry,
                                                     "' is relative to the current folder; give "
                                                     "an absolute path"));
    }
    const std::string folder = Absolute(entry);
    if (std::find(folders->begin(), folders->end(), folder) == folders->end()) {
      folders->push_back(folder);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> SearchPath(const std::vector<std::string>& flag,
                                                    const char* environment,
                                                    const std::string& executable) {
  std::vector<std::string> folders;
  for (const std::string& list : flag) {
    QATLAS_RETURN_IF_ERROR(AddList(list, "--plugin-path", true, &folders));
  }
  if (environment != nullptr && *environment != '\0') {
    QATLAS_RETURN_IF_ERROR(AddList(environment, "QATLAS_PLUGIN_PATH", false, &folders));
  }
  if (!executable.empty()) {
    const std::string folder =
        Absolute(fs::path(executable).parent_path().parent_path() / "lib" / "qatlas" / "plugins");
    if (std::find(folders.begin(), folders.end(), folder) == folders.end()) {
      folders.push_back(folder);
    }
  }
  return folders;
}

std::string ExecutablePath() {
  std::error_code error;
  const fs::path path = fs::read_symlink("/proc/self/exe", error);
  return error ? "" : path.string();
}

absl::StatusOr<std::vector<std::string>> DefaultSearchPath(const std::vector<std::string>& flag) {
  return SearchPath(flag, std::getenv("QATLAS_PLUGIN_PATH"), ExecutablePath());
}

}  // namespace qatlas::plugin
