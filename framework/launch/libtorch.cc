#include "framework/launch/libtorch.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

namespace qatlas::launch {
namespace {

namespace fs = std::filesystem;

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// find_spec does not run torch, which would take seconds.
std::string AskPython() {
  std::FILE* answer = popen(
      "python3 -c 'import importlib.util as u; s = u.find_spec(\"torch\"); "
      "print(s.submodule_search_locations[0] if s else \"\")' 2>/dev/null",
      "r");
  if (answer == nullptr) return "";
  std::string text;
  char buffer[512];
  while (size_t count = std::fread(buffer, 1, sizeof(buffer), answer)) text.append(buffer, count);
  pclose(answer);
  return std::string(absl::StripAsciiWhitespace(text));
}

bool HasLibTorch(const std::string& folder) {
  std::error_code error;
  return fs::exists(fs::path(folder) / "lib" / "libtorch_cpu.so", error);
}

// The torch folders of an environment, by name: lib/python3.11/site-packages/torch.
std::vector<std::string> TorchOf(const std::string& environment) {
  std::vector<std::string> folders;
  std::error_code error;
  for (fs::directory_iterator it(fs::path(environment) / "lib", error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().filename().string().rfind("python3", 0) != 0) continue;
    folders.push_back((it->path() / "site-packages" / "torch").string());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

std::string Quoted(const std::string& file, const std::string& before) {
  std::ifstream in(file);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const size_t at = text.find(before);
  if (at == std::string::npos) return "";
  const size_t begin = text.find_first_of("'\"", at + before.size());
  if (begin == std::string::npos) return "";
  const size_t end = text.find(text[begin], begin + 1);
  if (end == std::string::npos) return "";
  const std::string version = text.substr(begin + 1, end - begin - 1);
  return version.substr(0, version.find('+'));
}

std::string Advice(const std::string& wanted) {
  return absl::StrCat(
      "install it in a Python environment (python3 -m venv qatlas-env && . "
      "qatlas-env/bin/activate && pip install torch==",
      wanted,
      ") and activate that, or name a folder that holds lib/libtorch_cpu.so with "
      "--libtorch or QATLAS_LIBTORCH");
}

absl::StatusOr<LibTorch> Take(const std::string& folder, const std::string& source,
                              const std::string& wanted) {
  LibTorch found{folder, VersionOf(folder), source};
  if (found.version == wanted) return found;
  return absl::FailedPreconditionError(absl::StrCat(
      "LibTorch ", found.version.empty() ? "of unknown version" : found.version, " in ", folder,
      " (", source, "), but this qatlas-train needs ", wanted, ": ", Advice(wanted)));
}

}  // namespace

Places PlacesOf(const std::string& option) {
  return {option, Variable("QATLAS_LIBTORCH"), Variable("VIRTUAL_ENV"), Variable("CONDA_PREFIX"),
          AskPython};
}

std::string VersionOf(const std::string& folder) {
  const std::string header =
      Quoted(folder + "/include/torch/headeronly/version.h", "define TORCH_VERSION ");
  if (!header.empty()) return header;
  return Quoted(folder + "/version.py", "__version__ =");
}

absl::StatusOr<LibTorch> FindLibTorch(const Places& places, const std::string& wanted) {
  for (const auto& [folder, source, named_by] :
       {std::tuple{places.option, "--libtorch", "--libtorch"},
        // `qatlas --libtorch` comes to its worker as the variable.
        std::tuple{places.environment, "QATLAS_LIBTORCH", "--libtorch or QATLAS_LIBTORCH"}}) {
    if (folder.empty()) continue;
    if (HasLibTorch(folder)) return Take(folder, source, wanted);
    return absl::NotFoundError(absl::StrCat(named_by, " names ", folder,
                                            ", which holds no lib/libtorch_cpu.so; qatlas-train "
                                            "needs LibTorch ",
                                            wanted, ": ", Advice(wanted)));
  }
  std::vector<std::string> tried = {"--libtorch is not given", "QATLAS_LIBTORCH is not set"};
  for (const auto& [environment, variable] :
       {std::pair{places.virtual_env, "VIRTUAL_ENV"}, std::pair{places.conda, "CONDA_PREFIX"}}) {
    if (environment.empty()) {
      tried.push_back(absl::StrCat(variable, " is not set"));
      continue;
    }
    for (const std::string& folder : TorchOf(environment)) {
      if (HasLibTorch(folder)) {
        return Take(folder, absl::StrCat("the Python environment ", environment), wanted);
      }
    }
    tried.push_back(absl::StrCat(variable, " = ", environment, " has no torch"));
  }
  if (places.python) {
    const std::string folder = places.python();
    if (HasLibTorch(folder)) return Take(folder, "python3's torch", wanted);
    tried.push_back("python3 has no torch");
  }
  return absl::NotFoundError(absl::StrCat("qatlas-train needs LibTorch ", wanted,
                                          ", and there is none (", absl::StrJoin(tried, "; "),
                                          "): ", Advice(wanted)));
}

}  // namespace qatlas::launch
