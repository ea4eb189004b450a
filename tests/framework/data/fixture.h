// A scratch folder per test, and small files to put there.
#ifndef QATLAS_TESTS_FRAMEWORK_DATA_FIXTURE_H_
#define QATLAS_TESTS_FRAMEWORK_DATA_FIXTURE_H_

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "framework/data/hashing.h"
#include "framework/data/token_store.h"

namespace qatlas::data {

class DataTest : public ::testing::Test {
 protected:
  DataTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "qatlas-data-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
  }
  ~DataTest() override {
    std::error_code error;
    std::filesystem::remove_all(root_, error);
  }

  std::filesystem::path Put(const std::string& name, std::string_view content) const {
    const std::filesystem::path path = root_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    return path;
  }

  template <typename T>
  std::filesystem::path PutIds(const std::string& name, const std::vector<T>& ids,
                               const std::string& header = "") const {
    std::string content = header;
    content.append(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(T));
    return Put(name, content);
  }

  static std::string Content(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream content;
    content << file.rdbuf();
    return content.str();
  }

  std::filesystem::path cache() const { return root_ / "cache"; }

  // Names below the cache, but for the hashes of files.
  std::vector<std::string> CacheNames() const {
    std::vector<std::string> names;
    if (!std::filesystem::exists(cache())) return names;
    for (const auto& entry : std::filesystem::directory_iterator(cache())) {
      if (entry.path().filename() != "hashes") names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  std::filesystem::path root_;
};

// `documents` documents of made-up words, parted by blank lines. The same arguments, the same text.
inline std::string MakeCorpus(int documents, uint64_t seed) {
  static constexpr const char* kSyllables[] = {"ta", "ri",  "mon", "el",  "as",
                                               "ku", "ber", "o",   "shi", "n"};
  Random random(seed);
  std::string text;
  for (int d = 0; d < documents; ++d) {
    if (d > 0) text += "\n\n";
    const uint64_t words = 5 + random.Next() % 40;
    for (uint64_t w = 0; w < words; ++w) {
      if (w > 0) text += w % 11 == 0 ? "\n   " : " ";
      const uint64_t syllables = 1 + random.Next() % 4;
      for (uint64_t s = 0; s < syllables; ++s) text += kSyllables[random.Next() % 10];
    }
    text += '.';
  }
  return text;
}

inline std::vector<int64_t> ReadAll(const TokenStore& store) {
  std::vector<int64_t> ids(static_cast<size_t>(store.size()));
  store.Read(0, store.size(), ids.data());
  return ids;
}

inline std::string Message(const absl::Status& status) { return std::string(status.message()); }

}  // namespace qatlas::data

#endif  // QATLAS_TESTS_FRAMEWORK_DATA_FIXTURE_H_
