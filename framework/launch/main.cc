// qatlas-train of an install: finds LibTorch, then becomes the worker in ../libexec. It links no
// LibTorch, so it can say what is missing where the worker could not even start.
//
//   qatlas-train [--libtorch FOLDER] libtorch     where LibTorch was found, as JSON
//   qatlas-train [--libtorch FOLDER] ...          everything else is the worker's
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "framework/launch/libtorch.h"
#include "nlohmann/json.hpp"

namespace qatlas::launch {
namespace {

namespace fs = std::filesystem;

// As in framework/train/outcome.h.
constexpr int kUserError = 3;
constexpr int kIo = 5;

int Fail(int code, const std::string& message) {
  std::fprintf(stderr, "qatlas-train: %s\n", message.c_str());
  return code;
}

int Main(int argc, char** argv) {
  std::string option;
  std::vector<char*> rest = {argv[0]};
  bool asked = false;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--libtorch") {
      if (i + 1 == argc) return Fail(kUserError, "--libtorch needs a folder");
      option = argv[++i];
    } else if (word.rfind("--libtorch=", 0) == 0) {
      option = word.substr(std::strlen("--libtorch="));
    } else {
      asked = asked || (rest.size() == 1 && word == "libtorch");
      rest.push_back(argv[i]);
    }
  }
  const auto found = FindLibTorch(PlacesOf(option), QATLAS_TORCH_VERSION);
  if (asked) {
    nlohmann::ordered_json answer = {{"needed", QATLAS_TORCH_VERSION}};
    if (found.ok()) {
      answer["folder"] = found->folder;
      answer["version"] = found->version;
      answer["source"] = found->source;
    } else {
      answer["error"] = found.status().message();
    }
    std::printf("%s\n", answer.dump().c_str());
    return found.ok() ? 0 : kIo;
  }
  if (!found.ok()) return Fail(kIo, std::string(found.status().message()));

  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  const fs::path worker = self.parent_path().parent_path() / "libexec" / "qatlas-train";
  const char* before = std::getenv("LD_LIBRARY_PATH");
  const std::string path = absl::StrCat(found->folder, "/lib", before == nullptr ? "" : ":",
                                        before == nullptr ? "" : before);
  // The worker holds what it was given against what the linker gave it.
  ::setenv("QATLAS_LIBTORCH", found->folder.c_str(), 1);
  ::setenv("LD_LIBRARY_PATH", path.c_str(), 1);
  rest.push_back(nullptr);
  ::execv(worker.c_str(), rest.data());
  return Fail(kIo, absl::StrCat("cannot start ", worker.string(), ": ", std::strerror(errno)));
}

}  // namespace
}  // namespace qatlas::launch

int main(int argc, char** argv) { return qatlas::launch::Main(argc, argv); }
