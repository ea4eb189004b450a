#include "framework/runs/plan.h"

#include "framework/runs/files.h"
#include "gmock/gmock.h"
#include "tests/framework/runs/support.h"

namespace qatlas::runs {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class PlanTest : public RunsTest {
 protected:
  static int Count(const Plan& plan, SegmentState state) {
    return static_cast<int>(
        std::count_if(plan.segments.begin(), plan.segments.end(),
                      [&](const PlannedSegment& s) { return s.state == state; }));
  }
  static int64_t Steps(const Plan& plan) {
    int64_t steps = 0;
    for (const PlannedSegment& s : plan.segments) {
      if (s.state == SegmentState::kTrain) steps += s.spec.end_step - s.spec.begin_step;
    }
    return steps;
  }
  static const PlannedSegment& At(const Plan& plan, int64_t end_step, bool quantized,
                                  bool evaluate) {
    for (const PlannedSegment& s : plan.segments) {
      if (s.spec.end_step == end_step && s.spec.evaluate == evaluate &&
          s.spec.trajectory.rules.empty() != quantized) {
        return s;
      }
    }
    ADD_FAILURE() << "no segment that ends at " << end_step;
    return plan.segments.front();
  }
};

TEST_F(PlanTest, OneTrunkServesAllBudgetsAndSchemes) {
  // Trunk to 15 and on to 30; at each, cooldowns of fp, w4 and w3 of 5 and 10 steps.
  const Plan plan = MustPlan(Recipe({20, 40}, 3));
  EXPECT_THAT(plan.segments, SizeIs(8));
  EXPECT_EQ(Steps(plan), 30 + 3 * (5 + 10));
  EXPECT_EQ(plan.totals.unique_tokens, 75 * 8);
  EXPECT_EQ(plan.totals.run_tokens, 3 * (20 + 40) * 8);
  EXPECT_EQ(plan.totals.tokens, 75 * 8);
  const PlannedSegment& first = At(plan, 15, false, false);
  const PlannedSegment& second = At(plan, 30, false, false);
  EXPECT_THAT(first.runs, SizeIs(6));
  EXPECT_THAT(second.runs, SizeIs(3));
  EXPECT_EQ(second.spec.begin_step, 15);
  EXPECT_EQ(plan.segments[second.parent].spec.id, first.spec.id);
  EXPECT_EQ(plan.segments[At(plan, 40, true, true).parent].spec.id, second.spec.id);
  EXPECT_THAT(plan.runs[5].segments, SizeIs(3));  // w3 on the larger budget
  EXPECT_EQ(plan.runs[5].baseline, 3);
  EXPECT_EQ(plan.runs[3].baseline, -1);
  for (size_t i = 0; i < plan.segments.size(); ++i) {
    EXPECT_LT(plan.segments[i].parent, static_cast<int>(i));
  }
}

TEST_F(PlanTest, SeedsShareNothing) {
  const Plan plan = MustPlan(Recipe({20}, 2, {1, 2}));
  EXPECT_THAT(plan.segments, SizeIs(6));
  EXPECT_EQ(Steps(plan), 2 * (15 + 2 * 5));
}

TEST_F(PlanTest, QatFractionsForkAllAlongTheTrunk) {
  auto recipe = Recipe({40});
  for (double fraction : {.75, .5, .1, 0.}) {
    recipe::RunRequest run = recipe.runs[1];
    run.start.kind = recipe::QatStart::Kind::kFraction;
    run.start.fraction = fraction;
    recipe.runs.push_back(run);
  }
  const Plan plan = MustPlan(recipe);
  // Trunk: 10, 20, 30. Full-precision cooldown: 36, 40. Quantized: cooldown 30-40; from 10: 10-30,
  // 30-40; from 20: 20-30, 30-40; from 36; after 40.
  EXPECT_THAT(plan.segments, SizeIs(3 + 2 + 1 + 2 + 2 + 1 + 1));
  EXPECT_EQ(Steps(plan), 40 + 10 + 30 + 20 + 4 + 0);
  const PlannedSegment& after = plan.segments[plan.runs.back().segments.back()];
  EXPECT_EQ(after.spec.begin_step, 40);
  EXPECT_EQ(after.spec.end_step, 40);
  EXPECT_TRUE(after.spec.evaluate);
  EXPECT_EQ(plan.runs.back().quantized_from, 40);
  for (const PlannedRun& run : plan.runs) {
    EXPECT_EQ(run.baseline, &run == &plan.runs[0] ? -1 : 0);
  }
}

TEST_F(PlanTest, CosineFromScratchSharesNothing) {
  auto recipe = Recipe({20, 40});
  recipe.training.schedule = "cosine";
  for (recipe::RunRequest& run : recipe.runs) run.start.kind = recipe::QatStart::Kind::kScratch;
  const Plan plan = MustPlan(recipe);
  EXPECT_THAT(plan.segments, SizeIs(4));
  EXPECT_EQ(plan.totals.unique_tokens, plan.totals.run_tokens);
}

TEST_F(PlanTest, IdentitiesDependOnWhatDecidesNumbersAlone) {
  const Plan plan = MustPlan(Recipe({20, 40}));
  auto ids = [](const Plan& p) {
    std::vector<std::string> list;
    for (const PlannedSegment& s : p.segments) list.push_back(s.spec.id);
    return list;
  };
  PlanOptions options = Planning();
  options.plugin_path = {"/elsewhere"};
  EXPECT_EQ(ids(MustPlanIn(Recipe({20, 40}), Store(folder_ / "other"), options)), ids(plan));
  // Alone, a run has the identities that it has in company.
  EXPECT_THAT(ids(plan), Contains(ids(MustPlan(Recipe({40})))[0]));
  auto recipe = Recipe({20, 40});
  recipe.training.threads = 2;
  EXPECT_NE(ids(MustPlan(recipe)), ids(plan));
  options.machine->isa = "avx2";
  EXPECT_NE(ids(MustPlan(Recipe({20, 40}), options)), ids(plan));
  // Another evaluation: other results from the same states.
  recipe = Recipe({20, 40});
  recipe.training.evaluation.validation_sequences = 2;
  const Plan evaluated = MustPlan(recipe);
  EXPECT_EQ(At(evaluated, 15, false, false).spec.id, At(plan, 15, false, false).spec.id);
  EXPECT_NE(At(evaluated, 20, false, true).spec.id, At(plan, 20, false, true).spec.id);
}

TEST_F(PlanTest, WritesNothing) {
  MustPlan(Recipe({20}));
  EXPECT_FALSE(std::filesystem::exists(store_.root()));
  // Nor into a store that is there.
  EXPECT_EQ(MustRun(Recipe({20})).trained, 3);
  std::filesystem::remove_all(store_.root() / "cache");
  auto snapshot = [&] {
    std::map<std::string, std::filesystem::file_time_type> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(store_.root())) {
      files[entry.path().string()] = entry.last_write_time();
    }
    return files;
  };
  const auto before = snapshot();
  ShowPlan(MustPlan(Recipe({20, 40}, 3)), 0);
  EXPECT_EQ(snapshot(), before);
}

