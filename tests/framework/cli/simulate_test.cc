// qatlas simulate: tables that a law made, which a fit finds again.
#include <fstream>
#include <sstream>

#include "gmock/gmock.h"
#include "tests/framework/cli/program.h"

namespace qatlas::testing {
namespace {

using ::testing::HasSubstr;

class Simulate : public InFolder {
 protected:
  static std::string Text(const std::string& file) {
    std::stringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
  }
};

constexpr char kGrid[] = "N=30M,100M,300M,1B D=1B,4B,16B G=16,64,256";

TEST_F(Simulate, AFitFindsTheValuesAgain) {
  const std::string table = File("runs.csv");
  const Output written =
      Qatlas(std::string("--json simulate ") + kGrid + " --law qat-unified --fix k=3.5 " +
             "--fix gammaD=.07 --fix gammaG=.8 --fix gammaN=.23 --error .01 -o " + table);
  ASSERT_EQ(written.code, 0) << written.text;
  EXPECT_EQ(written.json()["rows"], 36);
  EXPECT_EQ(written.json()["target"], "delta");
  const Output fitted =
      Qatlas("--json fit " + table + " --law qat-unified --target delta --bootstraps 0");
  ASSERT_EQ(fitted.code, 0) << fitted.text;
  const nlohmann::json fit = fitted.json()["ranking"][0]["fit"];
  const std::map<std::string, double> truth = {
      {"k", 3.5}, {"gammaD", .07}, {"gammaG", .8}, {"gammaN", .23}};
  for (const nlohmann::json& parameter : fit["parameters"]) {
    const double value = truth.at(parameter["name"]);
    EXPECT_NEAR(parameter["value"].get<double>(), value,
                4 * parameter["standard_error"].get<double>())
        << parameter["name"];
  }
  EXPECT_NEAR(fit["mean_relative_error"].get<double>(), .008, .003);  // E|z| of .01
}

TEST_F(Simulate, TheSeedDecidesTheNoise) {
  const std::string words = std::string("simulate ") + kGrid + " --law qat-unified --preset w4a4 ";
  for (const char* name : {"1 -o ", "2 -o ", "1 -o "}) {
    static int count = 0;
    const Output output = Qatlas(words + "--seed " + name + File(std::to_string(count++)));
    ASSERT_EQ(output.code, 0) << output.text;
  }
  EXPECT_EQ(Text(File("0")), Text(File("2")));
  EXPECT_NE(Text(File("0")), Text(File("1")));
}

TEST_F(Simulate, WithoutNoiseRowsAreTheFormula) {
  const Output output = Qatlas(
      "simulate N=4 D=10,20 --law 'delta = k * D / N^a' --fix k=3 --fix a=.5 "
      "--error 0 -o " +
      File("runs.csv"));
  ASSERT_EQ(output.code, 0) << output.text;
  EXPECT_EQ(Text(File("runs.csv")), "D,N,delta\n10,4,15\n20,4,30\n");
}

TEST_F(Simulate, WhatIsNotGivenIsAskedFor) {
  const std::string end = " -o " + File("runs.csv");
  Output output = Qatlas("simulate N=1B D=1B,2B G=32 --law qat-unified --fix k=1" + end);
  EXPECT_EQ(output.code, 3);
  EXPECT_THAT(output.text, HasSubstr("add --fix gammaN=... --fix gammaD=... --fix gammaG=..."));
  output = Qatlas("simulate N=1B G=32 --law qat-unified --preset w4a4" + end);
  EXPECT_THAT(output.text, HasSubstr("no column 'D'"));
  output =
      Qatlas("simulate N=1B D=1B G=32 --law qat-unified --preset w4a4 --per k=precision" + end);
  EXPECT_THAT(output.text, HasSubstr("k has a value for each category"));
  EXPECT_FALSE(std::filesystem::exists(File("runs.csv")));
}

}  // namespace
}  // namespace qatlas::testing
