#include "framework/runs/execute.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <functional>
#include <set>
#include <thread>

#include "framework/runs/claim.h"
#include "gmock/gmock.h"
#include "tests/framework/runs/support.h"

namespace qatlas::runs {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Recorder : public Watcher {
 public:
  void On(const Event& event, const Plan& plan) override {
    events.push_back(event);
    if (event.kind == Event::Kind::kStarted) {
      const PlannedSegment& segment = plan.segments[event.segment];
      started.push_back(
          absl::StrCat(segment.spec.trajectory.rules.empty() ? "fp" : "q", segment.spec.end_step));
    }
    if (action) action(event);
  }
  int Count(Event::Kind kind) const {
    return static_cast<int>(std::count_if(events.begin(), events.end(),
                                          [&](const Event& e) { return e.kind == kind; }));
  }
  std::vector<Event> events;
  std::vector<std::string> started;
  std::function<void(const Event&)> action;
};

class ExecuteTest : public RunsTest {
 protected:
  // What an undisturbed sweep leaves.
  std::map<std::string, std::string> Reference(const recipe::ResolvedRecipe& recipe) {
    const Store store(folder_ / "reference");
    setenv("FAKE_LOG", (folder_ / "log.reference").c_str(), 1);
    unsetenv("FAKE_SCRIPT");
    EXPECT_EQ(MustRunIn(recipe, store).ExitCode(), 0);
    setenv("FAKE_LOG", (folder_ / "log").c_str(), 1);
    return Results(store);
  }
  // Runs the recipe in a process of its own, which may be killed.
  pid_t Fork(const recipe::ResolvedRecipe& recipe, const std::function<void()>& prepare = {}) {
    const pid_t pid = fork();
    if (pid == 0) {
      absl::StatusOr<Plan> plan = MakePlan(recipe, store_, Planning());
      if (!plan.ok()) _exit(98);
      if (prepare) prepare();
      Recorder recorder;
      recorder.action = [this](const Event& event) {
        if (event.kind == Event::Kind::kWaiting) {
          std::ofstream(folder_ / "log", std::ios::app) << "waiting\n";
        }
      };
      absl::StatusOr<ExecuteReport> report = Execute(*plan, store_, Executing(), &recorder);
      if (!report.ok()) _exit(99);
      _exit(report->ExitCode());
    }
    return pid;
  }
  static int Wait(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  // Whether an unfinished segment has a state to go on from.
  bool AnyState() const {
    std::error_code error;
    for (std::filesystem::directory_iterator entry(store_.root() / "work", error), end;
         !error && entry != end; entry.increment(error)) {
      std::error_code gone;
      if (std::filesystem::exists(entry->path() / "resume.safetensors", gone)) return true;
    }
    return false;
  }
  void WaitForLog(const std::string& word, size_t lines) {
    while (Log(word).size() < lines) usleep(2000);
  }
};

TEST_F(ExecuteTest, TrainsParentsFirstAndEachSegmentOnce) {
  Recorder recorder;
  const ExecuteReport report = MustRun(Recipe({20, 40}, 3), 2, &recorder);
  EXPECT_EQ(report.trained, 8);
  EXPECT_EQ(report.ExitCode(), 0);
  const std::vector<std::string> log = Log("start");
  EXPECT_THAT(log, SizeIs(8));
  EXPECT_EQ(recorder.started[0], "fp15");
  EXPECT_EQ(recorder.started[1], "fp30") << "the longest chain comes first";
  EXPECT_EQ(recorder.Count(Event::Kind::kFinished), 8);
  EXPECT_EQ(recorder.events.back().tokens_done, 75 * 8);
  EXPECT_EQ(recorder.events.back().tokens_total, 75 * 8);
  EXPECT_GT(recorder.Count(Event::Kind::kProgress), 0);
  EXPECT_TRUE(std::filesystem::is_empty(store_.root() / "work"));
  EXPECT_TRUE(std::filesystem::is_empty(store_.root() / "claims"));
  // Nothing is left to do.
  EXPECT_EQ(MustRun(Recipe({20, 40}, 3)).trained, 0);
  EXPECT_THAT(Log("start"), SizeIs(8));
}

TEST_F(ExecuteTest, JobsChangeNoNumber) {
  const auto reference = Reference(Recipe({20, 40}, 3));
  MustRun(Recipe({20, 40}, 3), 5);
  EXPECT_EQ(Results(store_), reference);
}

TEST_F(ExecuteTest, NeverMoreWorkersThanJobs) {
  setenv("FAKE_STEP_MS", "1", 1);
  MustRun(Recipe({8, 12}, 3, {1, 2}), 3);
  int running = 0, most = 0;
  const std::string log = ReadFile(folder_ / "log");
  for (absl::string_view line : absl::StrSplit(log, '\n')) {
    if (line.substr(0, 5) == "start") most = std::max(most, ++running);
    if (line.substr(0, 3) == "end") --running;
  }
  EXPECT_LE(most, 3);
  EXPECT_GE(most, 2);
}

TEST_F(ExecuteTest, AFailureBlocksItsDescendantsAlone) {
  setenv("FAKE_SCRIPT", R"([{"when": {"seed": 1, "end_step": 30}, "do": "nan", "at": 21}])", 1);
  const auto recipe = Recipe({20, 40}, 2, {1, 2});
  Recorder recorder;
  ExecuteReport report = MustRun(recipe, 2, &recorder);
  // Of seed 1: the trunk's second piece and the two cooldowns of the larger budget.
  EXPECT_EQ(report.failed, 1);
  EXPECT_EQ(report.blocked, 2);
  EXPECT_EQ(report.trained, 12 - 3);
  EXPECT_EQ(report.ExitCode(), 5);
  EXPECT_EQ(recorder.Count(Event::Kind::kBlocked), 2);
  // What would repeat itself is not tried again...
  unsetenv("FAKE_SCRIPT");
  const Plan plan = MustPlan(recipe);
  EXPECT_EQ(plan.totals.segments, 0);
  EXPECT_THAT(ShowPlan(plan, 1), HasSubstr("failed before: nan after step 21: as scripted"));
  Recorder again;
  report = MustRun(recipe, 2, &again);
  EXPECT_EQ(report.trained, 0);
  EXPECT_EQ(report.ExitCode(), 5);
  ASSERT_EQ(again.Count(Event::Kind::kFailed), 1) << "and said once more, with what to do";
  EXPECT_EQ(again.events[1].message,
            "nan after step 21: as scripted (in an earlier run; --retry-failed tries it again)");
  // ...unless asked for.
  PlanOptions options = Planning();
  options.retry_failed = true;
  report = MustRunIn(recipe, store_, 2, nullptr, options);
  EXPECT_EQ(report.trained, 3);
  EXPECT_EQ(Results(store_), Reference(recipe));
}

TEST_F(ExecuteTest, DeathsOfWorkersAreNoticedAndTriedAgain) {
  for (const char* how : {"kill", "crash", "out-of-memory", "lie"}) {
    std::filesystem::remove_all(store_.root());
    setenv("FAKE_SCRIPT",
           absl::StrCat(R"([{"when": {"end_step": 15}, "do": ")", how, R"(", "at": 8}])").c_str(),
           1);
    ExecuteReport report = MustRun(Recipe({20}));
    EXPECT_EQ(report.failed, 1) << how;
    EXPECT_EQ(report.blocked, 2) << how;
    const std::string why = report.outcomes[0].why;
    const std::string want = how == std::string("kill")    ? "killed: signal 9"
                             : how == std::string("crash") ? "crashed: signal 6"
                             : how == std::string("lie")   ? "protocol: the worker ended without"
                                                           : "out-of-memory after step 8";
    EXPECT_THAT(why, HasSubstr(want));
    unsetenv("FAKE_SCRIPT");
    EXPECT_THAT(ShowPlan(MustPlan(Recipe({20})), 1), HasSubstr("tried again")) << how;
    EXPECT_EQ(MustRun(Recipe({20})).trained, 3) << how;
    EXPECT_EQ(Results(store_), Reference(Recipe({20}))) << how;
    std::filesystem::remove_all(folder_ / "reference");
  }
}

TEST_F(ExecuteTest, WorkersAreForkedByOneProgram) {
  MustRun(Recipe({20, 40}, 3));
  std::set<std::string> pids;
  for (const std::string& line : Log("start")) pids.insert(line.substr(line.rfind(' ')));
  EXPECT_THAT(Log("start"), SizeIs(8));
  EXPECT_THAT(pids, SizeIs(8)) << "every segment trains in a process of its own";
  EXPECT_THAT(Log("serve"), SizeIs(1)) << "which one program forks";
}

TEST_F(ExecuteTest, ADeadHostTakesItsWorkersAndIsReplaced) {
  setenv("FAKE_SCRIPT", R"([{"when": {"seed": 1, "end_step": 15}, "do": "kill-host", "at": 8}])",
         1);
  const ExecuteReport report = MustRun(Recipe({20}, 2, {1, 2}), 1);
  EXPECT_EQ(report.failed, 1);
  EXPECT_EQ(report.trained, 3) << "the other seed, by a new host";
  EXPECT_THAT(report.outcomes[0].why, HasSubstr("killed: signal 9"));
  EXPECT_THAT(Log("serve"), SizeIs(2));
  unsetenv("FAKE_SCRIPT");
  EXPECT_EQ(MustRun(Recipe({20}, 2, {1, 2})).failed, 0) << "tried again";
  EXPECT_EQ(Results(store_), Reference(Recipe({20}, 2, {1, 2})));
}

TEST_F(ExecuteTest, ExitCodesWithoutAWordAreStillReasons) {
  setenv("FAKE_SCRIPT", R"([{"when": {"end_step": 15}, "do": "exit", "code": 5}])", 1);
  EXPECT_THAT(MustRun(Recipe({20})).outcomes[0].why, HasSubstr("io: exit code 5"));
  setenv("FAKE_SCRIPT", R"([{"when": {"end_step": 15}, "do": "exit", "code": 42}])", 1);
  EXPECT_THAT(MustRun(Recipe({20})).outcomes[0].why, HasSubstr("protocol: exit code 42"));
  setenv("FAKE_SCRIPT", R"([{"when": {"end_step": 15}, "do": "exit", "code": 6}])", 1);
  EXPECT_THAT(MustRun(Recipe({20})).outcomes[0].why, HasSubstr("plugin: exit code 6"));
  unsetenv("FAKE_SCRIPT");
  EXPECT_EQ(MustRun(Recipe({20})).failed, 0) << "tried again";
}

TEST_F(ExecuteTest, AWorkersLastWordCountsWhereItCouldNotBeWritten) {
  setenv("FAKE_SCRIPT", R"([{"when": {"end_step": 15}, "do": "say", "at": 4}])", 1);
  EXPECT_EQ(MustRun(Recipe({20})).outcomes[0].why, "io after step 4: No space left");
}

TEST_F(ExecuteTest, ASignalStopsCleanlyAndTheNextRunGoesOn) {
  for (int number : {SIGINT, SIGTERM}) {
    std::filesystem::remove_all(store_.root());
    std::filesystem::remove(folder_ / "log");
    setenv("FAKE_STEP_MS", "2", 1);
    Recorder recorder;
    // Both workers pass this step; a second signal would kill them.
    bool sent = false;
    recorder.action = [&](const Event& event) {
      if (sent || event.kind != Event::Kind::kProgress || event.step != 19) return;
      sent = true;
      kill(getpid(), number);
    };
    const ExecuteReport report = MustRun(Recipe({20, 40}, 2), 2, &recorder);
    EXPECT_EQ(report.signal, number);
    EXPECT_EQ(report.ExitCode(), 75);
    EXPECT_EQ(report.failed, 0);
    EXPECT_GT(report.stopped, 0);
    EXPECT_EQ(recorder.Count(Event::Kind::kStopping), 1);
    EXPECT_GE(recorder.Count(Event::Kind::kStopped), 1);
    EXPECT_THAT(Log("stop"), ::testing::Not(IsEmpty()));
    EXPECT_THAT(ShowPlan(MustPlan(Recipe({20, 40}, 2)), 1), HasSubstr("stopped; goes on"));
    unsetenv("FAKE_STEP_MS");
    EXPECT_EQ(MustRun(Recipe({20, 40}, 2)).ExitCode(), 0);
    EXPECT_EQ(Results(store_), Reference(Recipe({20, 40}, 2)));
    std::filesystem::remove_all(folder_ / "reference");
  }
}

TEST_F(ExecuteTest, ASecondSignalKills) {
  setenv("FAKE_SCRIPT", R"([{"when": {"end_step": 15}, "do": "hang", "at": 10}])", 1);
  Recorder recorder;
  std::thread helper;
  recorder.action = [&](const Event& event) {
    if (event.kind == Event::Kind::kStarted) {
      helper = std::thread([&] {
        WaitForLog("hang", 1);
        kill(getpid(), SIGINT);
      });
    }
    if (event.kind == Event::Kind::kStopping && recorder.Count(Event::Kind::kStopping) == 1) {
      kill(getpid(), SIGINT);
    }
  };
  const ExecuteReport report = MustRun(Recipe({20}), 1, &recorder);
  helper.join();
  EXPECT_EQ(report.ExitCode(), 75);
  EXPECT_EQ(recorder.Count(Event::Kind::kStopping), 2);
  unsetenv("FAKE_SCRIPT");
  EXPECT_EQ(MustRun(Recipe({20})).ExitCode(), 0);
  EXPECT_EQ(Results(store_), Reference(Recipe({20})));
}

TEST_F(ExecuteTest, AKilledSweepLosesNothing) {
  const auto recipe = Recipe({20, 40}, 2, {1, 2});
  setenv("FAKE_STEP_MS", "1", 1);
  // After more and more segments.
  for (size_t starts : {1, 3, 6, 9}) {
    const pid_t pid = Fork(recipe);
    WaitForLog("start", starts);
    // Within a segment, where a state was saved.
    while (!AnyState()) usleep(500);
    kill(pid, SIGKILL);
    EXPECT_EQ(Wait(pid), -SIGKILL);
  }
  unsetenv("FAKE_STEP_MS");
  // Its workers were told, and the claims of the dead are free.
  EXPECT_EQ(MustRun(recipe).ExitCode(), 0);
  EXPECT_EQ(Results(store_), Reference(recipe));
}

TEST_F(ExecuteTest, TwoSweepsTrainEachSegmentOnce) {
  const auto recipe = Recipe({20, 40}, 3, {1, 2});
  setenv("FAKE_STEP_MS", "1", 1);
  const pid_t first = Fork(recipe);
  const pid_t second = Fork(recipe);
  EXPECT_EQ(Wait(first), 0);
  EXPECT_EQ(Wait(second), 0);
  std::multiset<std::string> trained;
  for (const std::string& line : Log("end")) trained.insert(line);
  EXPECT_THAT(trained, SizeIs(16));
  for (const std::string& line : trained) EXPECT_EQ(trained.count(line), 1u) << line;
  unsetenv("FAKE_STEP_MS");
  EXPECT_EQ(Results(store_), Reference(recipe));
}

TEST_F(ExecuteTest, ASegmentOfADeadSweepIsTakenOver) {
  const auto recipe = Recipe({20});
  setenv("FAKE_SCRIPT",
         absl::StrCat(R"([{"when": {"end_step": 15}, "do": "hang", "at": 7, "once": ")",
                      (folder_ / "once").string(), R"("}])")
             .c_str(),
         1);
  const pid_t dying = Fork(recipe);
  WaitForLog("hang", 1);
  const pid_t worker = std::stoi(Log("hang")[0].substr(Log("hang")[0].rfind(' ')));
  // The second sweep waits: the first lives.
  const pid_t waiting = Fork(recipe);
  WaitForLog("waiting", 1);
  EXPECT_THAT(Log("start"), SizeIs(1));
  kill(dying, SIGKILL);
  Wait(dying);
  // The first is dead, but its worker, deaf to signals, still writes: the claim holds.
  const std::string line = Log("start")[0];
  const std::string id = line.substr(6, line.rfind(' ') - 6);
  EXPECT_FALSE(Claim::Try(store_, id).value().has_value());
  EXPECT_THAT(Log("start"), SizeIs(1));
  kill(worker, SIGKILL);
  EXPECT_EQ(Wait(waiting), 0);
  EXPECT_THAT(Log("start"), SizeIs(4));
  unsetenv("FAKE_SCRIPT");
  EXPECT_EQ(Results(store_), Reference(recipe));
}

