// The verbs plan, design, predict and score as a person types them.
#include <gtest/gtest.h>

#include <string>

#include "framework/observe/csv.h"
#include "tests/framework/cli/program.h"
#include "tests/framework/fit/simulate.h"
#include "tests/paths.h"

namespace qatlas {
namespace {

using testing::Output;
using testing::Qatlas;

class PlanVerbs : public testing::InFolder {};

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

// Sums, formulas and what is said of parameters, from a table, through a file, frozen and scored.
TEST_F(PlanVerbs, TakesFormulasAndSumsAsFitDoes) {
  observe::Table table = testing::QatRuns("w4a4", .03, 7);
  ASSERT_TRUE(observe::WriteCsv(File("runs.csv"), table).ok());
  const std::string formula = "'mine: delta = k * D^g * (log2 G)^h / N^n'";
  const std::string at = "plan at N=1B D=200B G=64 --json ";
  const Output plugin = Qatlas(at + "--table " + File("runs.csv") + " --law qat-unified");
  const Output text = Qatlas(at + "--table " + File("runs.csv") + " --law " + formula);
  ASSERT_EQ(plugin.code, 0) << plugin.text;
  ASSERT_EQ(text.code, 0) << text.text;
  const auto value = [](const Output& output) {
    return output.json()["answer"][0]["quantities"][0]["value"].get<double>();
  };
  EXPECT_NEAR(value(text) / value(plugin), 1, 1e-5);
  // Through a file, with a parameter held: the file says all that is needed to make the law again.
  ASSERT_EQ(Qatlas("fit " + File("runs.csv") + " --law " + formula +
                   " --fix h=0.7779 --start g=0..0.5 --bootstraps 0 -o " + File("fit.json"))
                .code,
            0);
  const Output held = Qatlas(at + "--fit " + File("fit.json"));
  ASSERT_EQ(held.code, 0) << held.text;
  const Output held_now =
      Qatlas(at + "--table " + File("runs.csv") + " --law " + formula + " --fix h=0.7779");
  EXPECT_NEAR(value(held) / value(held_now), 1, 1e-5);
  EXPECT_NE(value(held), value(text));

  const Output frozen = Qatlas("predict N=973M D=100B G=32,128 --table " + File("runs.csv") +
                               " --law qat-no-data --law " + formula + " --tie g=n --freeze " +
                               File("frozen.json") + " --target delta");
  ASSERT_EQ(frozen.code, 0) << frozen.text;
  observe::Table later = fit::Grid({{"N", {973e6}}, {"D", {100e9}}, {"G", {32, 128}}});
  const auto form = testing::Law("qat-unified");
  testing::AddTarget(&later, *form, testing::Preset(*form, "w4a4"), "delta", .03, 3);
  ASSERT_TRUE(observe::WriteCsv(File("later.csv"), later).ok());
  const Output score = Qatlas("score " + File("frozen.json") + " " + File("later.csv") + " --json");
  ASSERT_EQ(score.code, 0) << score.text;
  EXPECT_TRUE(score.json()["still_first"].is_boolean()) << score.text;
  const Output design = Qatlas(
      "design N=74M,145M,297M D=10B,20B,50B G=32,128 --preset "
      "chen-2025:w4a4 --runs 8 --rival 'delta = k * (log2 G)^h / N^n'");
  EXPECT_EQ(design.code, 0) << design.text;
}

TEST_F(PlanVerbs, AnswersFromASumFittedAtOnceAndInStages) {
  ASSERT_TRUE(observe::WriteCsv(File("runs.csv"), testing::PairedRuns(.003, .03, 5)).ok());
  const std::string at = "plan at N=600M D=60B G=64 precision=W4A4 --json --table " +
                         File("runs.csv") + " --law 'chinchilla + qat-unified'";
  const Output joint = Qatlas(at);
  const Output stages = Qatlas(at + " --stages");
  ASSERT_EQ(joint.code, 0) << joint.text;
  ASSERT_EQ(stages.code, 0) << stages.text;
  const auto delta = [](const Output& output) {
    const nlohmann::json answer = output.json();
    for (const nlohmann::json& quantity : answer["answer"][0]["quantities"]) {
      if (quantity["name"] == "delta") return quantity;
    }
    return nlohmann::json();
  };
  const auto form = testing::Law("qat-unified");
  const double truth = fit::Evaluate(*form, testing::Preset(*form, "w4a4"),
                                     fit::Grid({{"N", {600e6}}, {"D", {60e9}}, {"G", {64}}}))
                           .value()[0];
  EXPECT_NEAR(delta(stages)["value"].get<double>() / truth, 1, .05) << stages.text;
  // Pairs cancel what a run and its baseline share, so that the stages are much surer of δ.
  const auto width = [&](const Output& output) {
    const auto interval = delta(output)["interval"];
    return interval[1].get<double>() - interval[0].get<double>();
  };
  EXPECT_LT(width(stages), .5 * width(joint)) << joint.text << stages.text;
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
