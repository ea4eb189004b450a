// A temporary folder of plugins.
#ifndef QATLAS_TESTS_FRAMEWORK_PLUGIN_FOLDER_H_
#define QATLAS_TESTS_FRAMEWORK_PLUGIN_FOLDER_H_

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "qatlas/component.h"

namespace qatlas::plugin {

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "qatlas-test-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return absl::StrCat(path_, "/", name); }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(File(name), std::ios::binary) << text;
  }
  // Copies a built library (and its manifest where it has one) into the folder.
  void Copy(const std::string& library, const std::string& as = "") const {
    const std::filesystem::path from = std::filesystem::path(QATLAS_TEST_BROKEN) / library;
    std::filesystem::copy_file(from.string() + ".so", File((as.empty() ? library : as) + ".so"));
    if (std::filesystem::exists(from.string() + ".toml")) {
      std::filesystem::copy_file(from.string() + ".toml",
                                 File((as.empty() ? library : as) + ".toml"));
    }
  }

 private:
  std::string path_;
};

// The manifest of a hand-written plugin (broken/raw.h), as it would be if the library told the
// truth.
inline std::string RawManifest(const std::string& name, const std::string& libtorch = "",
                               int abi = QATLAS_SDK_ABI) {
  return absl::StrCat("manifest = 1\nlibrary = \"", name, ".so\"\nname = \"", name,
                      "\"\nversion = \"1.0.0\"\nsdk-abi = ", abi, "\nlibtorch = \"", libtorch,
                      "\"\ncxx-abi = \"", QATLAS_CXX_ABI, "\"\nabseil = \"", QATLAS_ABSEIL,
                      "\"\ncompiler = \"test\"\n\n[[component]]\nkind = \"scheme\"\nname = \"",
                      name,
                      "\"\nsummary = \"Broken on purpose\"\ncitation = \"\"\nnumerics = 1\n"
                      "abilities = []\n");
}

}  // namespace qatlas::plugin

#endif  // QATLAS_TESTS_FRAMEWORK_PLUGIN_FOLDER_H_