TEST_F(ExecuteTest, MemoryAndDiskAreCheckedBeforeTraining) {
  setenv("FAKE_MEMORY", "1000000000000000", 1);
  absl::StatusOr<ExecuteReport> report =
      Execute(MustPlan(Recipe({20})), store_, Executing(), nullptr);
  EXPECT_TRUE(absl::IsResourceExhausted(report.status()));
  EXPECT_THAT(std::string(report.status().message()), HasSubstr("909 TiB of memory"));
  unsetenv("FAKE_MEMORY");
  setenv("FAKE_CHECKPOINT", "1000000000000000", 1);
  report = Execute(MustPlan(Recipe({20})), store_, Executing(), nullptr);
  EXPECT_TRUE(absl::IsResourceExhausted(report.status()));
  EXPECT_THAT(std::string(report.status().message()), HasSubstr("store gc"));
  EXPECT_THAT(Log("start"), IsEmpty());
}

TEST_F(ExecuteTest, JobsAutoRespectsMemory) {
  const int64_t third = AvailableMemory() * 3 / 10;
  setenv("FAKE_MEMORY", absl::StrCat(third).c_str(), 1);
  const Plan plan = MustPlan(Recipe({20}, 3, {1, 2, 3}));
  ExecuteOptions options = Executing(0);
  absl::StatusOr<int> workers = Workers(plan, options);
  ASSERT_TRUE(workers.ok());
  EXPECT_LE(*workers, 3);
  options.jobs = 9;
  EXPECT_THAT(std::string(Workers(plan, options).status().message()), HasSubstr("use --jobs"));
}