TEST_F(PlanTest, FinishedSegmentsAreReused) {
  MustRun(Recipe({20}));
  Plan plan = MustPlan(Recipe({20}));
  EXPECT_EQ(plan.totals.segments, 0);
  EXPECT_EQ(plan.totals.finished_segments, 3);
  // A larger budget starts from the trunk that is there.
  plan = MustPlan(Recipe({40}));
  EXPECT_EQ(Steps(plan), 15 + 2 * 10);
  const PlannedSegment& trunk = At(plan, 30, false, false);
  EXPECT_EQ(trunk.spec.begin_step, 15);
  EXPECT_EQ(trunk.parent, -1);
  EXPECT_FALSE(trunk.start_segment.empty());
  // A smaller one cannot: it needs a state before any that is there.
  EXPECT_EQ(Steps(MustPlan(Recipe({12}))), 9 + 2 * 3);
}

TEST_F(PlanTest, PiecesThatNothingNeedsAreLeftOut) {
  MustRun(Recipe({20}));
  const Plan before = MustPlan(Recipe({20}));
  // Its results are there; the trunk's checkpoint is not.
  const std::string trunk = At(before, 15, false, false).spec.id;
  std::filesystem::remove_all(store_.SegmentFolder(trunk));
  Plan plan = MustPlan(Recipe({20}));
  EXPECT_EQ(plan.totals.segments, 0);
  EXPECT_EQ(Count(plan, SegmentState::kNotNeeded), 1);
  // A third scheme needs it again.
  plan = MustPlan(Recipe({20}, 3));
  EXPECT_EQ(Steps(plan), 15 + 5);
}

