// A report of a recipe shows that recipe's runs or none.
#include "framework/cli/study_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tests/framework/cli/program.h"

namespace qatlas::cli {
namespace {

using ::testing::HasSubstr;

constexpr char kRecipe[] = R"(
[recipe]
name = "my"
[training]
threads = 1
[[grid]]
name = "main"
schemes = ["w4a4", "fc2"]
[[fit]]
name = "delta"
laws = ["qat-unified"]
)";

class StudyCheck : public qatlas::testing::InFolder {
 protected:
  void SetUp() override {
    InFolder::SetUp();
    Write("recipe.resolved.toml", kRecipe);
    Write("plan.json", R"({"runs": [{"run": "a", "segments": ["1", "2"]}]})");
    Write("runs.json", R"({"a": {"status": "done", "segments": ["1", "2"]}})");
  }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(File(name)) << text;
  }
  static std::string Replaced(std::string text, const std::string& from, const std::string& to) {
    const size_t place = text.find(from);
    EXPECT_NE(place, std::string::npos);
    return text.replace(place, from.size(), to);
  }
};

TEST_F(StudyCheck, TheSameRunsMayBeFittedOtherwise) {
  EXPECT_TRUE(CheckStudyIsOf(kRecipe, folder_).ok());
  EXPECT_TRUE(CheckStudyIsOf(Replaced(kRecipe, "qat-unified", "qat-no-data"), folder_).ok());
  EXPECT_TRUE(CheckStudyIsOf(Replaced(kRecipe, "name = \"my\"", "name = \"other\""), folder_).ok());
}

TEST_F(StudyCheck, OtherRunsAreNamed) {
  for (const auto& [from, to, key] :
       {std::tuple{"[\"w4a4\", \"fc2\"]", "[\"w4a4\"]", "'grid.0.schemes"},
        std::tuple{"threads = 1", "threads = 2", "'training.threads'"}}) {
    const absl::Status status = CheckStudyIsOf(Replaced(kRecipe, from, to), folder_);
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("are of another recipe"));
    EXPECT_THAT(std::string(status.message()), HasSubstr(key));
  }
}

// A sweep that was killed has written its plan and no results.
TEST_F(StudyCheck, ResultsOfAnEarlierPlanAreNoneOfThisOne) {
  Write("plan.json", R"({"runs": [{"run": "a", "segments": ["1", "3"]}]})");
  const absl::Status status = CheckStudyIsOf(kRecipe, folder_);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("older than its last plan"));
  Write("plan.json", "{");
  EXPECT_TRUE(absl::IsDataLoss(CheckStudyIsOf(kRecipe, folder_)));
  std::filesystem::remove(File("plan.json"));
  EXPECT_FALSE(CheckStudyIsOf(kRecipe, folder_).ok());
}

}  // namespace
}  // namespace qatlas::cli
