// The verbs plan, design, predict and score as a person types them.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "framework/observe/csv.h"
#include "tests/framework/fit/simulate.h"
#include "tests/paths.h"

namespace qatlas {
namespace {

namespace fs = std::filesystem;

struct Output {
  int code = -1;
  std::string text;
  nlohmann::json json() const { return nlohmann::json::parse(text, nullptr, false); }
};

Output Qatlas(const std::string& arguments) {
  const std::string command =
      paths::Programs() + "/qatlas --plugin-path " + paths::Plugins() + " " + arguments + " 2>&1";
  Output output;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return output;
  std::array<char, 4096> buffer;
  size_t got;
  while ((got = fread(buffer.data(), 1, buffer.size(), pipe)) > 0) {
    output.text.append(buffer.data(), got);
  }
  const int status = pclose(pipe);
  output.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return output;
}

class PlanVerbs : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() /
              ("qatlas-plan-" +
               std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string File(const std::string& name) const { return (folder_ / name).string(); }
  fs::path folder_;
};

TEST_F(PlanVerbs, AnswersFromPublishedConstantsWithoutAnyData) {
  const Output at = Qatlas("plan at N=594.54M D=100B G=32 --preset chen-2025:w4a4 --json");
  ASSERT_EQ(at.code, 0) << at.text;
  const nlohmann::json json = at.json();
  ASSERT_TRUE(json.is_object()) << at.text;
  double delta = 0;
  for (const auto& quantity : json["answer"][0]["quantities"]) {
    if (quantity["name"] == "delta") delta = quantity["value"];
  }
  EXPECT_NEAR(delta, .0441, 6e-5);
  const Output text = Qatlas(
      "plan optimal --flops 1e21 G=128 --preset chen-2025:w4a4 "
      "--relative-error .047 --overhead .3");
  EXPECT_EQ(text.code, 0) << text.text;
  EXPECT_NE(text.text.find("95%"), std::string::npos) << text.text;
  EXPECT_EQ(text.text.find("nan"), std::string::npos) << text.text;
  for (const char* question :
       {"plan crossing N=74.32M G=32 --preset chen-2025:w4a16 --preset chen-2025:w16a4",
        "plan mixed N=7B D=1T G=128 --cost .05 --preset chen-2025:w4a4 --preset "
        "chen-2025:w4a4-fc2-8bit",
        "plan parity D=1T G=32 --preset chen-2025:w4a16",
        "plan cheapest N=595M D=100B G=32,128 --delta .05 --preset chen-2025:w4a4",
        "plan memory --bytes 4B --ratio 20 G=32,128 --preset chen-2025:w4a4",
        "plan split N=86M D=2.3B weight_bits=4 --preset optimal-fraction:dremov-2025",
        "design N=74M,145M,297M D=10B,20B,50B G=32,128 --preset chen-2025:w4a4 --rival "
        "qat-no-data --runs 8",
        "design N=74M,145M D=10B,50B G=32,128 --preset chen-2025:w4a4 --wanted gammaD --runs 5"}) {
    const Output output = Qatlas(question);
    EXPECT_EQ(output.code, 0) << question << "\n" << output.text;
    const Output as_json = Qatlas(std::string(question) + " --json");
    EXPECT_TRUE(as_json.json().is_object()) << as_json.text;
  }
}

TEST_F(PlanVerbs, FitsFreezesAndScores) {
  const observe::Table table = testing::QatRuns("w4a4", .03, 7);
  ASSERT_TRUE(observe::WriteCsv(File("runs.csv"), table).ok());
  const std::string fit =
      "fit " + File("runs.csv") + " --law qat-unified --bootstraps 0 -o " + File("fit.json");
  ASSERT_EQ(Qatlas(fit).code, 0);
  const Output from_file = Qatlas("plan at N=1B D=200B G=64 --fit " + File("fit.json") + " --json");
  const Output from_table =
      Qatlas("plan at N=1B D=200B G=64 --table " + File("runs.csv") + " --law qat-unified --json");
  ASSERT_EQ(from_file.code, 0) << from_file.text;
  ASSERT_EQ(from_table.code, 0) << from_table.text;
  EXPECT_EQ(from_file.json()["answer"][0]["quantities"],
            from_table.json()["answer"][0]["quantities"]);
  EXPECT_TRUE(from_file.json()["answer"][0]["quantities"][0]["interval"].is_array());
  EXPECT_FALSE(from_file.json()["warnings"].empty()) << "N and D lie beyond the runs";

  const std::string freeze = "predict N=973M,2.8B D=100B G=32,128 --table " + File("runs.csv") +
                             " --law qat-unified,qat-no-data --freeze " + File("frozen.json");
  const Output frozen = Qatlas(freeze + " --json");
  ASSERT_EQ(frozen.code, 0) << frozen.text;
  const Output again = Qatlas(freeze);
  EXPECT_NE(again.code, 0);
  EXPECT_NE(again.text.find("never rewritten"), std::string::npos) << again.text;

  observe::Table later = fit::Grid({{"N", {973e6, 2.8e9}}, {"D", {100e9}}, {"G", {32, 128}}});
  const auto form = testing::Law("qat-unified");
  testing::AddTarget(&later, *form, testing::Preset(*form, "w4a4"), "delta", .03, 3);
  ASSERT_TRUE(observe::WriteCsv(File("later.csv"), later).ok());
  const std::string hash = frozen.json()["frozen"]["sha256"];
  const Output score = Qatlas("score " + File("frozen.json") + " " + File("later.csv") +
                              " --hash " + hash.substr(0, 10) + " --json");
  ASSERT_EQ(score.code, 0) << score.text;
  EXPECT_EQ(score.json()["runs"].size(), 4u);
  EXPECT_EQ(score.json()["chosen"], "qat-unified");
  EXPECT_EQ(score.json()["still_first"], true) << score.text;
  const Output wrong =
      Qatlas("score " + File("frozen.json") + " " + File("later.csv") + " --hash 00000000ff");
  EXPECT_EQ(wrong.code, 3) << wrong.text;
}

TEST_F(PlanVerbs, BadInputEndsInOneLine) {
  for (const char* arguments :
       {"plan at N=1e9", "plan at N=x --preset chen-2025:w4a4", "plan at --preset chen-2025:w4a4",
        "plan at N=1e9 D=1e9 G=32 --preset chen-2025:w9a9",
        "plan optimal --flops -3 G=32 --preset chen-2025:w4a4",
        "plan optimal --flops 1e21 G=32 --preset qat-unified:w4a4",
        "plan crossing N=1e9 G=32 --preset chen-2025:w4a4",
        "plan memory --bytes 1B G=32 --preset chen-2025:w4a4",
        "design N=1e8 D=1e9 G=32 --preset chen-2025:w4a4 --runs 3",
        "predict N=1B D=1B G=32 --preset chen-2025:w4a4 --freeze /nowhere/at/all.json "
        "--relative-error .05"}) {
    const Output output = Qatlas(arguments);
    EXPECT_TRUE(output.code == 3 || output.code == 1) << arguments << "\n" << output.text;
    EXPECT_NE(output.text.find("error: "), std::string::npos) << arguments << "\n" << output.text;
  }
  EXPECT_EQ(Qatlas("plan").code, 2);
  EXPECT_EQ(Qatlas("plan why").code, 2);
}

}  // namespace
}  // namespace qatlas