TEST_F(PlanTest, AFreedCheckpointIsTrainedAgainWhenNeeded) {
  MustRun(Recipe({20}));
  const std::string trunk = At(MustPlan(Recipe({20})), 15, false, false).spec.id;
  std::filesystem::remove(store_.SegmentFolder(trunk) / kCheckpointFile);
  EXPECT_EQ(MustPlan(Recipe({20})).totals.segments, 0);
  const std::string result = ReadFile(store_.SegmentFolder(trunk) / kResultFile);
  EXPECT_EQ(MustRun(Recipe({20}, 3)).trained, 2);
  EXPECT_TRUE(store_.HasCheckpoint(trunk));
  EXPECT_EQ(ReadFile(store_.SegmentFolder(trunk) / kResultFile), result);
  EXPECT_FALSE(std::filesystem::exists(store_.WorkFolder(trunk)));
}

TEST_F(PlanTest, TheFinalStateOfARunIsTrainedAgainWhenAskedFor) {
  MustRun(Recipe({20}));
  const Plan before = MustPlan(Recipe({20}));
  const std::string id = before.segments[before.runs[1].segments.back()].spec.id;
  const std::string state = ReadFile(store_.SegmentFolder(id) / kCheckpointFile);
  const std::string plan_file = ReadFile(store_.StudyFolder("test") / "plan.json");
  std::filesystem::remove(store_.SegmentFolder(id) / kCheckpointFile);
  EXPECT_EQ(MustPlan(Recipe({20})).totals.segments, 0);
  PlanOptions options = Planning();
  options.restore = {before.runs[1].name};
  EXPECT_EQ(MustRunIn(Recipe({20}), store_, 2, nullptr, options).trained, 1);
  EXPECT_EQ(ReadFile(store_.SegmentFolder(id) / kCheckpointFile), state);
  EXPECT_EQ(ReadFile(store_.StudyFolder("test") / "plan.json"), plan_file);
  EXPECT_EQ(MustPlan(Recipe({20}), options).totals.segments, 0) << "it is there";
  options.restore = {"xs-160-w5"};
  EXPECT_TRUE(absl::IsNotFound(MakePlan(Recipe({20}), store_, options).status()));
}

TEST_F(PlanTest, AnotherEvaluationTrainsNothing) {
  MustRun(Recipe({20}));
  auto recipe = Recipe({20});
  recipe.training.evaluation.validation_sequences = 2;
  const Plan plan = MustPlan(recipe);
  EXPECT_EQ(plan.totals.segments, 2);
  EXPECT_EQ(Steps(plan), 0);
  EXPECT_EQ(MustRun(recipe).trained, 2);
}

TEST_F(PlanTest, SizesTimesAndTheirSourceAreSaid) {
  Plan plan = MustPlan(Recipe({20}));
  EXPECT_EQ(plan.segments[0].description.block_linears, 12 * 64);
  EXPECT_DOUBLE_EQ(plan.totals.flops, 72. * 64 * 8 * (15 + 2 * 5));
  EXPECT_THAT(ShowPlan(plan, 1), HasSubstr("nothing was measured yet; assumed 40.0GFLOP/s"));
  EXPECT_THAT(Log("describe"), Contains("describe 2"));  // full precision and w4, once each
  MustRun(Recipe({20}));
  plan = MustPlan(Recipe({40}));
  EXPECT_THAT(ShowPlan(plan, 1), HasSubstr("from the tokens per second of finished segments"));
  // 15 steps of 8 tokens at 1000 tokens/s, and the worker's own time.
  EXPECT_NEAR(At(plan, 30, false, false).seconds, .3 + .12, 1e-9);
  EXPECT_NEAR(WallSeconds(plan, 2), .8 + (4 * 4) / 3e3, .01);
  EXPECT_NEAR(WallSeconds(plan, 1), plan.totals.seconds, 1e-9);
}

