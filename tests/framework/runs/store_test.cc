#include "framework/runs/store.h"

#include <sys/wait.h>

#include <chrono>
#include <set>

#include "framework/runs/claim.h"
#include "framework/runs/files.h"
#include "framework/runs/gc.h"
#include "framework/runs/status.h"
#include "framework/runs/study.h"
#include "gmock/gmock.h"
#include "tests/framework/runs/support.h"

namespace qatlas::runs {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class StoreTest : public RunsTest {
 protected:
  static std::optional<Claim> Take(const Store& store, const std::string& id) {
    absl::StatusOr<std::optional<Claim>> claim = Claim::Try(store, id);
    EXPECT_TRUE(claim.ok()) << claim.status();
    return *std::move(claim);
  }
};

TEST_F(StoreTest, AClaimIsOfOneProcessAtATime) {
  ASSERT_TRUE(store_.Create().ok());
  EXPECT_FALSE(ReadClaim(store_, "a").has_value());
  std::optional<Claim> claim = Take(store_, "a");
  ASSERT_TRUE(claim.has_value());
  EXPECT_FALSE(Take(store_, "a").has_value());
  EXPECT_TRUE(Take(store_, "b").has_value());
  const std::optional<ClaimHolder> holder = ReadClaim(store_, "a");
  ASSERT_TRUE(holder.has_value());
  EXPECT_TRUE(holder->alive);
  EXPECT_EQ(holder->pid, getpid());
  claim.reset();
  EXPECT_FALSE(std::filesystem::exists(store_.ClaimFile("a")));
  EXPECT_TRUE(Take(store_, "a").has_value());
}

TEST_F(StoreTest, TheClaimOfADeadProcessIsFree) {
  ASSERT_TRUE(store_.Create().ok());
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    std::optional<Claim> claim = Take(store_, "a");
    char byte = claim.has_value() ? 'y' : 'n';
    if (write(ready[1], &byte, 1) != 1) _exit(1);
    pause();
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  EXPECT_FALSE(Take(store_, "a").has_value());
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  const std::optional<ClaimHolder> holder = ReadClaim(store_, "a");
  ASSERT_TRUE(holder.has_value());
  EXPECT_FALSE(holder->alive);
  EXPECT_EQ(holder->pid, pid);
  EXPECT_TRUE(Take(store_, "a").has_value());
}

TEST_F(StoreTest, FinishedSegmentsAreNeverOverwritten) {
  MustRun(Recipe({20}));
  const std::string id = MustPlan(Recipe({20})).segments[0].spec.id;
  const std::string before = ReadFile(store_.SegmentFolder(id) / kCheckpointFile);
  // Another training of it, with other numbers.
  std::filesystem::copy(store_.SegmentFolder(id), store_.WorkFolder(id));
  nlohmann::json other = store_.Result(id).value();
  other["train_loss_smoothed"] = 9;
  std::ofstream(store_.WorkFolder(id) / kResultFile) << other;
  std::ofstream(store_.WorkFolder(id) / kCheckpointFile) << "other";
  const absl::Status status = store_.Finish(id);
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("has other results"));
  EXPECT_EQ(ReadFile(store_.SegmentFolder(id) / kCheckpointFile), before);
}

TEST_F(StoreTest, OwedFilesAreMissed) {
  ASSERT_TRUE(store_.Create().ok());
  std::filesystem::create_directories(store_.WorkFolder("x"));
  std::ofstream(store_.WorkFolder("x") / kSpecFile) << "{}";
  EXPECT_TRUE(absl::IsDataLoss(store_.Finish("x")));
  EXPECT_FALSE(store_.Finished("x"));
}

