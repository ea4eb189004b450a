// What `report` writes, what it removes, what it says of what could not be made, and its exit
// codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "framework/cli/session.h"
#include "tests/framework/cli/program.h"

namespace qatlas {
namespace {

namespace fs = std::filesystem;

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Output;
using testing::Qatlas;

class AnalysisTest : public testing::InFolder {
 protected:
  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(File(name)) << text;
    return File(name);
  }
  std::string ReadAll(const std::string& name) {
    std::ifstream in(File(name));
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }
  // Losses and, with `pairs`, δ of 4-bit runs.
  std::string Table(const std::string& name, bool pairs) {
    std::string text = "model,N,D,G,scheme,part,weight_bits,input_bits,seed,loss,delta\n";
    for (double n : {1e6, 4e6, 16e6}) {
      for (double d : {1e7, 4e7, 16e7}) {
        const double loss = 1.7 + 400 / std::pow(n, .34) + 410 / std::pow(d, .28) +
                            .002 * std::sin(n / 1e5 + d / 1e6);
        absl::StrAppend(&text, n, ",", n, ",", d, ",,fp,none,,,1,", loss, ",\n");
        const double delta = .3 * std::pow(d, .07) / std::pow(n, .22);
        if (pairs) {
          absl::StrAppend(&text, n, ",", n, ",", d, ",32,wa,both,4,4,1,", loss + delta, ",", delta,
                          "\n");
        }
      }
    }
    return Write(name, text);
  }
};

TEST_F(AnalysisTest, FitsHaveAFolderOfTheirOwnAndStaleResultsGo) {
  const std::string with = Table("with.csv", true), without = Table("without.csv", false);
  const std::string out = File("out");
  // Somebody's own file beside them stays.
  fs::create_directories(out + "/fits");
  std::ofstream(out + "/fits/mine.json") << "{}";
  const std::string options = " --bootstraps 0 --no-evidence -o " + out;
  Output output = Qatlas("report " + with + " --laws qat-size-only" + options);
  ASSERT_EQ(output.code, 0) << output.text;
  EXPECT_TRUE(fs::exists(out + "/fits/fit.json"));
  EXPECT_TRUE(fs::exists(out + "/decomposition.json"));
  EXPECT_TRUE(fs::exists(out + "/report/data/delta-data-W4A4.csv"));
  output = Qatlas("report " + without + options);
  ASSERT_EQ(output.code, 0) << output.text;
  EXPECT_FALSE(fs::exists(out + "/fits/fit.json"));
  EXPECT_FALSE(fs::exists(out + "/decomposition.json"));
  EXPECT_FALSE(fs::exists(out + "/report/data/delta-data-W4A4.csv"));
  EXPECT_TRUE(fs::exists(out + "/fits/mine.json"));
  EXPECT_TRUE(fs::exists(out + "/report/data/observations.csv"));
}

TEST_F(AnalysisTest, WhatCouldNotBeMadeIsSaidOnStderrAndInTheExitCode) {
  Table("runs.csv", true);
  const std::string recipe =
      Write("lab.toml",
            absl::StrCat("[observations]\nfiles = ['", File("runs.csv"),
                         "']\n[[fit]]\nname = 'good'\nlaws = ['qat-size-only']\nbootstraps = 0\n"
                         "[[fit]]\nname = 'none'\nlaws = ['qat-size-only']\nwhere = 'N > 1e12'\n"));
  const std::string out = File("out");
  const Output output = Qatlas("report " + recipe + " -o " + out);
  EXPECT_EQ(output.code, cli::kBadInput) << output.text;
  EXPECT_THAT(output.text, HasSubstr("warning: Fit 'none' of the delta was not made: "));
  EXPECT_THAT(output.text, Not(HasSubstr("'good'")));
  // The rest is there, and the page says the same.
  EXPECT_TRUE(fs::exists(out + "/fits/good.json"));
  EXPECT_THAT(ReadAll("out/report/report.json"), HasSubstr("Fit 'none' of the delta was not made"));
  const Output json = Qatlas("--json report " + recipe + " -o " + out);
  EXPECT_EQ(json.code, cli::kBadInput);
  EXPECT_EQ(json.json()["failures"].size(), 1u) << json.text;
}

TEST_F(AnalysisTest, NotesOfRowsNameTheirFit) {
  const std::string table = Table("runs.csv", true);
  const std::string out = File("out");
  const Output output = Qatlas("report " + table +
                               " --laws chinchilla-tied --target loss --bootstraps 0 "
                               "--no-evidence -o " +
                               out);
  ASSERT_EQ(output.code, 0) << output.text;
  EXPECT_THAT(ReadAll("out/report/report.json"),
              HasSubstr("Fit 'fit': 9 quantized rows were left out"));
}

// A limit on the size of files stands in for a full disk: the page has 4 MB of Plotly in it.
TEST_F(AnalysisTest, AReportThatCannotBeWrittenLeavesTheOldOne) {
  const std::string with = Table("with.csv", true), without = Table("without.csv", false);
  const std::string out = File("out");
  const std::string limited =
      absl::StrCat("bash -c \"trap '' XFSZ; ulimit -f 64; ", paths::Programs(), "/qatlas report ");
  const auto run = [&](const std::string& table) {
    const std::string command = limited + table + " -o " + out + "\" >/dev/null 2>&1";
    const int status = std::system(command.c_str());
    return WEXITSTATUS(status);
  };
  EXPECT_EQ(run(with), cli::kFailed);
  EXPECT_FALSE(fs::exists(out + "/report"));
  ASSERT_EQ(Qatlas("report " + without + " -o " + out).code, 0);
  const std::string page = ReadAll("out/report/report.html");
  EXPECT_EQ(run(with), cli::kFailed);
  EXPECT_EQ(ReadAll("out/report/report.html"), page);
  EXPECT_FALSE(fs::exists(out + "/report/data/delta-data-W4A4.csv"));
  EXPECT_FALSE(fs::exists(out + "/report/.partial"));
}

TEST(ExitCodes, TellWhatAPersonGaveFromFilesAndDisk) {
  using absl::StatusCode;
  for (const auto& [code, exit] : {std::pair{StatusCode::kInvalidArgument, cli::kBadInput},
                                   std::pair{StatusCode::kNotFound, cli::kBadInput},
                                   std::pair{StatusCode::kFailedPrecondition, cli::kBadInput},
                                   std::pair{StatusCode::kDataLoss, cli::kBadInput},
                                   std::pair{StatusCode::kResourceExhausted, cli::kFailed},
                                   std::pair{StatusCode::kPermissionDenied, cli::kFailed},
                                   std::pair{StatusCode::kUnavailable, cli::kFailed}}) {
    EXPECT_EQ(cli::CodeOfTable(absl::Status(code, "")), exit) << static_cast<int>(code);
  }
}

}  // namespace
}  // namespace qatlas
