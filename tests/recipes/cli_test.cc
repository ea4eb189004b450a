// The command line as a person meets it: answers, messages, exit codes.
#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/recipes/program.h"

namespace qatlas::testing {
namespace {

std::vector<std::string> Command(std::vector<std::string> words) {
  words.insert(words.begin(), Qatlas());
  return words;
}

TEST(CommandLine, HelpNamesEveryVerb) {
  const Finished help = RunProgram(Command({"--help"}));
  EXPECT_EQ(help.exit_code, 0);
  for (const char* verb : {"run", "fit", "compare", "report", "status", "recipe", "plugin", "data",
                           "store", "export", "doctor"}) {
    EXPECT_TRUE(absl::StrContains(help.output, std::string("  ") + verb)) << verb;
  }
}

TEST(CommandLine, PluginsAreListedAndDescribed) {
  const Finished list = RunProgram(Command({"plugin", "ls", "--json"}));
  ASSERT_EQ(list.exit_code, 0) << list.output;
  const auto json = nlohmann::json::parse(list.output);
  EXPECT_GE(json["components"].size(), 10u);
  EXPECT_TRUE(json["passed_over"].empty()) << json["passed_over"].dump();
  const Finished info = RunProgram(Command({"plugin", "info", "int"}));
  EXPECT_EQ(info.exit_code, 0);
  EXPECT_TRUE(absl::StrContains(info.output, "granularity")) << info.output;
  const Finished unknown = RunProgram(Command({"plugin", "info", "itn"}));
  EXPECT_EQ(unknown.exit_code, 4);
  EXPECT_TRUE(absl::StrContains(unknown.output, "itn")) << unknown.output;
}

TEST(CommandLine, EveryRecipeIsValid) {
  for (const char* name : {"quickstart", "smoke", "chen2025", "chen2025-mini"}) {
    const Finished finished = RunProgram(Command({"recipe", "validate", name}));
    EXPECT_EQ(finished.exit_code, 0) << name << ": " << finished.output;
  }
}

TEST(CommandLine, BadInputHasItsOwnExitCode) {
  EXPECT_EQ(RunProgram(Command({})).exit_code, 2);
  EXPECT_EQ(RunProgram(Command({"nonsense"})).exit_code, 2);
  EXPECT_EQ(RunProgram(Command({"recipe", "validate", "no-such-recipe"})).exit_code, 3);
  const Finished typo =
      RunProgram(Command({"recipe", "validate", "smoke", "training.batch_seqences=4"}));
  EXPECT_EQ(typo.exit_code, 3);
  EXPECT_TRUE(absl::StrContains(typo.output, "batch_sequences")) << typo.output;
}

// A group size that does not divide the features is known before any training.
TEST(CommandLine, GroupThatDoesNotDivideIsRefusedBeforeTraining) {
  TemporaryFolder folder;
  const Finished finished = RunProgram(Command({"run", (kRecipes / "smoke.toml").string(),
                                                "--store", (folder.path() / "store").string(),
                                                "--jobs", "2", "grid.main.options={group=[24]}"}));
  EXPECT_EQ(finished.exit_code, 3) << finished.output;
  EXPECT_TRUE(absl::StrContains(finished.output, "24")) << finished.output;
  EXPECT_FALSE(fs::exists(folder.path() / "store" / "segments") &&
               !fs::is_empty(folder.path() / "store" / "segments"));
}

// The paper's grid is planned (parameter counts, FLOPs, time) without its data and never trained.
TEST(CommandLine, PaperGridIsPlanned) {
  TemporaryFolder folder;
  const Finished finished = RunProgram(Command(
      {"run", "chen2025", "--dry-run", "--json", "--store", (folder.path() / "store").string(),
       "data={source=\"synthetic\", vocabulary=128256, train_tokens=1000000, "
       "validation_tokens=100000}"}));
  ASSERT_EQ(finished.exit_code, 0) << finished.output;
  const auto plan = nlohmann::json::parse(finished.output, nullptr, false);
  ASSERT_TRUE(plan.is_object()) << finished.output.substr(0, 400);
  EXPECT_FALSE(fs::exists(folder.path() / "store"));
}

TEST(CommandLine, CompareNeedsNoTraining) {
  TemporaryFolder folder;
  const fs::path csv = folder.path() / "runs.csv";
  {
    // L = 1.7 + 400/N^.34 + 410/D^.28 with a deterministic wiggle.
    std::ofstream out(csv);
    out << "N,D,loss\n";
    int i = 0;
    for (double n : {1e7, 3e7, 1e8, 3e8, 1e9}) {
      for (double d : {1e9, 3e9, 1e10, 3e10}) {
        const double wiggle = 1 + 1e-3 * ((i++ * 7) % 5 - 2);
        out << n << "," << d << ","
            << (1.7 + 400 / std::pow(n, .34) + 410 / std::pow(d, .28)) * wiggle << "\n";
      }
    }
  }
  const Finished finished =
      RunProgram(Command({"compare", csv.string(), "--laws", "chinchilla,chinchilla-tied",
                          "--target", "loss", "--bootstraps", "50", "--json"}));
  ASSERT_EQ(finished.exit_code, 0) << finished.output;
  const auto json = nlohmann::json::parse(finished.output, nullptr, false);
  ASSERT_TRUE(json.is_object()) << finished.output;
  EXPECT_EQ(json["ranking"].size(), 2u);
}

}  // namespace
}  // namespace qatlas::testing
