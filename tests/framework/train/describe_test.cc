#include "framework/train/describe.h"

#include <cmath>
#include <filesystem>

#include "absl/strings/match.h"
#include "framework/train/export.h"
#include "framework/train/safetensors.h"
#include "gtest/gtest.h"
#include "tests/framework/train/tiny.h"

namespace qatlas::train {
namespace {

using testing::Identify;
using testing::Rule;
using testing::RunTiny;
using testing::ScratchFolder;
using testing::TinySpec;

TEST(DescribeTest, TellsCountsSitesAndMemory) {
  recipe::SegmentSpec spec = TinySpec(1);
  spec.trajectory.rules = {Rule("*.*.weight", "absmax"), Rule("*.fc1.input", "step")};
  testing::TinyComponents components;
  std::vector<SiteProblem> problems;
  const auto json = *Describe(spec, components, &problems);
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(json["counts"]["block_linears"], 512);
  EXPECT_EQ(json["flops_per_token"].get<double>(), 3 * 2 * (512 + 23 * 8));
  ASSERT_EQ(json["sites"].size(), 8u);
  EXPECT_EQ(json["sites"][0]["quantizer"], "absmax");
  EXPECT_EQ(json["sites"][0]["bits"].get<double>(), 4 + 32.0 / 128);
  EXPECT_TRUE(json["sites"][3]["quantizer"].is_null());
  EXPECT_EQ(json["quantizer_parameters"], 2);
  EXPECT_EQ(json["groups"], nlohmann::json({"model", "step"}));
  EXPECT_GT(json["memory_bytes"].get<int64_t>(), 1 << 20);
  EXPECT_GT(json["checkpoint_bytes"].get<int64_t>(), 3 * 4 * (512 + 2 * 23 * 8));
}

TEST(DescribeTest, AnswersArraysAndNamesEveryFailedCheck) {
  recipe::SegmentSpec good = TinySpec(1), bad = TinySpec(2);
  bad.trajectory.rules = {Rule("*.fc2.weight", "picky")};
  testing::TinyComponents components;
  const auto get = [&](const recipe::SegmentSpec&) -> Components& { return components; };
  std::vector<SegmentProblem> problems;
  const auto answers =
      *DescribeText(nlohmann::json::array({good.ToJson(), bad.ToJson()}).dump(), get, &problems);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0]["id"], good.id);
  EXPECT_TRUE(answers[0]["sites"][2]["check"].is_null());
  EXPECT_TRUE(absl::StrContains(answers[1]["sites"][2]["check"].get<std::string>(),
                                "site 0.fc2.weight: quantizer 'picky'"));
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(problems[1].segment, 1u);
  EXPECT_EQ(problems[1].problem.rule, 0);
  EXPECT_EQ(problems[1].problem.site, "1.fc2.weight");
  EXPECT_TRUE(DescribeText(good.ToJson().dump(), get, &problems)->is_object());
  EXPECT_FALSE(DescribeText("nothing", get, &problems).ok());
}

// Of several segments, and of several rules of one.
TEST(DescribeTest, RulesThatMatchNothingAreToldAllAtOnce) {
  recipe::SegmentSpec one = TinySpec(1), two = TinySpec(2), good = TinySpec(3);
  one.trajectory.rules = {Rule("*.fc9.weight", "absmax"), Rule("*.*.weight", "absmax"),
                          Rule("7.fc1.weight", "absmax")};
  two.trajectory.rules = {Rule("*.fc1.input", "adapter")};
  testing::TinyComponents components;
  const auto get = [&](const recipe::SegmentSpec&) -> Components& { return components; };
  std::vector<SegmentProblem> problems;
  const auto specs = nlohmann::json::array({one.ToJson(), two.ToJson(), good.ToJson()});
  const auto answers = *DescribeText(specs.dump(), get, &problems);
  EXPECT_TRUE(answers[0].is_null());
  EXPECT_TRUE(answers[2].is_object());
  const auto json = ToJson(problems)["problems"];
  ASSERT_GE(json.size(), 4u);
  EXPECT_EQ(json[0]["rule"], 0);
  EXPECT_TRUE(absl::StrContains(json[0]["what"].get<std::string>(), "'*.fc9.weight' matches none"));
  EXPECT_EQ(json[1]["rule"], 2);
  EXPECT_EQ(json[2]["segment"], 1);
  EXPECT_EQ(json[2]["site"], "0.fc1.input");
}