TEST_F(ExecuteTest, ADiskThatFillsUpLeavesNothingHalfWritten) {
  const auto recipe = Recipe({20, 40}, 3);
  // No file above 1500 bytes: plan.json does not fit.
  const pid_t pid = Fork(recipe, [] {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {1500, 1500};
    setrlimit(RLIMIT_FSIZE, &limit);
  });
  EXPECT_EQ(Wait(pid), 99);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(store_.root())) {
    if (entry.is_regular_file()) {
      EXPECT_EQ(entry.path().filename(), "recipe.resolved.toml") << entry.path();
    }
  }
  EXPECT_EQ(MustRun(recipe).ExitCode(), 0);
  EXPECT_EQ(Results(store_), Reference(recipe));
}

TEST_F(ExecuteTest, AMissingWorkerIsSaidAtOnce) {
  const Plan plan = MustPlan(Recipe({20}));
  ExecuteOptions options = Executing();
  options.worker = "/nowhere/qatlas-train";
  const absl::StatusOr<ExecuteReport> report = Execute(plan, store_, options, nullptr);
  EXPECT_TRUE(absl::IsNotFound(report.status()));
  EXPECT_THAT(std::string(report.status().message()), HasSubstr("/nowhere/qatlas-train"));
}

}  // namespace
}  // namespace qatlas::runs
