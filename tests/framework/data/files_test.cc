#include "framework/data/files.h"

#include <gmock/gmock.h>

#include <chrono>

#include "framework/data/publish.h"
#include "tests/framework/data/fixture.h"

namespace qatlas::data {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class FilesTest : public DataTest {
 protected:
  static void Age(const fs::path& path, int seconds) {
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::seconds(seconds));
  }
  int KeptHashes() const {
    if (!fs::exists(cache() / "hashes")) return 0;
    return static_cast<int>(std::distance(fs::directory_iterator(cache() / "hashes"), {}));
  }
};

TEST_F(FilesTest, HashesAreSha256) {
  EXPECT_EQ(HashFile(Put("abc", "abc"), {})->sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(HashFile(Put("none", ""), {})->bytes, 0);
}

TEST_F(FilesTest, KeptHashesAreTakenWhileTheFileIsTheSame) {
  const fs::path path = Put("abc", "abc");
  Age(path, 10);
  const std::string before = HashFile(path, cache())->sha256;
  ASSERT_EQ(KeptHashes(), 1);
  // Same size, inode and time: the kept hash is given, which shows that nothing was read.
  const auto time = fs::last_write_time(path);
  Put("abc", "xyz");
  fs::last_write_time(path, time);
  EXPECT_EQ(HashFile(path, cache())->sha256, before);
  EXPECT_NE(HashFile(path, {})->sha256, before);
  // Another time, or another size: read again.
  Age(path, 5);
  const std::string after = HashFile(path, cache())->sha256;
  EXPECT_NE(after, before);
  Put("abc", "longer");
  Age(path, 5);
  EXPECT_EQ(HashFile(path, cache())->sha256, HashFile(path, {})->sha256);
}

TEST_F(FilesTest, HashesOfFilesJustWrittenAreNotKept) {
  const fs::path path = Put("abc", "abc");
  Age(path, -10);  // not yet past
  ASSERT_TRUE(HashFile(path, cache()).ok());
  EXPECT_EQ(KeptHashes(), 0);
}

TEST_F(FilesTest, DamagedKeptHashesAreMadeAgain) {
  const fs::path path = Put("abc", "abc");
  Age(path, 10);
  const std::string before = HashFile(path, cache())->sha256;
  for (const auto& entry : fs::directory_iterator(cache() / "hashes")) {
    Put(fs::relative(entry.path(), root_).string(), "nonsense");
  }
  EXPECT_EQ(HashFile(path, cache())->sha256, before);
}

TEST_F(FilesTest, ExpandsFoldersAndGlobsInOrder) {
  for (const char* name : {"d/b.txt", "d/a.txt", "d/sub/c.txt", "d/.hidden", "d/.git/x", "e.md"}) {
    Put(name, name);
  }
  const auto expand = [this](std::vector<std::string> entries) {
    for (std::string& entry : entries) entry = (root_ / entry).string();
    std::vector<std::string> names;
    const auto files = ExpandFiles(entries, "files");
    for (const fs::path& path : *files) {
      names.push_back(fs::relative(path, root_).string());
    }
    return names;
  };
  EXPECT_THAT(expand({"d"}), ElementsAre("d/a.txt", "d/b.txt", "d/sub/c.txt"));
  EXPECT_THAT(expand({"e.md", "d/*.txt"}), ElementsAre("e.md", "d/a.txt", "d/b.txt"));
  EXPECT_THAT(expand({"d/{b,a}.txt"}), ElementsAre("d/b.txt", "d/a.txt"));
  Put("odd[1].txt", "a name that is no glob");
  EXPECT_THAT(expand({"odd[1].txt"}), ElementsAre("odd[1].txt"));
}

TEST_F(FilesTest, EntriesThatNameNothingAreErrors) {
  Put("a", "");
  const auto missing = ExpandFiles({(root_ / "a").string(), (root_ / "no*.txt").string()}, "files");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(missing.status()), AllOf(HasSubstr("files"), HasSubstr("no*.txt")));
  EXPECT_FALSE(ExpandFiles({}, "files").ok());
  fs::create_directory(root_ / "empty");
  EXPECT_THAT(Message(ExpandFiles({(root_ / "empty").string()}, "files").status()),
              HasSubstr("folders without files"));
}

TEST_F(FilesTest, WriteErrorsAreReported) {
  EXPECT_EQ(FileWriter::Create(Put("old", "kept")).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Content(root_ / "old"), "kept");
  EXPECT_THAT(Message(FileWriter::Create(root_ / "no" / "x").status()), HasSubstr("no/x"));
  EXPECT_FALSE(WriteWholeFile(root_ / "no" / "x", "").ok());
}

TEST_F(FilesTest, SpaceIsCheckedBeforehand) {
  EXPECT_TRUE(CheckSpace(root_, 1).ok());
  const absl::Status status = CheckSpace(root_, int64_t{1} << 60);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(Message(status), HasSubstr("MiB free"));
}

TEST_F(FilesTest, PublishedFoldersAppearWhole) {
  const fs::path left = root_ / ".part-x" / "left-by-the-dead";
  Put(".part-x/left-by-the-dead", "");
  {
    auto publisher = Publisher::Begin(root_, "x", {});
    ASSERT_TRUE(publisher.ok());
    EXPECT_FALSE((*publisher)->done());
    EXPECT_FALSE(fs::exists(left));
    EXPECT_TRUE(WriteWholeFile((*publisher)->folder() / "file", "content").ok());
    EXPECT_FALSE(fs::exists(root_ / "x"));
  }
  // Not committed: nothing is left, not even the lock.
  EXPECT_TRUE(fs::is_empty(root_));
  {
    auto publisher = Publisher::Begin(root_, "x", {});
    EXPECT_TRUE(WriteWholeFile((*publisher)->folder() / "file", "content").ok());
    EXPECT_TRUE((*publisher)->Commit().ok());
  }
  EXPECT_EQ(Content(root_ / "x" / "file"), "content");
  EXPECT_TRUE((*Publisher::Begin(root_, "x", {}))->done());
  EXPECT_EQ(std::distance(fs::directory_iterator(root_), {}), 1);
}

}  // namespace
}  // namespace qatlas::data