TEST_F(PlanTest, TheWorkersComplaintsComeBeforeTraining) {
  // Of both schemes at once, with their places; sites that share one stand together.
  auto recipe = Recipe({20}, 3);
  for (int scheme : {1, 2}) {
    recipe.schemes[scheme].rules[0].quantizer.component = "refused";
    recipe.schemes[scheme].rules[0].where = absl::StrCat("my.toml:", 10 * scheme, ":3");
  }
  const absl::StatusOr<Plan> plan = MakePlan(recipe, store_, Planning());
  EXPECT_TRUE(absl::IsInvalidArgument(plan.status()));
  EXPECT_EQ(plan.status().message(),
            "my.toml:10:3: scheme 'w4', model 'xs': sites 0.fc1.weight, 0.fc1.input, 1.fc1.weight: "
            "group 5 does not divide 8\n"
            "my.toml:20:3: scheme 'w3', model 'xs': sites 0.fc1.weight, 0.fc1.input, 1.fc1.weight: "
            "group 5 does not divide 8");
}

TEST_F(PlanTest, APluginThatCannotBeUsedIsNoErrorOfTheRecipe) {
  auto recipe = Recipe({20});
  recipe.schemes[1].rules[0].quantizer.component = "missing";
  const absl::StatusOr<Plan> plan = MakePlan(recipe, store_, Planning());
  EXPECT_TRUE(absl::IsFailedPrecondition(plan.status())) << plan.status();
  EXPECT_EQ(plan.status().message(), "there is no quantizer 'missing'");
}

// Settings of an optimizer group are part of those trajectories alone that have the group.
TEST_F(PlanTest, GroupsDecideWhereTheyAre) {
  auto recipe = Recipe({20}, 3);
  const Plan before = MustPlan(recipe);
  recipe.training.groups["clip"].learning_rate = .1;
  const Plan after = MustPlan(recipe);
  ASSERT_EQ(before.segments.size(), after.segments.size());
  int changed = 0;
  for (size_t i = 0; i < before.segments.size(); ++i) {
    const recipe::SegmentSpec& spec = before.segments[i].spec;
    const bool has =
        !spec.trajectory.rules.empty() &&
        std::get<int64_t>(spec.trajectory.rules[0].quantizer.options.values.at("bits")) == 4;
    EXPECT_EQ(spec.id != after.segments[i].spec.id, has);
    changed += has;
  }
  EXPECT_EQ(changed, 1);
  // Identities are the same where only they are asked for.
  PlanOptions options = Planning();
  options.describe = false;
  EXPECT_EQ(MustPlan(recipe, options).segments.back().spec.id, after.segments.back().spec.id);
}

TEST_F(PlanTest, AGroupThatNothingHasIsRefused) {
  auto recipe = Recipe({20});
  recipe.training.groups["clp"].learning_rate = .1;
  const absl::Status status = MakePlan(recipe, store_, Planning()).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("[training.groups.clp]: no scheme of a run has an optimizer group 'clp'; "
                        "nearest valid name: 'clip'"));
}

// BF16 that the machine would take is not taken where a model is too narrow for it to be faster.
TEST_F(PlanTest, NarrowModelsTrainInFp32WhereThePrecisionIsOpen) {
  auto recipe = Recipe({20});
  PlanOptions options = Planning();
  options.machine = Machine{"cpu", "avx512", "bf16", "2.11.0"};
  const auto precision = [&](const char* asked, const char* features) {
    recipe.training.precision = asked;
    setenv("FAKE_FEATURES", features, 1);
    const Plan plan = MustPlan(recipe, options);
    EXPECT_EQ(plan.segments[0].spec.trajectory.precision, plan.machine.precision);
    return plan.machine.precision;
  };
  EXPECT_EQ(precision("auto", "64"), "fp32");
  EXPECT_EQ(precision("bf16", "64"), "bf16") << "one that is named is taken as it is";
  // The fake linear has 16 outputs.
  EXPECT_EQ(precision("auto", "128"), "fp32");
  setenv("FAKE_OUTPUTS", "128", 1);
  EXPECT_EQ(precision("auto", "128"), "bf16");
  unsetenv("FAKE_FEATURES");
  unsetenv("FAKE_OUTPUTS");
}

