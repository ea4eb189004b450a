// Prepared data as the worker opens it: what the data room wrote is read back the same.
#include "framework/train/open_data.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "framework/data/source.h"
#include "gtest/gtest.h"

namespace qatlas::train {
namespace {

namespace fs = std::filesystem;

class OpenDataTest : public ::testing::Test {
 protected:
  OpenDataTest() {
    std::string pattern = (fs::temp_directory_path() / "qatlas-open-data-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
  }
  ~OpenDataTest() override { fs::remove_all(root_); }

  data::SourceSpec TokenFiles(const std::string& name) {
    const fs::path file = root_ / name;
    std::vector<uint16_t> tokens;
    for (int i = 0; i < 4000; ++i) tokens.push_back(static_cast<uint16_t>((i * 7) % 100));
    std::ofstream(file, std::ios::binary)
        .write(reinterpret_cast<const char*>(tokens.data()),
               static_cast<std::streamsize>(tokens.size() * sizeof(uint16_t)));
    data::SourceSpec spec;
    spec.kind = data::SourceKind::kTokens;
    spec.tokens.files = {file.string()};
    spec.tokens.vocabulary = 100;
    spec.validation_fraction = .25;
    return spec;
  }

  fs::path root_;
};

TEST_F(OpenDataTest, TokenFilesAreReadWhereTheyLie) {
  const data::SourceSpec spec = TokenFiles("a.bin");
  auto prepared = data::Prepare(spec, root_ / "cache");
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  auto opened = OpenData(prepared->folder, prepared->identity);
  ASSERT_TRUE(opened.ok()) << opened.status();
  ASSERT_EQ(opened->train.size(), prepared->train.size());
  ASSERT_EQ(opened->validation.size(), 1000);
  std::vector<int64_t> expected(1000);
  std::vector<int64_t> found(1000);
  prepared->validation.Read(0, 1000, expected.data());
  opened->validation.Read(0, 1000, found.data());
  EXPECT_EQ(found, expected);
}

// The same tokens under another name are the same data, wherever the first file has gone.
TEST_F(OpenDataTest, FilesThatMovedAreFoundAfterPreparingAgain) {
  ASSERT_TRUE(data::Prepare(TokenFiles("a.bin"), root_ / "cache").ok());
  const data::SourceSpec moved = TokenFiles("b.bin");
  fs::remove(root_ / "a.bin");
  auto prepared = data::Prepare(moved, root_ / "cache");
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_TRUE(OpenData(prepared->folder, prepared->identity).ok());
}

TEST_F(OpenDataTest, DamagedPlacesAreAnError) {
  auto prepared = data::Prepare(TokenFiles("a.bin"), root_ / "cache");
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  std::ofstream(prepared->folder / data::kPlacesFile) << "{\"files\": 3}";
  const auto opened = OpenData(prepared->folder, prepared->identity);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.status().message().find("files.json"), std::string::npos);
}

}  // namespace
}  // namespace qatlas::train
