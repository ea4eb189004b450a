// Projects from templates; that they build and pass their own tests is tested in tests/outside.
#include "framework/forms/project.h"

#include <unistd.h>

#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/paths.h"

namespace qatlas::forms {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

const fs::path kTemplates = fs::path(paths::Source()) / "sdk/template";

class ProjectTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "qatlas-project-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(root_); }
  void Write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  fs::path root_;
};

TEST_F(ProjectTest, EveryKindHasWhatAProjectNeeds) {
  for (const std::string kind : {"quantizer", "scheme", "model"}) {
    auto values = NameValues(kind, "my-own2");
    ASSERT_TRUE(values.ok());
    values->insert({{"version", "1.2.3"}, {"series", "1.2"}});
    const auto files = FillTemplate(
        {kTemplates / kind, kTemplates / (kind == "scheme" ? "common" : "torch")}, *values);
    ASSERT_TRUE(files.ok()) << files.status();
    std::vector<std::string> paths;
    for (const ProjectFile& file : *files) {
      paths.push_back(file.path);
      EXPECT_THAT(file.text, Not(HasSubstr("@plugin@"))) << file.path;
    }
    for (const char* path : {"CMakeLists.txt", "my_own2.cc", "my_own2_test.cc", "README.md",
                             "recipe.toml", ".github/workflows/ci.yml", ".gitignore"}) {
      EXPECT_THAT(paths, Contains(path)) << kind;
    }
  }
}

TEST_F(ProjectTest, PlaceholdersAreFilledAndOtherAtSignsStay) {
  Write("plugin.cc", "@type@ of @plugin@ by a@b.org, checkout@v4 @@");
  const auto files = FillTemplate({root_}, *NameValues("law", "half-life"));
  ASSERT_TRUE(files.ok()) << files.status();
  ASSERT_EQ(files->size(), 1u);
  EXPECT_EQ((*files)[0].path, "half_life.cc");
  EXPECT_EQ((*files)[0].text, "HalfLife of half-life by a@b.org, checkout@v4 @@");
}

// A class Pow would hide the function Pow that formulas call.
TEST_F(ProjectTest, NoClassHidesWhatItsTemplateUses) {
  EXPECT_EQ(NameValues("law", "pow")->at("type"), "PowForm");
  EXPECT_EQ(NameValues("law", "power")->at("type"), "Power");
  EXPECT_EQ(NameValues("model", "shape")->at("type"), "ShapeBuilder");
}

TEST_F(ProjectTest, APlaceholderWithoutAValueAndAMissingTemplateAreErrors) {
  Write("a.txt", "@nonsense@");
  const auto values = NameValues("law", "x");
  EXPECT_THAT(std::string(FillTemplate({root_}, *values).status().message()),
              HasSubstr("placeholder @nonsense@ has no value"));
  EXPECT_EQ(FillTemplate({root_ / "gone"}, *values).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ProjectTest, NamesThatCannotBeAreRefused) {
  for (const char* name :
       {"", "Half", "half life", "-x", "x-", "a--b", "3d", "../x", "a/b", "a_b"}) {
    EXPECT_EQ(NameValues("law", name).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

TEST_F(ProjectTest, NothingIsOverwritten) {
  Write("there/mine.txt", "mine");
  EXPECT_EQ(WriteProject(root_ / "there", {{"CMakeLists.txt", ""}}).code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_FALSE(fs::exists(root_ / "there" / "CMakeLists.txt"));
  Write("file", "mine");
  EXPECT_EQ(WriteProject(root_ / "file", {}).code(), absl::StatusCode::kAlreadyExists);
  fs::create_directory(root_ / "empty");
  EXPECT_TRUE(WriteProject(root_ / "empty", {{"a/b.txt", "x"}}).ok());
  EXPECT_TRUE(fs::exists(root_ / "empty" / "a" / "b.txt"));
}

}  // namespace
}  // namespace qatlas::forms
