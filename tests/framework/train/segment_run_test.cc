// Whole segments: what is written, and that stopping and resuming anywhere changes nothing.
#include "framework/train/segment_run.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "framework/train/loss_tracker.h"
#include "framework/train/outcome.h"
#include "framework/train/safetensors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/framework/train/tiny.h"

namespace qatlas::train {
namespace {

namespace fs = std::filesystem;
using testing::Identify;
using testing::Rule;
using testing::RunTiny;
using testing::ScratchFolder;
using testing::TinySpec;

nlohmann::json Json(const fs::path& file) { return nlohmann::json::parse(testing::Bytes(file)); }

recipe::SegmentSpec QuantizedSpec(int64_t steps) {
  recipe::SegmentSpec spec = TinySpec(steps);
  spec.trajectory.rules = {Rule("*.*.weight", "absmax"), Rule("*.*.input", "step"),
                           Rule("1.fc1.input", "noisy"), Rule("1.fc2.weight", "adapter")};
  Identify(&spec);
  return spec;
}

// Stops after each step and starts again, as often as there are steps.
void RunInPieces(const fs::path& folder, const recipe::SegmentSpec& spec) {
  for (int64_t attempt = 0; attempt <= spec.end_step + 20; ++attempt) {
    SegmentHooks hooks;
    hooks.stop = [] { return true; };
    const absl::Status status = RunTiny(folder, spec, hooks);
    if (absl::IsCancelled(status)) {
      if (!fs::exists(folder / spec.id / "checkpoint.safetensors")) continue;
      // The evaluation was stopped: let it end.
      ASSERT_TRUE(RunTiny(folder, spec).ok());
      return;
    }
    ASSERT_TRUE(status.ok()) << status;
    return;
  }
  FAIL() << "never ended";
}

TEST(SegmentRunTest, WritesResultsOnceAndForAll) {
  ScratchFolder folder;
  const recipe::SegmentSpec spec = TinySpec(12);
  ASSERT_TRUE(RunTiny(folder.path(), spec).ok());
  const fs::path out = folder / spec.id;
  const nlohmann::json result = Json(out / "result.json");
  EXPECT_EQ(result["id"], spec.id);
  EXPECT_EQ(result["tokens"], 12 * 24);
  EXPECT_EQ(result["validation"]["per_sequence"].size(), 9u);
  EXPECT_LT(result["train_loss_smoothed"].get<double>(), 3.2);
  EXPECT_EQ(result["counts"]["block_linears"], 512);
  EXPECT_TRUE(result["quantized_sites"].empty());
  EXPECT_EQ(Json(out / "sites.json").size(), 8u);
  EXPECT_TRUE(Json(out / "sites.json")[0]["snr_db"].is_null());
  EXPECT_GT(Json(out / "machine.json")["tokens_per_second"].get<double>(), 0);
  EXPECT_FALSE(fs::exists(out / "resume.safetensors"));
  EXPECT_FALSE(fs::exists(out / "failed.json"));
  // Run again: nothing is computed.
  const auto time = fs::last_write_time(out / "result.json");
  int64_t step = 0;
  ASSERT_TRUE(RunTiny(folder.path(), spec, {}, &step).ok());
  EXPECT_EQ(step, 12);
  EXPECT_EQ(fs::last_write_time(out / "result.json"), time);
}

TEST(SegmentRunTest, StoppingAfterEveryStepChangesNoByte) {
  ScratchFolder whole, pieces;
  recipe::SegmentSpec spec = QuantizedSpec(9);
  spec.evaluation.site_statistics_every = 4;
  ASSERT_TRUE(RunTiny(whole.path(), spec).ok());
  RunInPieces(pieces.path(), spec);
  for (const char* file :
       {"result.json", "sites.json", "metrics.jsonl", "sites.jsonl", "checkpoint.safetensors"}) {
    EXPECT_EQ(testing::Bytes(whole / spec.id / file), testing::Bytes(pieces / spec.id / file))
        << file;
    EXPECT_NE(testing::Bytes(whole / spec.id / file), "") << file;
  }
}

TEST(SegmentRunTest, SitesAreRecordedOnTheWayAndChangeNothing) {
  ScratchFolder folder;
  recipe::SegmentSpec plain = QuantizedSpec(9);
  ASSERT_TRUE(RunTiny(folder.path(), plain).ok());
  recipe::SegmentSpec watched = plain;
  watched.evaluation.site_statistics_every = 3;
  watched.evaluation.validation_sequences = 4;
  watched.id += "-watched";
  ASSERT_TRUE(RunTiny(folder.path(), watched).ok());
  // At the start, at steps 3 and 6; the end is sites.json.
  std::istringstream lines(testing::Bytes(folder / watched.id / "sites.jsonl"));
  std::vector<int64_t> steps;
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json json = nlohmann::json::parse(line);
    steps.push_back(json["step"]);
    EXPECT_EQ(json["tokens"], json["step"].get<int64_t>() * 24);
    EXPECT_EQ(json["sites"].size(), 8u);
    EXPECT_GT(json["sites"][0]["snr_db"].get<double>(), 5);
  }
  EXPECT_EQ(steps, std::vector<int64_t>({0, 3, 6}));
  // Neither the records nor the number of validation sequences move a state or the end's record.
  EXPECT_EQ(testing::Bytes(folder / plain.id / "sites.json"),
            testing::Bytes(folder / watched.id / "sites.json"));
  EXPECT_EQ(testing::Bytes(folder / plain.id / "metrics.jsonl"),
            testing::Bytes(folder / watched.id / "metrics.jsonl"));
  auto a = *SafetensorsFile::Open(folder / plain.id / "checkpoint.safetensors");
  auto b = *SafetensorsFile::Open(folder / watched.id / "checkpoint.safetensors");
  ASSERT_EQ(a->Names(), b->Names());
  for (const std::string& name : a->Names()) {
    EXPECT_TRUE(at::equal(*a->Read(name), *b->Read(name))) << name;
  }
}

TEST(SegmentRunTest, CuttingATrajectoryIntoSegmentsChangesNoNumber) {
  ScratchFolder folder;
  recipe::SegmentSpec whole = QuantizedSpec(10);
  ASSERT_TRUE(RunTiny(folder.path(), whole).ok());
  recipe::SegmentSpec first = QuantizedSpec(4);
  first.evaluate = false;
  first.id += "-cut";
  ASSERT_TRUE(RunTiny(folder.path(), first).ok());
  EXPECT_TRUE(Json(folder / first.id / "result.json")["validation"].is_null());
  // A piece that only others start from is measured too: once, at its end.
  EXPECT_EQ(Json(folder / first.id / "sites.json").size(), 8u);
  EXPECT_EQ(testing::Bytes(folder / first.id / "sites.jsonl"), "");
  recipe::SegmentSpec second = whole;
  second.begin_step = 4;
  second.start_checkpoint = folder / first.id / "checkpoint.safetensors";
  second.id += "-cut";
  ASSERT_TRUE(RunTiny(folder.path(), second).ok());
  nlohmann::json a = Json(folder / whole.id / "result.json");
  nlohmann::json b = Json(folder / second.id / "result.json");
  a.erase("id"), b.erase("id");
  EXPECT_EQ(a, b);
  EXPECT_EQ(Json(folder / whole.id / "machine.json")["begin_step"], 0);
  EXPECT_EQ(Json(folder / second.id / "machine.json")["begin_step"], 4);
}

TEST(SegmentRunTest, TheSmoothedLossDoesNotDependOnWhoseCheckpointWasFound) {
  ScratchFolder folder;
  recipe::SegmentSpec whole = TinySpec(44);
  whole.evaluation.smoothing_tokens = 42 * 24;
  whole.id += "-whole";
  ASSERT_TRUE(RunTiny(folder.path(), whole).ok());
  recipe::SegmentSpec first = TinySpec(40);
  first.evaluation.smoothing_tokens = 24;
  ASSERT_TRUE(RunTiny(folder.path(), first).ok());
  recipe::SegmentSpec second = whole;
  second.begin_step = 40;
  second.start_checkpoint = folder / first.id / "checkpoint.safetensors";
  second.id = "second";
  ASSERT_TRUE(RunTiny(folder.path(), second).ok());
  EXPECT_EQ(Json(folder / whole.id / "result.json")["train_loss_smoothed"],
            Json(folder / second.id / "result.json")["train_loss_smoothed"]);
  whole.evaluation.smoothing_tokens = (kLossHistory + 1) * 24;
  EXPECT_TRUE(absl::StrContains(CheckSpec(whole).message(), "smoothing_tokens"));
}

TEST(SegmentRunTest, QuantizersAreToldHowLongTrainingLasts) {
  using Told = std::vector<std::pair<int64_t, int64_t>>;
  ScratchFolder folder;
  const auto run = [&](const recipe::SegmentSpec& spec) {
    testing::watched_steps.clear();
    testing::watched_totals.clear();
    const absl::Status status = RunTiny(folder.path(), spec);
    EXPECT_TRUE(status.ok()) << status;
    Told told;
    for (const StepInfo& info : testing::watched_steps) {
      told.emplace_back(info.step, info.total_steps);
    }
    return told;
  };
  // A trunk without an end.
  recipe::SegmentSpec trunk = TinySpec(3);
  trunk.trajectory.schedule.back().end = int64_t{1} << 53;
  trunk.trajectory.rules = {Rule("0.fc1.weight", "watched")};
  Identify(&trunk);
  EXPECT_EQ(run(trunk), (Told{{0, 0}, {1, 0}, {2, 0}}));
  EXPECT_EQ(testing::watched_totals, std::vector<int64_t>({0}));
  // A cooldown that goes on with the same quantizer.
  recipe::SegmentSpec cooldown = trunk;
  cooldown.trajectory.schedule = {{recipe::SchedulePiece::Shape::kLinear, 3, 5, 1, 0}};
  cooldown.trajectory.start = "trunk";
  cooldown.trajectory.start_step = cooldown.begin_step = 3;
  cooldown.end_step = 5;
  cooldown.start_checkpoint = folder / trunk.id / "checkpoint.safetensors";
  Identify(&cooldown);
  EXPECT_EQ(run(cooldown), (Told{{3, 5}, {4, 5}}));
  EXPECT_EQ(testing::watched_totals, std::vector<int64_t>({5}));
  // One that is attached there.
  cooldown.trajectory.rules = {Rule("0.fc1.weight", "watched", 3)};
  Identify(&cooldown);
  EXPECT_EQ(run(cooldown), (Told{{0, 2}, {1, 2}}));
  EXPECT_EQ(testing::watched_totals, std::vector<int64_t>({2}));
  // Trained past the end of its schedule.
  recipe::SegmentSpec past = trunk;
  past.trajectory.schedule.back().end = 4;
  past.end_step = 5;
  Identify(&past);
  EXPECT_EQ(run(past), (Told{{0, 4}, {1, 4}, {2, 4}, {3, 4}, {4, 0}}));
}

TEST(SegmentRunTest, ForkStartsFreshQuantizersOnTheParentsWeights) {
  ScratchFolder folder;
  const recipe::SegmentSpec trunk = TinySpec(6);
  ASSERT_TRUE(RunTiny(folder.path(), trunk).ok());
  recipe::SegmentSpec fork = QuantizedSpec(6);
  fork.trajectory.start = "parent";
  fork.trajectory.start_step = fork.begin_step = 6;
  fork.start_checkpoint = folder / trunk.id / "checkpoint.safetensors";
  Identify(&fork);
  // No step of its own: post-training quantization.
  ASSERT_TRUE(RunTiny(folder.path(), fork).ok());
  const nlohmann::json result = Json(folder / fork.id / "result.json");
  EXPECT_TRUE(result["train_loss_smoothed"].is_null());
  EXPECT_EQ(result["tokens"], 6 * 24);
  const double plain = Json(folder / trunk.id / "result.json")["validation"]["loss"].get<double>();
  EXPECT_NE(result["validation"]["loss"].get<double>(), plain);
  EXPECT_NEAR(result["validation"]["loss"].get<double>(), plain, .5);
  EXPECT_GT(Json(folder / fork.id / "sites.json")[0]["snr_db"].get<double>(), 5);
  auto parent = *SafetensorsFile::Open(folder / trunk.id / "checkpoint.safetensors");
  auto child = *SafetensorsFile::Open(folder / fork.id / "checkpoint.safetensors");
  EXPECT_TRUE(at::equal(*parent->Read("model.0.fc1.weight"), *child->Read("model.0.fc1.weight")));
  EXPECT_TRUE(at::equal(*parent->Read("adam.m.model.head.weight"),
                        *child->Read("adam.m.model.head.weight")));
  EXPECT_TRUE(child->Has("quantizer.0.fc2.input.step"));
  // The adapter replaced its weight; the merged one serves whoever goes on in another scheme.
  EXPECT_FALSE(child->Has("model.1.fc2.weight"));
  EXPECT_TRUE(at::equal(*child->Read("merged.1.fc2.weight"), *parent->Read("model.1.fc2.weight")));
  recipe::SegmentSpec back = TinySpec(8);
  back.trajectory.start = "fork";
  back.trajectory.start_step = back.begin_step = 6;
  back.trajectory.carry_optimizer = false;
  back.start_checkpoint = folder / fork.id / "checkpoint.safetensors";
  Identify(&back);
  const absl::Status status = RunTiny(folder.path(), back);
  EXPECT_TRUE(status.ok()) << status;
}

TEST(SegmentRunTest, QuantizersKeepTheirStateAcrossTrajectories) {
  ScratchFolder folder;
  recipe::SegmentSpec trunk = QuantizedSpec(5);
  ASSERT_TRUE(RunTiny(folder.path(), trunk).ok());
  recipe::SegmentSpec cooldown = QuantizedSpec(5);
  cooldown.trajectory.start = "parent";
  cooldown.trajectory.start_step = cooldown.begin_step = 5;
  cooldown.start_checkpoint = folder / trunk.id / "checkpoint.safetensors";
  Identify(&cooldown);
  ASSERT_TRUE(RunTiny(folder.path(), cooldown).ok());
  auto parent = *SafetensorsFile::Open(folder / trunk.id / "checkpoint.safetensors");
  auto child = *SafetensorsFile::Open(folder / cooldown.id / "checkpoint.safetensors");
  for (const std::string& name : parent->Names()) {
    if (name == "train.losses") continue;
    EXPECT_TRUE(at::equal(*parent->Read(name), *child->Read(name))) << name;
  }
  EXPECT_EQ(Json(folder / trunk.id / "result.json")["validation"],
            Json(folder / cooldown.id / "result.json")["validation"]);
}

TEST(SegmentRunTest, NanEndsTheRunAndSaysWhere) {
  ScratchFolder folder;
  recipe::SegmentSpec spec = TinySpec(8);
  spec.trajectory.rules = {Rule("0.fc1.input", "poison")};
  Identify(&spec);
  int64_t step = 0;
  const absl::Status status = RunTiny(folder.path(), spec, {}, &step);
  EXPECT_EQ(FailureKind(status), "nan");
  EXPECT_EQ(ExitCode(status), kExitTrainingFailed);
  EXPECT_EQ(step, 2);
  EXPECT_TRUE(absl::StrContains(status.message(), "step 3")) << status;
  EXPECT_FALSE(fs::exists(folder / spec.id / "result.json"));
}

// Under a peak that no model survives, at once and in a cooldown; and one that learns.
TEST(SegmentRunTest, AnExplodedRunIsNoResult) {
  ScratchFolder folder;
  recipe::SegmentSpec spec = TinySpec(24);
  spec.trajectory.peak_learning_rate = 3;
  Identify(&spec);
  int64_t step = 0;
  const absl::Status status = RunTiny(folder.path(), spec, {}, &step);
  EXPECT_EQ(FailureKind(status), "diverged") << status;
  EXPECT_EQ(step, 24);
  EXPECT_FALSE(fs::exists(folder / spec.id / "checkpoint.safetensors"));
  // The trunk's end alone is no run's; what goes on from it knows where it began.
  recipe::SegmentSpec trunk = spec;
  trunk.evaluate = false;
  trunk.id += "-trunk";
  ASSERT_TRUE(RunTiny(folder.path(), trunk).ok());
  recipe::SegmentSpec cooldown = spec;
  cooldown.begin_step = cooldown.trajectory.start_step = 24;
  cooldown.end_step = 32;
  cooldown.trajectory.start = recipe::StateIdentity(trunk.trajectory, 24);
  cooldown.start_checkpoint = folder / trunk.id / "checkpoint.safetensors";
  cooldown.trajectory.schedule = {{recipe::SchedulePiece::Shape::kLinear, 24, 32, 1, 0}};
  Identify(&cooldown);
  EXPECT_EQ(FailureKind(RunTiny(folder.path(), cooldown)), "diverged");
  spec.trajectory.peak_learning_rate = 2e-2;
  Identify(&spec);
  EXPECT_TRUE(RunTiny(folder.path(), spec).ok());
}

TEST(SegmentRunTest, ForeignCheckpointsAreLoadedByName) {
  ScratchFolder folder;
  const recipe::SegmentSpec trunk = TinySpec(3);
  ASSERT_TRUE(RunTiny(folder.path(), trunk).ok());
  auto own = *SafetensorsFile::Open(folder / trunk.id / "checkpoint.safetensors");
  std::vector<NamedTensor> tensors;
  for (const std::string& name : own->Names()) {
    if (!absl::StartsWith(name, "model.")) continue;
    tensors.push_back({name.substr(6), own->Read(name)->to(at::kBFloat16)});
  }
  ASSERT_TRUE(WriteSafetensors(folder / "other.safetensors", tensors, {}).ok());
  recipe::SegmentSpec spec = TinySpec(0);
  spec.trajectory.start = "file:abc";
  spec.start_checkpoint = folder / "other.safetensors";
  spec.start_is_foreign = true;
  Identify(&spec);
  ASSERT_TRUE(RunTiny(folder.path(), spec).ok());
  EXPECT_NEAR(Json(folder / spec.id / "result.json")["validation"]["loss"].get<double>(),
              Json(folder / trunk.id / "result.json")["validation"]["loss"].get<double>(), .02);
  tensors.pop_back();
  ASSERT_TRUE(WriteSafetensors(folder / "short.safetensors", tensors, {}).ok());
  spec.start_checkpoint = folder / "short.safetensors";
  spec.id += "-short";
  const absl::Status status = RunTiny(folder.path(), spec);
  EXPECT_EQ(ExitCode(status), kExitUserError);
  EXPECT_TRUE(absl::StrContains(status.message(), "'head.weight' is missing")) << status;
  // A tensor that the model has no place for, in one of our own checkpoints too.
  std::vector<NamedTensor> all;
  for (const std::string& name : own->Names()) all.push_back({name, *own->Read(name)});
  all.push_back({"model.2.fc1.weight", at::zeros({16, 8})});
  ASSERT_TRUE(WriteSafetensors(folder / "deep.safetensors", all, own->metadata()).ok());
  spec.start_checkpoint = folder / "deep.safetensors";
  spec.id += "-deep";
  const absl::Status deep = RunTiny(folder.path(), spec);
  EXPECT_EQ(ExitCode(deep), kExitUserError);
  EXPECT_TRUE(absl::StrContains(deep.message(), "no place for 'model.2.fc1.weight'")) << deep;
}

TEST(SegmentRunTest, RefusesWhatDoesNotFit) {
  ScratchFolder folder;
  recipe::SegmentSpec spec = TinySpec(4000);
  EXPECT_TRUE(absl::StrContains(RunTiny(folder.path(), spec).message(), "epoch"));
  const recipe::SegmentSpec trunk = TinySpec(3);
  ASSERT_TRUE(RunTiny(folder.path(), trunk).ok());
  recipe::SegmentSpec late = TinySpec(6);
  late.begin_step = 4;
  late.start_checkpoint = folder / trunk.id / "checkpoint.safetensors";
  EXPECT_TRUE(absl::StrContains(RunTiny(folder.path(), late).message(), "is of step 3"));
  late.begin_step = 3;
  late.trajectory.seed = 99;
  EXPECT_TRUE(absl::StrContains(RunTiny(folder.path(), late).message(), "is of trajectory"));
  recipe::SegmentSpec bad = TinySpec(3);
  bad.trajectory.micro_batch_sequences = 3;
  EXPECT_TRUE(absl::StrContains(CheckSpec(bad).message(), "does not divide"));
  // A folder with the result of another segment.
  recipe::SegmentSpec other = TinySpec(3);
  other.id = "other";
  fs::create_directories(folder / "other");
  fs::copy_file(folder / trunk.id / "result.json", folder / "other" / "result.json");
  EXPECT_TRUE(absl::StrContains(RunTiny(folder.path(), other).message(), "never overwritten"));
}

}  // namespace
}  // namespace qatlas::train
