// Segments under `lr-qat`: resumed, forked from and into other schemes, merged, exported.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "framework/train/checkpoint.h"
#include "framework/train/export.h"
#include "framework/train/outcome.h"
#include "framework/train/tensor_memory.h"
#include "plugins/quantizers/int/int.h"
#include "plugins/quantizers/lsq/lsq.h"
#include "tests/framework/train/tiny.h"
#include "tests/plugins/quantizers/lr_qat_fixture.h"

namespace qatlas::testing {
namespace {

namespace fs = std::filesystem;
using recipe::SegmentSpec;
using ::testing::HasSubstr;
using train::Trainee;
using train::testing::Bytes;
using train::testing::Identify;
using train::testing::ScratchFolder;
using train::testing::TinySpec;

// The tiny model with the real quantizers; options that a rule does not name have their defaults.
class RealQuantizers : public train::testing::TinyComponents {
 public:
  absl::StatusOr<train::QuantizerComponent> MakeQuantizer(
      const recipe::ComponentUse& use) override {
    train::QuantizerComponent result;
    absl::StatusOr<std::unique_ptr<Quantizer>> made = absl::NotFoundError(use.component);
    if (use.component == "lr-qat") {
      made = lr_qat::LrQatQuantizer::Create(With(LrQatDefaults(), use.options.values));
      result.abilities = {"weight", "linear", kFreesWeight};
    } else if (use.component == "int") {
      made = int_quantizer::IntQuantizer::Create(With(IntDefaults(), use.options.values));
      result.abilities = {"weight", "input"};
    } else if (use.component == "lsq") {
      made = lsq::LsqQuantizer::Create(With(LsqDefaults(), use.options.values));
      result.abilities = {"weight", "input"};
    }
    if (!made.ok()) return made.status();
    result.quantizer = *std::move(made);
    return result;
  }
};

recipe::ResolvedRule Weights(const std::string& quantizer, OptionValues options) {
  recipe::ResolvedRule rule;
  rule.sites = "*.*.weight";
  rule.quantizer.component = quantizer;
  options["granularity"] = std::string("channel");
  rule.quantizer.options.values = std::move(options);
  return rule;
}

OptionValues Fast() { return {{"a_lr", 3e-2}, {"b_lr", 1e-2}, {"scale_lr", 1e-3}}; }

OptionValues FromParent() {
  OptionValues options = Fast();
  options["range"] = std::string("parent");
  return options;
}

class LrQatTraining : public ::testing::Test {
 protected:
  // A segment of the trajectory with these rules, behind `parent` where there is one.
  SegmentSpec Segment(std::vector<recipe::ResolvedRule> rules, int64_t steps,
                      const SegmentSpec* parent = nullptr) {
    SegmentSpec spec = TinySpec(0);
    spec.trajectory.rules = std::move(rules);
    if (parent != nullptr) {
      spec.trajectory.start = parent->id;
      spec.begin_step = spec.trajectory.start_step = parent->end_step;
      spec.start_checkpoint = Checkpoint(*parent);
    }
    spec.end_step = spec.begin_step + steps;
    Identify(&spec);
    return spec;
  }
  void Run(const SegmentSpec& spec) {
    const absl::Status status = train::testing::RunTinyWith(components_, folder_.path(), spec);
    ASSERT_TRUE(status.ok()) << status;
  }
  std::string Checkpoint(const SegmentSpec& spec) {
    return (folder_ / spec.id / "checkpoint.safetensors").string();
  }
  nlohmann::json Result(const SegmentSpec& spec) {
    return nlohmann::json::parse(Bytes(folder_ / spec.id / "result.json"));
  }
  // Logits of a finished segment on fixed tokens.
  at::Tensor Logits(const SegmentSpec& spec) {
    train::Start start;
    start.file = *train::SafetensorsFile::Open(Checkpoint(spec));
    return LogitsOf(spec, start);
  }
  at::Tensor LogitsOf(const SegmentSpec& spec, const train::Start& start) {
    auto trainee = train::MakeTrainee(spec, components_, start, {});
    EXPECT_TRUE(trainee.ok()) << trainee.status();
    const at::NoGradGuard no_grad;
    const at::Tensor tokens = at::arange(18, at::kLong).view({3, 6});
    return (*trainee)->model->Logits(tokens);
  }
  double Loss(const SegmentSpec& spec) { return Result(spec)["validation"]["loss"].get<double>(); }

