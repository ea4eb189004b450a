// The whole road with the real programs: train, decompose, fit, compare, report; killed, run again,
// and compared byte for byte with an undisturbed run.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <random>
#include <string>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/recipes/program.h"

namespace qatlas::testing {
namespace {

// Half of the recipe, in which its fits can still be made.
const std::vector<std::string> kSmaller = {"grid.main.tokens=[32768, 65536]",
                                           "grid.main.seeds=[1, 2]",
                                           "grid.parts.parts=[\"weights\", \"fc2-8bit\"]"};

std::vector<std::string> RunCommand(const fs::path& store) {
  std::vector<std::string> command = {Qatlas(), "run", (kRecipes / "smoke.toml").string()};
  command.insert(command.end(), kSmaller.begin(), kSmaller.end());
  command.insert(command.end(), {"--store", store.string(), "--jobs", "2"});
  return command;
}

size_t Entries(const fs::path& folder) {
  std::error_code error;
  size_t count = 0;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    ++count;
  }
  return count;
}

// Whether a folder below holds the file.
bool AnyHas(const fs::path& folder, const char* file) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code gone;
    if (fs::exists(entry->path() / file, gone)) return true;
  }
  return false;
}

// Without taking its status: Wait() does.
bool Ended(pid_t pid) {
  siginfo_t info = {};
  return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == pid;
}

TEST(Smoke, DryRunWritesNothing) {
  TemporaryFolder folder;
  std::vector<std::string> command = RunCommand(folder.path() / "store");
  command.push_back("--dry-run");
  const Finished finished = RunProgram(command);
  EXPECT_EQ(finished.exit_code, 0) << finished.output;
  EXPECT_TRUE(absl::StrContains(finished.output, "segments")) << finished.output;
  EXPECT_FALSE(fs::exists(folder.path() / "store"));
}

TEST(Smoke, KilledAtSeededMomentsAndRunAgainGivesTheSameBytes) {
  TemporaryFolder folder;
  const fs::path undisturbed = folder.path() / "undisturbed";
  const Finished whole = RunProgram(RunCommand(undisturbed));
  ASSERT_EQ(whole.exit_code, 0) << whole.output;
  const auto expected = Results(undisturbed);
  EXPECT_TRUE(expected.count("studies/smoke/observations.csv"));
  EXPECT_TRUE(expected.count("studies/smoke/decomposition.json"));
  EXPECT_TRUE(expected.count("studies/smoke/fits/delta.json"));
  EXPECT_TRUE(expected.count("studies/smoke/fits/loss.json"));
  EXPECT_TRUE(expected.count("studies/smoke/report/report.html"));

  const fs::path disturbed = folder.path() / "disturbed";
  std::mt19937 random(20);
  int killed = 0;
  for (int attempt = 0; attempt < 12; ++attempt) {
    // A moment of the sweep's own, whatever the machine's speed: so many further segments are
    // finished, and a worker is at some file of the next.
    const size_t wanted = Entries(disturbed / "segments") + random() % 3;
    const char* sign = attempt % 2 == 0 ? "log.txt" : "metrics.jsonl";
    const fs::path log = folder.path() / "log";
    fs::remove(log);
    const pid_t sweep = Start(RunCommand(disturbed), log);
    const auto there = [&] {
      return absl::StrContains(ReadFile(log), "training ") &&
             Entries(disturbed / "segments") >= wanted && AnyHas(disturbed / "work", sign);
    };
    while (!Ended(sweep) && !there()) usleep(500);
    // Every third time only the sweep dies and its workers must notice; else all of them at once;
    // and once it is asked politely.
    const int way = attempt % 3;
    if (way == 0) {
      kill(sweep, SIGKILL);
    } else if (way == 1) {
      kill(-sweep, SIGKILL);
    } else {
      kill(sweep, SIGTERM);
    }
    const int exit_code = Wait(sweep);
    if (exit_code == 0) break;
    if (way == 2) {
      EXPECT_EQ(exit_code, 75) << ReadFile(folder.path() / "log");
    }
    ++killed;
  }
  EXPECT_GE(killed, 3) << "the sweep ended too early to be disturbed";
  const Finished last = RunProgram(RunCommand(disturbed));
  ASSERT_EQ(last.exit_code, 0) << last.output;

  const auto found = Results(disturbed);
  EXPECT_EQ(found.size(), expected.size());
  for (const auto& [path, bytes] : expected) {
    auto it = found.find(path);
    if (it == found.end()) {
      ADD_FAILURE() << path << " is missing";
    } else {
      EXPECT_TRUE(it->second == bytes) << path << " differs";
    }
  }

  // Everything is there: nothing is trained a second time.
  std::vector<std::string> again = RunCommand(disturbed);
  again.push_back("--json");
  const Finished rerun = RunProgram(again);
  EXPECT_EQ(rerun.exit_code, 0);
  const size_t brace = rerun.output.find('{');
  ASSERT_NE(brace, std::string::npos) << rerun.output;
  const auto answer = nlohmann::json::parse(rerun.output.substr(brace), nullptr, false);
  ASSERT_TRUE(answer.is_object()) << rerun.output;
  EXPECT_EQ(answer["trained"], 0);
}

}  // namespace
}  // namespace qatlas::testing