TEST_F(StoreTest, LeftoversOfKilledProcessesGo) {
  MustRun(Recipe({20}));
  const std::string id = MustPlan(Recipe({20})).segments[0].spec.id;
  // A finished segment, as if it were still in work, with what a killed worker left beside.
  std::filesystem::rename(store_.SegmentFolder(id), store_.WorkFolder(id));
  for (const char* name : {"spec.json.Ab12Cd", "resume.safetensors.tmp", "resume.safetensors",
                           "events.out.tfevents.123.qatlas"}) {
    std::ofstream(store_.WorkFolder(id) / name) << "x";
  }
  ASSERT_TRUE(store_.Finish(id).ok());
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(store_.SegmentFolder(id))) {
    names.insert(entry.path().filename().string());
  }
  EXPECT_THAT(names, ElementsAre("checkpoint.safetensors", "events.out.tfevents.123.qatlas",
                                 "log.txt", "machine.json", "result.json", "spec.json"));
  const auto study = store_.StudyFolder("test");
  for (const char* name : {"plan.json.Ab12Cd", "runs.json.Zz9999"}) {
    std::ofstream(study / name) << "x";
  }
  std::filesystem::last_write_time(
      study / "plan.json.Ab12Cd",
      std::filesystem::file_time_type::clock::now() - std::chrono::hours(2));
  ASSERT_TRUE(Gc(store_, GcOptions()).ok());
  EXPECT_FALSE(std::filesystem::exists(study / "plan.json.Ab12Cd"));
  EXPECT_TRUE(std::filesystem::exists(study / "runs.json.Zz9999")) << "somebody may be writing it";
}

TEST_F(StoreTest, ADamagedSegmentIsNamedAndTrainedAgain) {
  MustRun(Recipe({20}));
  const Plan before = MustPlan(Recipe({20}));
  const std::string id = before.segments[before.runs[1].segments.back()].spec.id;
  const std::string result = ReadFile(store_.SegmentFolder(id) / kResultFile);
  std::ofstream(store_.SegmentFolder(id) / kSpecFile) << "{";
  EXPECT_FALSE(store_.Finished(id));
  EXPECT_THAT(store_.List().value(), SizeIs(2));
  EXPECT_THAT(Gc(store_, GcOptions())->damaged, ElementsAre(HasSubstr(id)));
  const Plan plan = MustPlan(Recipe({20}));
  EXPECT_THAT(plan.notes, Contains(HasSubstr(absl::StrCat("segment ", id, " is damaged"))));
  EXPECT_TRUE(GetStatus(plan, store_).ok());
  EXPECT_EQ(MustRun(Recipe({20})).trained, 1);
  EXPECT_EQ(ReadFile(store_.SegmentFolder(id) / kResultFile), result);
  EXPECT_EQ(ReadFile(store_.WorkFolder("damaged-" + id) / kSpecFile), "{");
  EXPECT_THAT(store_.List().value(), SizeIs(3));
  // A copy under another name is nobody's segment.
  std::filesystem::copy(store_.SegmentFolder(id), store_.SegmentFolder("copy"));
  std::vector<std::string> damaged;
  EXPECT_THAT(store_.List(&damaged).value(), SizeIs(3));
  EXPECT_THAT(damaged, ElementsAre(HasSubstr("somebody renamed or copied the folder")));
}

TEST_F(StoreTest, ResultsCutShortAreTrainedAgain) {
  auto recipe = Recipe({20});
  recipe.training.evaluation.site_statistics_every = 5;
  MustRun(recipe);
  const Plan before = MustPlan(recipe);
  const std::string id = before.segments[before.runs[1].segments.back()].spec.id;
  for (const char* name : {kResultFile, kSitesFile, kSiteLogFile}) {
    const std::filesystem::path path = store_.SegmentFolder(id) / name;
    const std::string whole = ReadFile(path);
    ASSERT_GT(whole.size(), 10u) << name;
    std::filesystem::resize_file(path, 9);
    EXPECT_FALSE(store_.Finished(id)) << name;
    const Plan plan = MustPlan(recipe);
    EXPECT_THAT(plan.damaged, ElementsAre(HasSubstr(absl::StrCat("segment ", id, " is damaged"))));
    EXPECT_EQ(plan.totals.segments, 1) << name;
    EXPECT_EQ(GetStatus(plan, store_)->finished_runs, 1) << name;
    EXPECT_EQ(MustRun(recipe).ExitCode(), 0) << name;
    EXPECT_EQ(ReadFile(path), whole) << name;
  }
}

