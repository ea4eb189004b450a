// A catalog for recipes: the real schemes, and manifests of quantizers, models and laws whose
// libraries need not be there to read a recipe.
#ifndef QATLAS_TESTS_FRAMEWORK_RECIPE_PLUGINS_H_
#define QATLAS_TESTS_FRAMEWORK_RECIPE_PLUGINS_H_

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "framework/plugin/catalog.h"
#include "qatlas/component.h"
#include "tests/paths.h"

namespace qatlas::recipe {

class Plugins {
 public:
  Plugins() {
    std::string pattern = (std::filesystem::temp_directory_path() / "qatlas-test-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    for (const char* name : {"scheme-uniform", "scheme-mixed-fc2"}) {
      for (const char* extension : {".so", ".toml"}) {
        const std::string file = absl::StrCat(name, extension);
        std::filesystem::copy_file(std::filesystem::path(paths::Plugins()) / file,
                                   std::filesystem::path(folder_) / file);
      }
    }
    const std::string bits = Option("bits", "int", "4", "minimum = 2.0\nmaximum = 8.0\n");
    const std::string shape = Option("granularity", "string", "group",
                                     "choices = [\"tensor\", \"channel\", \"group\"]\n") +
                              Option("group", "int", "64", "minimum = 1.0\n");
    const std::string divisor =
        Option("divisor", "string", "chen", "choices = [\"chen\", \"symmetric\", \"half\"]\n");
    Write("int", Component("quantizer", "int", "[\"weight\", \"input\"]") + bits + shape + divisor +
                     Option("clip", "string", "absmax", "choices = [\"absmax\", \"learned\"]\n"));
    Write("lsq", Component("quantizer", "lsq", "[\"weight\"]") + bits +
                     Option("granularity", "string", "channel",
                            "choices = [\"tensor\", \"channel\", \"group\"]\n") +
                     Option("group", "int", "64", "minimum = 1.0\n"));
    Write("lr-qat", Component("quantizer", "lr-qat", "[\"weight\", \"linear\"]") + bits +
                        Option("rank", "int", "32", "minimum = 1.0\n") +
                        Option("alpha", "float", "32.0", "") + Option("a_lr", "float", "1e-3", "") +
                        Option("b_lr", "float", "1e-3", "") +
                        Option("scale_lr", "float", "1e-5", ""));
    Write("sign", Component("quantizer", "sign", "[\"bits:1\", \"granularity:channel\"]"));
    Write("llama",
          Component("model", "llama", "[\"role:qkv\", \"role:o\", \"role:fc1\", \"role:fc2\"]") +
              Option("layers", "int", nullptr, "minimum = 1.0\n") +
              Option("width", "int", nullptr, "minimum = 2.0\n") +
              Option("ffn", "int", nullptr, "") + Option("heads", "int", nullptr, "") +
              Option("kv_heads", "int", "0", "") + Option("vocabulary", "int", nullptr, "") +
              Option("tied", "bool", "false", ""));
    std::string laws;
    for (const char* law : {"qat-unified", "qat-no-data", "qat-size-only", "effective-parameter",
                            "chinchilla", "chinchilla-tied"}) {
      laws += Component("law", law, "[]");
    }
    Write("laws", laws);
    catalog_ = plugin::Catalog::Scan({folder_});
  }
  ~Plugins() { std::filesystem::remove_all(folder_); }

  const plugin::Catalog& catalog() const { return catalog_; }
  const std::string& folder() const { return folder_; }

 private:
  static std::string Component(const std::string& kind, const std::string& name,
                               const std::string& abilities) {
    return absl::StrCat(
        "\n[[component]]\nkind = \"", kind, "\"\nname = \"", name,
        "\"\nsummary = \"\"\ncitation = \"\"\nnumerics = 5\nabilities = ", abilities, "\n");
  }
  static std::string Option(const char* name, const char* type, const char* value,
                            const char* further) {
    std::string text = absl::StrCat("[[component.option]]\nname = \"", name, "\"\ntype = \"", type,
                                    "\"\nhelp = \"\"\n", further);
    if (value != nullptr) absl::StrAppend(&text, "default = \"", value, "\"\n");
    return text;
  }
  void Write(const std::string& name, const std::string& components) const {
    std::ofstream(folder_ + "/" + name + ".toml")
        << "manifest = 1\nlibrary = \"" << name << ".so\"\nname = \"" << name
        << "\"\nversion = \"1.0.0\"\nsdk-abi = " << QATLAS_SDK_ABI
        << "\nlibtorch = \"2.11.0\"\ncxx-abi = \"" << QATLAS_CXX_ABI << "\"\nabseil = \""
        << QATLAS_ABSEIL << "\"\ncompiler = \"test\"\n"
        << components;
    std::ofstream(folder_ + "/" + name + ".so") << "";
  }

  std::string folder_;
  plugin::Catalog catalog_;
};

inline const Plugins& ThePlugins() {
  static const Plugins plugins;
  return plugins;
}

// A recipe in which everything is in order: lines 1 to 19.
inline constexpr char kHead[] = R"([data]
source = "synthetic"
vocabulary = 32
train_tokens = 100000
validation_tokens = 10000

[training]
sequence_length = 16
batch_sequences = 4
warmup_tokens = 128

[model.a]
use = "llama"
layers = 1
width = 16
ffn = 32
heads = 2
learning_rate = 0.01

)";

}  // namespace qatlas::recipe

#endif  // QATLAS_TESTS_FRAMEWORK_RECIPE_PLUGINS_H_