  ScratchFolder folder_;
  RealQuantizers components_;
};

TEST_F(LrQatTraining, StoppingAfterEveryStepChangesNoByte) {
  const SegmentSpec trunk = Segment({}, 6);
  Run(trunk);
  const SegmentSpec whole = Segment({Weights("lr-qat", Fast())}, 8, &trunk);
  Run(whole);
  ScratchFolder pieces;
  int stops = 0;
  for (int attempt = 0; attempt < 40; ++attempt) {
    train::SegmentHooks hooks;
    const bool at_end = fs::exists(pieces / whole.id / "checkpoint.safetensors");
    hooks.stop = [at_end] { return !at_end; };
    const absl::Status status =
        train::testing::RunTinyWith(components_, pieces.path(), whole, hooks);
    if (status.ok()) break;
    ASSERT_TRUE(absl::IsCancelled(status)) << status;
    ++stops;
  }
  EXPECT_GE(stops, 7);
  for (const char* file :
       {"result.json", "sites.json", "metrics.jsonl", "checkpoint.safetensors"}) {
    EXPECT_EQ(Bytes(folder_ / whole.id / file), Bytes(pieces / whole.id / file)) << file;
    EXPECT_NE(Bytes(pieces / whole.id / file), "") << file;
  }
}

TEST_F(LrQatTraining, LearnsAndTheMergedModelsLogitsAreEqualBitForBit) {
  const SegmentSpec trunk = Segment({}, 30);
  Run(trunk);
  OptionValues options = Fast();
  options["bits"] = int64_t{2};
  const SegmentSpec rounded = Segment({Weights("lr-qat", options)}, 0, &trunk);
  const SegmentSpec trained = Segment({Weights("lr-qat", options)}, 60, &trunk);
  Run(rounded);
  Run(trained);
  EXPECT_LT(Loss(trained), Loss(rounded) - .05);

  // Exported, and taken up as somebody else's full-precision checkpoint.
  const auto layout = train::Export(folder_ / trained.id, folder_ / "out", trained, components_);
  ASSERT_TRUE(layout.ok()) << layout.status();
  EXPECT_EQ((*layout)["sites"][0]["layout"], "int-group");
  EXPECT_EQ((*layout)["sites"][0]["attributes"]["bits"], "2");
  SegmentSpec merged = Segment({}, 0);
  merged.start_checkpoint = (folder_ / "out" / "merged.safetensors").string();
  merged.start_is_foreign = true;
  merged.trajectory.start = "file:merged";
  Identify(&merged);
  train::Start foreign;
  foreign.file = *train::SafetensorsFile::Open(merged.start_checkpoint);
  foreign.foreign = true;
  EXPECT_TRUE(BitEqual(LogitsOf(merged, foreign), Logits(trained)));
  Run(merged);
  EXPECT_EQ(Result(merged)["validation"], Result(trained)["validation"]);

  // It trains on as an ordinary model.
  SegmentSpec on = merged;
  on.end_step = 20;
  Identify(&on);
  Run(on);
  EXPECT_LT(Loss(on), Loss(merged));
}

TEST_F(LrQatTraining, OtherSchemesGoOnFromTheMergedWeight) {
  const SegmentSpec trunk = Segment({}, 20);
  Run(trunk);
  const SegmentSpec trained = Segment({Weights("lr-qat", Fast())}, 20, &trunk);
  Run(trained);
  const SegmentSpec full = Segment({}, 0, &trained);
  Run(full);
  EXPECT_TRUE(BitEqual(Logits(full), Logits(trained)));
  EXPECT_EQ(Result(full)["validation"], Result(trained)["validation"]);
  const SegmentSpec full_on = Segment({}, 10, &full);
  const SegmentSpec lsq = Segment({Weights("lsq", {{"bits", int64_t{4}}})}, 10, &trained);
  const SegmentSpec integers = Segment({Weights("int", {{"bits", int64_t{4}}})}, 10, &trained);
  for (const SegmentSpec& child : {full_on, lsq, integers}) {
    Run(child);
    EXPECT_LT(Loss(child), Loss(trained) + .1);
    auto file = *train::SafetensorsFile::Open(Checkpoint(child));
    EXPECT_TRUE(file->Has("model.0.fc1.weight"));
    EXPECT_FALSE(file->Has("merged.0.fc1.weight"));
    EXPECT_TRUE(file->Has("adam.m.model.0.fc1.weight"));
  }
  // And under lr-qat with other options, which starts again from the merged weight.
  OptionValues wider = Fast();
  wider["rank"] = int64_t{2};
  wider["frozen"] = std::string("int4");
  wider["range"] = std::string("parent");
  const SegmentSpec again = Segment({Weights("lr-qat", wider)}, 0, &trained);
  Run(again);
  EXPECT_TRUE(BitEqual(Logits(again), Logits(trained)));
}

TEST_F(LrQatTraining, StartsFromAParentQuantizedAfterTraining) {
  const SegmentSpec trunk = Segment({}, 20);
  Run(trunk);
  for (const char* quantizer : {"int", "lsq"}) {
    const SegmentSpec rounded = Segment({Weights(quantizer, {{"bits", int64_t{4}}})}, 0, &trunk);
    Run(rounded);
    const SegmentSpec start = Segment({Weights("lr-qat", FromParent())}, 0, &rounded);
    Run(start);
    EXPECT_TRUE(BitEqual(Logits(start), Logits(rounded))) << quantizer;
    EXPECT_EQ(Result(start)["validation"], Result(rounded)["validation"]) << quantizer;
    const SegmentSpec trained = Segment({Weights("lr-qat", FromParent())}, 30, &rounded);
    Run(trained);
    EXPECT_LT(Loss(trained), Loss(rounded)) << quantizer;
  }
  // A parent in full precision, or none, has no codes to start from.
  const SegmentSpec wrong = Segment({Weights("lr-qat", FromParent())}, 1, &trunk);
  EXPECT_THAT(
      train::testing::RunTinyWith(components_, folder_.path(), wrong).ToString(),
      ::testing::AllOf(HasSubstr("site 0.fc1.weight"), HasSubstr("quantized parent segment")));
  OptionValues other_bits = FromParent();
  other_bits["bits"] = int64_t{3};
  const SegmentSpec rounded = Segment({Weights("int", {{"bits", int64_t{4}}})}, 0, &trunk);
  const SegmentSpec bits = Segment({Weights("lr-qat", other_bits)}, 1, &rounded);
  EXPECT_THAT(train::testing::RunTinyWith(components_, folder_.path(), bits).ToString(),
              HasSubstr("codes of 4 bits"));
}

TEST_F(LrQatTraining, NoMasterWeightGradientOrMomentOfFrozenWeightsIsHeld) {
  SegmentSpec spec = Segment({Weights("lr-qat", {{"frozen", std::string("int4")}})}, 1);
  spec.trajectory.model.options.values["width"] = int64_t{256};
  spec.trajectory.frozen = {"model"};
  const int64_t weights = 2 * 4 * 256 * 256;  // of 2 blocks; their FP32 values take 2 MiB
  const train::TensorMemory memory;
  auto trainee = train::MakeTrainee(spec, components_, {}, {});
  ASSERT_TRUE(trainee.ok()) << trainee.status();
  const int64_t rank = 4, features = 2 * (256 + 512) * 2;
  const int64_t adapters = rank * features;
  const int64_t scales = 2 * (512 + 256);
  const int64_t rest = 2 * 23 * 256;  // embedding and head
  int64_t trained = 0;
  for (const auto& parameter : (*trainee)->optimizer->parameters()) {
    trained += parameter.tensor.numel();
    EXPECT_THAT(parameter.name, HasSubstr("quantizer."));
  }
  EXPECT_EQ(trained, adapters + scales);
  // Half a byte a weight; parameters with two moments; s0; the rest without moments; counters.
  const int64_t expected = weights / 2 + 12 * trained + 4 * scales + 4 * rest;
  EXPECT_GE(train::TensorMemory::live(), expected);
  EXPECT_LT(train::TensorMemory::live(), expected + 4096);
  // While starting one weight at a time was there, and what it takes to cast it down.
  const int64_t one = 4 * 512 * 256;
  EXPECT_LT(train::TensorMemory::peak(), expected + one + 8 * 4 * lr_qat::kBlockElements);
}

TEST_F(LrQatTraining, FrozenGroupsStayAsTheyWere) {
  const SegmentSpec trunk = Segment({}, 6);
  Run(trunk);
  SegmentSpec spec = Segment({Weights("lr-qat", Fast())}, 6, &trunk);
  spec.trajectory.frozen = {"model", "scale"};
  Identify(&spec);
  EXPECT_NE(spec.id, Segment({Weights("lr-qat", Fast())}, 6, &trunk).id);
  Run(spec);
  auto before = *train::SafetensorsFile::Open(Checkpoint(trunk));
  auto after = *train::SafetensorsFile::Open(Checkpoint(spec));
  for (const char* name : {"model.embedding.weight", "model.head.weight"}) {
    EXPECT_TRUE(at::equal(*before->Read(name), *after->Read(name))) << name;
  }
  EXPECT_TRUE(at::equal(*after->Read("quantizer.0.fc1.weight.scale.value"),
                        *after->Read("quantizer.0.fc1.weight.scale.initial")));
  EXPECT_GT(after->Read("quantizer.0.fc1.weight.adapter.a")->abs().max().item<float>(), 0);
  EXPECT_FALSE(after->Has("adam.m.model.head.weight"));

  spec.trajectory.frozen = {"scales"};
  Identify(&spec);
  EXPECT_THAT(train::testing::RunTinyWith(components_, folder_.path(), spec).ToString(),
              HasSubstr("there are adapter_a, adapter_b, model, scale"));
  spec.trajectory.frozen = {"adapter_a", "adapter_b", "model", "scale"};
  Identify(&spec);
  EXPECT_THAT(train::testing::RunTinyWith(components_, folder_.path(), spec).ToString(),
              HasSubstr("nothing to train"));
}

}  // namespace
}  // namespace qatlas::testing