TEST_F(StoreTest, ACheckpointCutShortCountsAsFreed) {
  MustRun(Recipe({20}));
  const Plan before = MustPlan(Recipe({20}));
  const std::string trunk = before.segments[before.runs[0].segments.front()].spec.id;
  const std::string final_id = before.segments[before.runs[0].segments.back()].spec.id;
  const std::filesystem::path path = store_.SegmentFolder(trunk) / kCheckpointFile;
  const std::string whole = ReadFile(path);
  for (const size_t bytes : {whole.size() - 3, size_t{4}, size_t{0}}) {
    std::filesystem::resize_file(path, bytes);
    EXPECT_TRUE(absl::IsDataLoss(store_.CheckCheckpoint(trunk))) << bytes;
  }
  Plan plan = MustPlan(Recipe({20}));
  EXPECT_EQ(plan.totals.segments, 0) << "nothing starts from it";
  EXPECT_THAT(plan.damaged, ElementsAre(HasSubstr("counts as freed")));
  // Another scheme does.
  EXPECT_EQ(MustRun(Recipe({20}, 3)).trained, 2);
  EXPECT_EQ(ReadFile(path), whole);
  EXPECT_THAT(MustPlan(Recipe({20}, 3)).damaged, IsEmpty());
  std::filesystem::resize_file(store_.SegmentFolder(final_id) / kCheckpointFile, 5);
  EXPECT_THAT(Gc(store_, GcOptions())->freed, ElementsAre(final_id)) << "it serves nobody";
}

TEST_F(StoreTest, RecipesOfOneNameDoNotFreeEachOthersCheckpoints) {
  MustRun(Recipe({20}, 3));
  const std::string first = ReadFile(store_.StudyFolder("test") / "plan.json");
  auto other = Recipe({20}, 2, {5});
  MustRun(other);
  EXPECT_NE(ReadFile(store_.StudyFolder("test") / "plan.json"), first);
  EXPECT_THAT(Gc(store_, GcOptions())->freed, IsEmpty());
  const Study study = ReadStudy(store_, "test").value();
  EXPECT_THAT(study.segments, SizeIs(4 + 3));
  EXPECT_THAT(ListStudies(store_), ElementsAre("test"));
  std::filesystem::path kept;
  for (const auto& entry : std::filesystem::directory_iterator(store_.StudyFolder("test"))) {
    if (entry.path().filename().string().rfind("plan-", 0) == 0) kept = entry.path();
  }
  EXPECT_EQ(ReadFile(kept), first);
  EXPECT_EQ(kept.filename().string(),
            absl::StrCat("plan-", ShortHash(first).substr(0, 8), ".json"));
  // The same recipe again writes nothing new.
  MustRun(other);
  EXPECT_THAT(ReadStudy(store_, "test")->segments, SizeIs(7));
  std::ofstream(kept) << "{";
  EXPECT_TRUE(absl::IsDataLoss(Gc(store_, GcOptions()).status())) << "it might need anything";
  std::filesystem::remove(kept);
  EXPECT_THAT(Gc(store_, GcOptions())->freed, SizeIs(4));
}

// Plans do not gather: one that a larger one contains is not kept, and gc removes such and, when it
// is told to, all.
TEST_F(StoreTest, PlansThatAreNeededNoMoreGo) {
  const auto old_plans = [&] {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(store_.StudyFolder("test"))) {
      count += entry.path().filename().string().rfind("plan-", 0) == 0;
    }
    return count;
  };
  MustRun(Recipe({20}, 3));
  MustRun(Recipe({20, 40}, 3));
  EXPECT_EQ(old_plans(), 0) << "the larger recipe needs all that the smaller did";
  MustRun(Recipe({40}, 3));
  EXPECT_EQ(old_plans(), 1) << "its finals of 20 are wanted";
  MustRun(Recipe({20, 40}, 3));
  EXPECT_EQ(old_plans(), 1);
  GcOptions options;
  options.dry_run = true;
  EXPECT_THAT(Gc(store_, options)->removed_plans, SizeIs(1)) << "contained in the one in force";
  EXPECT_EQ(old_plans(), 1);
  options.dry_run = false;
  EXPECT_THAT(Gc(store_, options)->removed_plans, SizeIs(1));
  EXPECT_EQ(old_plans(), 0);
  MustRun(Recipe({40}, 3));
  ASSERT_EQ(old_plans(), 1);
  EXPECT_THAT(Gc(store_, options)->freed, IsEmpty());
  options.old_plans = false;
  const GcReport report = Gc(store_, options).value();
  EXPECT_THAT(report.removed_plans, SizeIs(1));
  EXPECT_THAT(report.freed, SizeIs(4));
  EXPECT_EQ(old_plans(), 0);
}