TEST_F(PlanTest, RebuiltPluginsAreAskedAgain) {
  const std::filesystem::path plugins = folder_ / "plugins";
  std::filesystem::create_directories(plugins);
  std::ofstream(plugins / "quantizer-x.so") << "one";
  PlanOptions options = Planning();
  options.plugin_path = {plugins.string()};
  options.describe_options.keep = true;
  MustPlan(Recipe({20}), options);
  MustPlan(Recipe({20}), options);
  EXPECT_EQ(Log("describe").size(), 1u);
  std::ofstream(plugins / "quantizer-x.so") << "three";
  MustPlan(Recipe({20}), options);
  EXPECT_EQ(Log("describe").size(), 2u);
  std::filesystem::last_write_time(
      plugins / "quantizer-x.so",
      std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  MustPlan(Recipe({20}), options);
  EXPECT_EQ(Log("describe").size(), 3u);
  std::ofstream(plugins / "notes.txt") << "nothing of the worker's";
  MustPlan(Recipe({20}), options);
  EXPECT_EQ(Log("describe").size(), 3u);
}

TEST_F(PlanTest, BudgetsBeyondTheDataAreRefusedWithTheirEpochs) {
  MustRun(Recipe({20}));  // prepares the data: 2000 tokens
  auto recipe = Recipe({20, 400});
  absl::StatusOr<Plan> plan = MakePlan(recipe, store_, Planning());
  EXPECT_TRUE(absl::IsInvalidArgument(plan.status()));
  EXPECT_THAT(std::string(plan.status().message()), HasSubstr("epoch"));
  recipe.training.allow_epochs = true;
  EXPECT_TRUE(MakePlan(recipe, store_, Planning()).ok());
  // Before the data is prepared the plan says that it could not look.
  plan = MakePlan(Recipe({20, 400}), Store(folder_ / "other"), Planning());
  ASSERT_TRUE(plan.ok());
  EXPECT_THAT(plan->notes, Contains(HasSubstr("not prepared yet")));
  EXPECT_FALSE(Execute(*plan, Store(folder_ / "other"), Executing(), nullptr).ok());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "other/work/x"));
}

TEST_F(PlanTest, NamesMustNameAFolder) {
  for (const char* name : {"", "..", "a/b"}) {
    auto recipe = Recipe({20});
    recipe.name = name;
    EXPECT_TRUE(absl::IsInvalidArgument(MakePlan(recipe, store_, Planning()).status())) << name;
  }
}

TEST_F(PlanTest, ForeignCheckpointsEnterTheIdentity) {
  auto recipe = Recipe({20});
  recipe.start_checkpoint = (folder_ / "foreign.safetensors").string();
  EXPECT_FALSE(MakePlan(recipe, store_, Planning()).ok());
  std::ofstream(folder_ / "foreign.safetensors") << "";
  const absl::Status bad = MakePlan(recipe, store_, Planning()).status();
  EXPECT_TRUE(absl::IsInvalidArgument(bad)) << "the worker looks into it before anything trains";
  EXPECT_THAT(std::string(bad.message()), HasSubstr("model 'xs': "));
  EXPECT_THAT(std::string(bad.message()), HasSubstr("foreign.safetensors is no safetensors file"));
  std::ofstream(folder_ / "foreign.safetensors") << "weights";
  const Plan plan = MustPlan(recipe);
  EXPECT_EQ(plan.segments[0].spec.trajectory.start.rfind("file:", 0), 0u);
  EXPECT_NE(plan.segments[0].spec.id, MustPlan(Recipe({20})).segments[0].spec.id);
  EXPECT_EQ(MustRun(recipe).trained, 3);
}

}  // namespace
}  // namespace qatlas::runs