TEST(DescribeTest, ForeignCheckpointsAreLookedInto) {
  ScratchFolder folder;
  const recipe::SegmentSpec trained = TinySpec(1);
  ASSERT_TRUE(RunTiny(folder.path(), trained).ok());
  recipe::SegmentSpec spec = TinySpec(3);
  spec.start_is_foreign = true;
  testing::TinyComponents components;
  const auto said = [&](const std::filesystem::path& file) -> std::string {
    spec.start_checkpoint = file;
    std::vector<SiteProblem> problems;
    EXPECT_TRUE(Describe(spec, components, &problems).ok());
    EXPECT_LE(problems.size(), 1u);
    return problems.empty() ? "" : problems[0].what;
  };
  const std::filesystem::path own = folder / trained.id / "checkpoint.safetensors";
  EXPECT_EQ(said(own), "") << "one of ours, moments and all";
  // Everything that is wrong with a file, at once.
  std::vector<NamedTensor> tensors;
  const auto file = *SafetensorsFile::Open(own);
  for (const std::string& name : file->Names()) {
    if (absl::StartsWith(name, "model.")) tensors.push_back({name.substr(6), *file->Read(name)});
  }
  ASSERT_TRUE(WriteSafetensors(folder / "good", tensors, {}).ok());
  EXPECT_EQ(said(folder / "good"), "");
  tensors[0].name = "wte.weight";
  tensors[1].tensor = at::zeros({3, 3});
  tensors[2].tensor = at::full_like(tensors[2].tensor, NAN);
  ASSERT_TRUE(WriteSafetensors(folder / "bad", tensors, {}).ok());
  const std::string bad = said(folder / "bad");
  for (const std::string& part :
       {std::string("is missing"), "'" + tensors[1].name + "' has shape [3, 3]",
        "'" + tensors[2].name + "' has values that are no finite numbers",
        std::string("the model has no place for 'wte.weight'")}) {
    EXPECT_TRUE(absl::StrContains(bad, part)) << part << "\n" << bad;
  }
  std::filesystem::resize_file(folder / "good", 300);
  EXPECT_TRUE(absl::StrContains(said(folder / "good"), "truncated"));
}

TEST(ExportTest, GivesCodesAndMergedWeightsThatAgree) {
  ScratchFolder folder;
  recipe::SegmentSpec spec = TinySpec(3);
  spec.trajectory.rules = {Rule("*.*.weight", "absmax"), Rule("0.*.input", "step"),
                           Rule("1.fc2.weight", "adapter")};
  Identify(&spec);
  ASSERT_TRUE(RunTiny(folder.path(), spec).ok());
  testing::TinyComponents components;
  const auto layout = Export(folder / spec.id, folder / "out", spec, components);
  ASSERT_TRUE(layout.ok()) << layout.status();
  auto quantized = *SafetensorsFile::Open(folder / "out/quantized.safetensors");
  auto merged = *SafetensorsFile::Open(folder / "out/merged.safetensors");
  const at::Tensor decoded = quantized->Read("0.fc1.weight.codes")->to(at::kFloat) *
                             *quantized->Read("0.fc1.weight.scales");
  EXPECT_TRUE(at::equal(decoded, *merged->Read("0.fc1.weight")));
  EXPECT_TRUE(merged->Has("1.fc2.weight"));
  EXPECT_TRUE(merged->Has("head.weight"));
  EXPECT_TRUE(quantized->Has("0.fc2.input.step"));
  EXPECT_EQ((*layout)["sites"].size(), 6u);
  // The merged model is an ordinary checkpoint with the same losses, up to its inputs' quantizers.
  recipe::SegmentSpec plain = TinySpec(0);
  plain.trajectory.rules = {};
  plain.trajectory.start = "file:merged";
  plain.start_checkpoint = folder / "out/merged.safetensors";
  plain.start_is_foreign = true;
  Identify(&plain);
  EXPECT_TRUE(RunTiny(folder.path(), plain).ok());
}

TEST(ExportTest, RefusesWeightsThatDoNotDecodeToThemselves) {
  ScratchFolder folder;
  recipe::SegmentSpec spec = TinySpec(2);
  spec.trajectory.rules = {Rule("*.*.weight", "lossy")};
  Identify(&spec);
  ASSERT_TRUE(RunTiny(folder.path(), spec).ok());
  testing::TinyComponents components;
  const auto layout = Export(folder / spec.id, folder / "out", spec, components);
  EXPECT_TRUE(absl::StrContains(layout.status().message(), "site 0.fc1.weight: decode"));
  EXPECT_FALSE(std::filesystem::exists(folder / "out/quantized.safetensors"));
}

}  // namespace
}  // namespace qatlas::train