TEST_F(StoreTest, GcFreesWhatNothingNeeds) {
  MustRun(Recipe({20, 40}, 3));  // trunk 15, 30; six finals
  GcOptions options;
  GcReport report = Gc(store_, options).value();
  EXPECT_THAT(report.freed, IsEmpty());
  EXPECT_EQ(report.kept, 8);
  options.dry_run = true;
  options.finals = false;
  EXPECT_THAT(Gc(store_, options).value().freed, SizeIs(6));
  options.forks = false;
  EXPECT_THAT(Gc(store_, options).value().freed, SizeIs(8));
  EXPECT_EQ(store_.Sizes()->checkpoints, 8) << "a dry run frees nothing";
  // The recipe shrinks to the larger budget: the smaller one's finals and its fork are free, since
  // the trunk goes on from 15 to 30.
  MustRun(Recipe({40}, 3));
  EXPECT_THAT(Gc(store_, GcOptions()).value().freed, IsEmpty()) << "its earlier plan is kept";
  for (const auto& entry : std::filesystem::directory_iterator(store_.StudyFolder("test"))) {
    if (entry.path().filename().string().rfind("plan-", 0) == 0) {
      std::filesystem::remove(entry.path());
    }
  }
  report = Gc(store_, GcOptions()).value();
  EXPECT_THAT(report.freed, SizeIs(4));
  EXPECT_GT(report.bytes, 0);
  EXPECT_EQ(store_.Sizes()->checkpoints, 4);
  EXPECT_EQ(store_.Sizes()->segments, 8) << "results stay";
  EXPECT_EQ(MustPlan(Recipe({20, 40}, 3)).totals.segments, 0);
  // Without its study nothing is needed.
  std::filesystem::remove_all(store_.StudyFolder("test"));
  EXPECT_THAT(Gc(store_, GcOptions()).value().freed, SizeIs(4));
}

TEST_F(StoreTest, GcKeepsWhatUnfinishedSegmentsStartFrom) {
  setenv("FAKE_SCRIPT", R"([{"when": {"end_step": 40}, "do": "kill"}])", 1);
  EXPECT_EQ(MustRun(Recipe({20, 40})).failed, 2);
  GcOptions options;
  options.finals = false;
  options.forks = false;
  // Both cooldowns of the larger budget start from 30.
  const GcReport report = Gc(store_, options).value();
  EXPECT_THAT(report.freed, SizeIs(3));
  EXPECT_EQ(report.kept, 1);
  unsetenv("FAKE_SCRIPT");
  EXPECT_EQ(MustRun(Recipe({20, 40})).trained, 2);
}

TEST_F(StoreTest, StatusSaysHowEverythingStands) {
  const auto recipe = Recipe({20, 40}, 2);
  auto standings = [&] {
    const Plan plan = MustPlan(recipe);
    const StudyStatus status = GetStatus(plan, store_).value();
    EXPECT_THAT(ShowStatus(status, plan), HasSubstr("test: "));
    std::map<std::string, std::string> names;
    for (const RunStatus& run : status.runs) names[plan.runs[run.run].name] = Name(run.standing);
    return names;
  };
  for (const auto& [run, standing] : standings()) EXPECT_EQ(standing, "waiting") << run;
  setenv("FAKE_SCRIPT",
         R"([{"when": {"end_step": 30}, "do": "nan"},
             {"when": {"end_step": 20, "quantized": true}, "do": "nan"}])",
         1);
  MustRun(recipe);
  auto names = standings();
  EXPECT_EQ(names["xs-160-fp-s1"], "finished");
  EXPECT_EQ(names["xs-160-w4-cooldown-s1"], "failed");
  EXPECT_EQ(names["xs-320-fp-s1"], "failed");
  const Plan failed = MustPlan(recipe);
  EXPECT_THAT(ShowStatus(GetStatus(failed, store_).value(), failed),
              HasSubstr("left; nan after step 15: as scripted (--retry-failed tries it again)"));
  // Somebody tries again.
  const Plan plan = MustPlan(recipe);
  const std::string id = plan.segments[plan.runs[1].segments.back()].spec.id;
  std::optional<Claim> claim = Take(store_, id);
  EXPECT_EQ(standings()["xs-160-w4-cooldown-s1"], "running");
  EXPECT_THAT(StatusToJson(GetStatus(plan, store_).value(), plan).dump(),
              HasSubstr(absl::StrCat("\"pid\":", getpid())));
}

}  // namespace
}  // namespace qatlas::runs
