// Keeps the house's arrows: which folder may include which (docs/architecture.md), and no LibTorch
// outside the rooms that have it.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/paths.h"

namespace {

namespace fs = std::filesystem;

const fs::path kSource = qatlas::paths::Source();

// What each room may include besides itself. "sdk" are the headers without LibTorch, "sdk-torch"
// those with.
const std::map<std::string, std::set<std::string>>& Allowed() {
  static const auto* allowed = new std::map<std::string, std::set<std::string>>{
      {"sdk", {}},
      {"sdk-torch", {"sdk", "torch"}},
      {"kernels", {}},
      {"kernels-torch", {"kernels", "torch"}},
      {"plugins/laws", {"sdk"}},
      {"plugins/schemes", {"sdk"}},
      {"plugins/quantizers", {"sdk", "sdk-torch", "kernels", "kernels-torch", "torch"}},
      {"plugins/models", {"sdk", "sdk-torch", "kernels", "kernels-torch", "torch"}},
      {"framework/commandline", {}},
      {"framework/observe", {"sdk"}},
      {"framework/plugin", {"sdk"}},
      {"framework/recipe", {"sdk", "framework/plugin", "framework/forms"}},
      {"framework/data", {"sdk"}},
      {"framework/safetensors", {"sdk"}},
      {"framework/decompose", {"sdk", "framework/observe"}},
      {"framework/forms", {"sdk", "framework/plugin", "framework/observe"}},
      {"framework/fit", {"sdk", "framework/plugin", "framework/observe", "framework/forms"}},
      {"framework/compare",
       {"sdk", "framework/plugin", "framework/observe", "framework/forms", "framework/fit"}},
      {"framework/plan",
       {"sdk", "framework/plugin", "framework/observe", "framework/forms", "framework/fit",
        "framework/compare"}},
      {"framework/report",
       {"sdk", "framework/plugin", "framework/observe", "framework/decompose", "framework/forms",
        "framework/fit", "framework/compare", "framework/plan"}},
      {"framework/runs",
       {"sdk", "framework/plugin", "framework/observe", "framework/recipe", "framework/data",
        "framework/safetensors"}},
      {"framework/train",
       {"sdk", "sdk-torch", "kernels", "kernels-torch", "torch", "framework/plugin",
        "framework/recipe", "framework/data", "framework/safetensors", "framework/commandline"}},
      {"framework/launch", {}},
      {"framework/cli",
       {"sdk", "framework/plugin", "framework/observe", "framework/recipe", "framework/data",
        "framework/decompose", "framework/forms", "framework/fit", "framework/compare",
        "framework/plan", "framework/report", "framework/runs", "framework/commandline"}},
  };
  return *allowed;
}

const std::set<std::string> kTorchHeaders = {
    "quantizer.h",  "linear.h", "model.h",       "tensors.h", "gradient.h",
    "int_format.h", "init.h",   "int_options.h", "layers.h",  "reduce.h"};

// The room that an include names; "" for the standard library and other people's libraries.
std::string RoomOfInclude(const std::string& path) {
  if (absl::StartsWith(path, "framework/") || absl::StartsWith(path, "plugins/")) {
    const size_t slash = path.find('/', path.find('/') + 1);
    return path.substr(0, slash);
  }
  if (absl::StartsWith(path, "qatlas/kernels/torch/")) return "kernels-torch";
  if (absl::StartsWith(path, "qatlas/kernels/")) return "kernels";
  if (absl::StartsWith(path, "qatlas/")) {
    return kTorchHeaders.count(path.substr(7)) ? "sdk-torch" : "sdk";
  }
  if (absl::StartsWith(path, "ATen/") || absl::StartsWith(path, "torch/") ||
      absl::StartsWith(path, "c10/")) {
    return "torch";
  }
  return "";
}

std::string RoomOfFile(const fs::path& relative) {
  const std::string path = relative.generic_string();
  if (absl::StartsWith(path, "sdk/include/qatlas/")) {
    return kTorchHeaders.count(relative.filename().string()) ? "sdk-torch" : "sdk";
  }
  if (absl::StartsWith(path, "sdk/conformance/")) {
    return absl::StrContains(path, "/torch/") ? "sdk-torch" : "sdk";
  }
  if (absl::StartsWith(path, "kernels/")) {
    return absl::StrContains(path, "/kernels/torch/") ? "kernels-torch" : "kernels";
  }
  if (absl::StartsWith(path, "framework/") || absl::StartsWith(path, "plugins/")) {
    return RoomOfInclude(path);
  }
  return "";
}

std::vector<fs::path> SourceFiles() {
  std::vector<fs::path> files;
  for (const char* top : {"sdk/include", "sdk/conformance", "kernels", "plugins", "framework"}) {
    for (const auto& entry : fs::recursive_directory_iterator(kSource / top)) {
      const std::string extension = entry.path().extension().string();
      if (extension == ".h" || extension == ".cc" || extension == ".cu" || extension == ".inc") {
        files.push_back(entry.path());
      }
    }
  }
  return files;
}

TEST(Arrows, IncludesFollowTheHouse) {
  const std::regex include(R"(^\s*#\s*include\s*[<"]([^">]+)[">])");
  int seen = 0;
  for (const fs::path& file : SourceFiles()) {
    const fs::path relative = fs::relative(file, kSource);
    const std::string room = RoomOfFile(relative);
    ASSERT_TRUE(Allowed().count(room))
        << relative << " lies in no room of the house ('" << room << "')";
    std::ifstream in(file);
    std::string line;
    for (int number = 1; std::getline(in, line); ++number) {
      std::smatch match;
      if (!std::regex_search(line, match, include)) continue;
      const std::string target = RoomOfInclude(match[1]);
      if (target.empty() || target == room) continue;
      ++seen;
      EXPECT_TRUE(Allowed().at(room).count(target))
          << relative << ":" << number << ": " << room << " may not include " << match[1];
    }
  }
  EXPECT_GT(seen, 100) << "the test no longer finds the includes";
}

TEST(Arrows, OfPluginsStayInTheirFolder) {
  const std::regex include(R"(^\s*#\s*include\s*"(plugins/[^"]+)\")");
  for (const fs::path& file : SourceFiles()) {
    const std::string relative = fs::relative(file, kSource).generic_string();
    if (!absl::StartsWith(relative, "plugins/")) continue;
    std::ifstream in(file);
    std::string line;
    while (std::getline(in, line)) {
      std::smatch match;
      if (!std::regex_search(line, match, include)) continue;
      const std::string folder = match[1].str().substr(0, match[1].str().find_last_of('/'));
      EXPECT_TRUE(absl::StartsWith(relative, folder))
          << relative << " includes another plugin: " << match[1];
    }
  }
}

TEST(Arrows, FrameworkNamesNoPlugin) {
  // Names of components may stand in a recipe, not in the framework's code.
  std::set<std::string> names;
  const std::regex name_line(R"re(^name = "([^"]+)"$)re");
  for (const auto& entry :
       fs::directory_iterator(fs::path(QATLAS_TEST_BUILD) / "lib/qatlas/plugins")) {
    if (entry.path().extension() != ".toml") continue;
    std::ifstream in(entry.path());
    std::string line;
    bool component = false;
    while (std::getline(in, line)) {
      std::smatch match;
      if (absl::StartsWith(line, "[[")) component = line == "[[component]]";
      if (component && std::regex_match(line, match, name_line)) names.insert(match[1]);
    }
  }
  ASSERT_FALSE(names.empty());
  names.erase("int");        // also the name of a type of option
  names.erase("precision");  // also a column of the observations
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(kSource / "framework")) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".cc" && extension != ".h" && extension != ".inc") continue;
    ++files;
    std::ifstream in(entry.path());
    std::string line;
    for (int number = 1; std::getline(in, line); ++number) {
      const size_t comment = line.find("//");
      const std::string code = line.substr(0, comment);
      for (const std::string& name : names) {
        EXPECT_FALSE(absl::StrContains(code, absl::StrCat("\"", name, "\"")))
            << fs::relative(entry.path(), kSource) << ":" << number << " names the plugin " << name;
      }
    }
  }
  EXPECT_GT(files, 200) << "the test no longer finds the framework";
}

std::string Output(const std::string& command) {
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string output;
  char buffer[4096];
  while (size_t n = fread(buffer, 1, sizeof(buffer), pipe.get())) output.append(buffer, n);
  return output;
}

TEST(Arrows, NoLibTorchOutsideItsRooms) {
  const fs::path build = QATLAS_TEST_BUILD;
  const fs::path program = build / "bin" / "qatlas";
  ASSERT_TRUE(fs::exists(program));
  ASSERT_TRUE(absl::StrContains(Output("readelf -d '" + program.string() + "'"), "libstdc++"))
      << "readelf does not answer";
  EXPECT_FALSE(absl::StrContains(Output("readelf -d '" + program.string() + "'"), "libtorch"));
  EXPECT_FALSE(absl::StrContains(Output("readelf -d '" + program.string() + "'"), "libc10"));
  int libraries = 0;
  for (const auto& entry : fs::recursive_directory_iterator(build / "framework")) {
    const std::string name = entry.path().filename().string();
    if (entry.path().extension() != ".a" || name == "libqatlas_train.a") continue;
    ++libraries;
    const std::string symbols =
        Output("nm -u --demangle '" + entry.path().string() + "' 2>/dev/null");
    EXPECT_TRUE(absl::StrContains(symbols, "std::")) << "nm does not answer for " << name;
    for (const char* prefix : {" at::", " c10::", " torch::", " caffe2::"}) {
      EXPECT_FALSE(absl::StrContains(symbols, prefix)) << name << " uses LibTorch";
    }
  }
  EXPECT_GE(libraries, 8);
  for (const auto& entry : fs::directory_iterator(build / "lib" / "qatlas" / "plugins")) {
    const std::string name = entry.path().filename().string();
    if (!absl::StartsWith(name, "law-") && !absl::StartsWith(name, "scheme-")) continue;
    if (entry.path().extension() != ".so") continue;
    EXPECT_FALSE(
        absl::StrContains(Output("readelf -d '" + entry.path().string() + "'"), "libtorch"))
        << name;
  }
}

}  // namespace
