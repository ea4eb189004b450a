#include "framework/runs/observations.h"

#include <cmath>

#include "framework/observe/csv.h"
#include "framework/runs/files.h"
#include "framework/runs/site_history.h"
#include "framework/runs/source.h"
#include "framework/runs/study.h"
#include "gmock/gmock.h"
#include "tests/framework/runs/support.h"

namespace qatlas::runs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class ObservationsTest : public RunsTest {};

TEST_F(ObservationsTest, RowsHaveLossesPairedOverSequences) {
  const auto recipe = Recipe({20}, 3);
  MustRun(recipe);
  const observe::Table table = GatherObservations(MustPlan(recipe), store_).value();
  ASSERT_EQ(table.rows(), 3u);
  EXPECT_EQ(table.TextAt(0, "scheme"), "fp");
  EXPECT_EQ(table.TextAt(0, "precision"), "fp");  // laws hold full precision by this label
  EXPECT_EQ(table.TextAt(0, "part"), "none");
  EXPECT_EQ(table.TextAt(0, "status"), "done");
  EXPECT_EQ(table.NumberAt(0, "N"), 12 * 64);
  EXPECT_EQ(table.NumberAt(0, "D"), 160);
  EXPECT_EQ(table.NumberAt(0, "loss"), 3.5);
  EXPECT_TRUE(std::isnan(table.NumberAt(0, "delta")));
  EXPECT_TRUE(std::isnan(table.NumberAt(0, "qat_fraction")));
  EXPECT_EQ(table.TextAt(1, "precision"), "W4A4");
  EXPECT_EQ(table.TextAt(1, "baseline"), "xs-160-fp-s1");
  EXPECT_EQ(table.TextAt(1, "granularity"), "per-group");
  EXPECT_EQ(table.NumberAt(1, "G"), 4);
  EXPECT_EQ(table.NumberAt(1, "qat_fraction"), .25);
  // Differences .25, .25, .5, .5: their mean, and their standard deviation over sqrt(4).
  EXPECT_DOUBLE_EQ(table.NumberAt(1, "delta"), .375);
  EXPECT_EQ(table.TextAt(1, "delta_of"), "validation");
  EXPECT_DOUBLE_EQ(table.NumberAt(1, "delta_se"), std::sqrt(4 * .125 * .125 / 3) / 2);
  EXPECT_EQ(table.NumberAt(1, "flops"), 72. * 64 * 160);
  // Per channel: the features of the only linear.
  EXPECT_EQ(table.NumberAt(2, "G"), 8);
  const std::vector<PairDifference> pairs = GatherPairs(MustPlan(recipe), store_).value();
  ASSERT_THAT(pairs, SizeIs(2));
  EXPECT_THAT(pairs[0].differences, ElementsAre(.25, .25, .5, .5));
}

TEST_F(ObservationsTest, OneScaleForATensorIsSharedByAllOfItsWeights) {
  auto recipe = Recipe({20}, 3);
  recipe.schemes[1].granularity = "tensor";
  recipe.schemes[1].group = 0;
  recipe.schemes[2].granularity = "per-tensor+token";
  MustRun(recipe);
  const observe::Table table = GatherObservations(MustPlan(recipe), store_).value();
  ASSERT_EQ(table.rows(), 3u);
  EXPECT_EQ(table.TextAt(1, "granularity"), "per-tensor");
  EXPECT_EQ(table.NumberAt(1, "G"), 8 * 16);  // of the only linear
  EXPECT_EQ(table.TextAt(2, "granularity"), "per-tensor+token");
  EXPECT_EQ(table.NumberAt(2, "G"), 8 * 16);
}

TEST_F(ObservationsTest, DeltaMayBeOfTheTrainingLoss) {
  auto recipe = Recipe({20}, 2);
  MustRun(recipe);
  recipe.training.delta_of = "training";
  // Nothing is trained again for it.
  EXPECT_EQ(MustPlan(recipe).totals.tokens, 0);
  const observe::Table table = GatherObservations(MustPlan(recipe), store_).value();
  ASSERT_EQ(table.rows(), 2u);
  EXPECT_EQ(table.TextAt(1, "delta_of"), "training");
  // Over the last two steps, which both trained in: .5 and .75.
  EXPECT_DOUBLE_EQ(table.NumberAt(1, "delta"), .625);
  EXPECT_DOUBLE_EQ(table.NumberAt(1, "delta_se"), .125);
  EXPECT_EQ(table.NumberAt(1, "loss"), 3.875);  // still the validation's
  const std::vector<PairDifference> pairs = GatherPairs(MustPlan(recipe), store_).value();
  ASSERT_THAT(pairs, SizeIs(1));
  EXPECT_THAT(pairs[0].differences, ElementsAre(.5, .75));
  // A run that did not train has no such δ.
  const Plan plan = MustPlan(recipe);
  const std::filesystem::path result =
      store_.SegmentFolder(plan.segments[plan.runs[1].segments.back()].spec.id) / kResultFile;
  nlohmann::json json = ReadJson(result).value();
  json["train_losses"] = nlohmann::json::array();
  std::ofstream(result) << json.dump();
  const observe::Table untrained = GatherObservations(plan, store_).value();
  EXPECT_TRUE(std::isnan(untrained.NumberAt(1, "delta")));
  EXPECT_THAT(GatherPairs(plan, store_).value(), SizeIs(0));
}

TEST_F(ObservationsTest, QuantizersSayWhatTheRecipeCannotName) {
  auto recipe = Recipe({20}, 2);
  recipe::SchemeVariant& scheme = recipe.schemes[1];
  scheme.rules[0].quantizer.component = "outside";
  scheme.rules[0].quantizer.options.values = {{"levels", int64_t{8}}, {"run", int64_t{2}}};
  scheme.weight_bits = scheme.input_bits = std::nullopt;
  scheme.group = std::nullopt;
  MustRun(recipe);
  const observe::Table table = GatherObservations(MustPlan(recipe), store_).value();
  EXPECT_EQ(table.NumberAt(1, "weight_bits"), 3);
  EXPECT_EQ(table.NumberAt(1, "input_bits"), 3);
  EXPECT_EQ(table.NumberAt(1, "fc2_input_bits"), 3);
  EXPECT_EQ(table.NumberAt(1, "G"), 2);
  EXPECT_EQ(table.TextAt(1, "precision"), "W3A3");
  EXPECT_TRUE(std::isnan(table.NumberAt(0, "weight_bits")));
  EXPECT_TRUE(std::isnan(table.NumberAt(0, "G")));
}

TEST_F(ObservationsTest, FailedRunsAppearWithTheirReason) {
  setenv("FAKE_SCRIPT", R"([{"when": {"end_step": 30}, "do": "nan", "at": 17},
                            {"when": {"end_step": 20, "quantized": true}, "do": "nan"}])",
         1);
  const auto recipe = Recipe({20, 40}, 2);
  MustRun(recipe);
  const observe::Table table =
      observe::ReadCsv((store_.StudyFolder("test") / "observations.csv").string()).value();
  ASSERT_EQ(table.rows(), 4u);
  EXPECT_EQ(table.TextAt(0, "status"), "done");
  EXPECT_EQ(table.TextAt(1, "status"), "failed: nan after step 15: as scripted");
  EXPECT_TRUE(std::isnan(table.NumberAt(1, "loss")));
  EXPECT_EQ(table.NumberAt(1, "N"), 12 * 64);
  // Its trunk failed, which is a part of the run like any other.
  EXPECT_EQ(table.TextAt(2, "status"), "failed: nan after step 17: as scripted");
}

TEST_F(ObservationsTest, RunsThatLearnedNothingAreNamed) {
  MustRun(Recipe({20}));  // full precision at 3.5, quantized at 3.875
  Plan plan = MustPlan(Recipe({20}));
  ASSERT_TRUE(plan.data.info.has_value());
  plan.data.info->unigram_entropy = 3.9;
  EXPECT_THAT(RunsWithoutLearning(plan, store_).value(), ElementsAre("xs-160-w4-cooldown-s1"));
  plan.data.info->unigram_entropy = 4;
  EXPECT_THAT(RunsWithoutLearning(plan, store_).value(), ElementsAre());
  plan.data.info->unigram_entropy = 3;
  EXPECT_EQ(RunsWithoutLearning(plan, store_)->size(), 2u);
}

TEST_F(ObservationsTest, StudiesReadBack) {
  const auto recipe = Recipe({20, 40}, 2);
  MustRun(recipe);
  EXPECT_THAT(ListStudies(store_), ElementsAre("test"));
  const Study study = ReadStudy(store_, "test").value();
  const Plan plan = MustPlan(recipe);
  ASSERT_EQ(study.segments.size(), plan.segments.size());
  int finals = 0;
  for (size_t i = 0; i < study.segments.size(); ++i) {
    EXPECT_EQ(study.segments[i].id, plan.segments[i].spec.id);
    EXPECT_EQ(study.segments[i].trajectory, plan.segments[i].trajectory);
    finals += study.segments[i].final_of_run ? 1 : 0;
  }
  EXPECT_EQ(finals, 4);
  const nlohmann::json sites = ReadJson(store_.StudyFolder("test") / "sites.json").value();
  EXPECT_EQ(sites.size(), 4u);
  EXPECT_TRUE(sites.contains("xs-320-w4-cooldown-s1"));
  std::ofstream(store_.StudyFolder("test") / "plan.json") << R"({"segments": [{"id": 1}]})";
  EXPECT_TRUE(absl::IsDataLoss(ReadStudy(store_, "test").status()));
}

TEST_F(ObservationsTest, SiteHistoryHasTheRunsOwnSegmentsByTokens) {
  auto recipe = Recipe({40}, 2);
  recipe.training.evaluation.site_statistics_every = 5;
  MustRun(recipe);
  const observe::Table table =
      observe::ReadCsv((store_.StudyFolder("test") / "site_history.csv").string()).value();
  // The pair's trunk has no evaluation in this worker, so the records are those of the cooldowns: 8
  // tokens a step, of 40 steps the last quarter.
  ASSERT_EQ(table.rows(), 4u);
  for (size_t row = 0; row < 4; ++row) {
    EXPECT_EQ(table.NumberAt(row, "step"), row % 2 == 0 ? 30 : 40);
    EXPECT_EQ(table.NumberAt(row, "tokens"), row % 2 == 0 ? 240 : 320);
    EXPECT_EQ(table.TextAt(row, "run"), row < 2 ? "xs-320-fp-s1" : "xs-320-w4-cooldown-s1");
    EXPECT_EQ(table.TextAt(row, "role"), "fc1");
    EXPECT_EQ(table.NumberAt(row, "block"), 0);
    EXPECT_GT(table.NumberAt(row, "kurtosis"), 0);
    EXPECT_TRUE(std::isnan(table.NumberAt(row, "snr_db")));
  }
  const Plan plan = MustPlan(recipe);
  const std::string& id = plan.segments[plan.runs[1].segments.back()].spec.id;
  std::ofstream(store_.SegmentFolder(id) / "sites.jsonl") << "{\"step\": 3, \"sites\"";
  EXPECT_FALSE(store_.Finished(id)) << "its results are damaged";
  EXPECT_EQ(GatherSiteHistory(plan, store_)->rows(), 2u) << "the other run's alone";
}

TEST_F(ObservationsTest, ThePlanOfAStudyDoesNotDependOnTheStore) {
  MustRun(Recipe({16}, 2));  // leaves a state at 12 on the trunk
  MustRun(Recipe({20, 40}, 2));
  const Store other(folder_ / "other");
  MustRunIn(Recipe({20, 40}, 2), other);
  for (const char* file : {"plan.json", "runs.json", "observations.csv", "sites.json",
                           "site_history.csv", "pairs.json"}) {
    EXPECT_EQ(ReadFile(store_.StudyFolder("test") / file),
              ReadFile(other.StudyFolder("test") / file))
        << file;
  }
}

TEST_F(ObservationsTest, DataTablesBecomeSources) {
  recipe::DataSettings settings;
  settings.kind = "text";
  settings.fields = {{"files", {"a.txt"}}, {"vocabulary", 300}, {"validation_fraction", .1}};
  const data::SourceSpec spec = ToSourceSpec(settings).value();
  EXPECT_EQ(spec.kind, data::SourceKind::kText);
  EXPECT_THAT(spec.text.files, ElementsAre("a.txt"));
  EXPECT_EQ(spec.text.vocabulary, 300);
  EXPECT_EQ(spec.validation_fraction, .1);
  settings.fields = {{"files", "a.txt"}, {"branching", 3}};
  const std::string message(ToSourceSpec(settings).status().message());
  EXPECT_THAT(message, HasSubstr("files"));
  EXPECT_THAT(message, HasSubstr("branching is not known"));
  settings.kind = "pictures";
  EXPECT_FALSE(ToSourceSpec(settings).ok());
}

TEST_F(ObservationsTest, PreparedDataKnowsTheFilesThatItWasReadFrom) {
  const std::filesystem::path file = folder_ / "tokens.bin";
  std::ofstream(file, std::ios::binary) << std::string(400, '\0');  // 200 tokens of 16 bits
  recipe::DataSettings settings;
  settings.kind = "tokens";
  settings.fields = {{"files", {file.string()}}, {"format", "raw"}, {"vocabulary", 4}};
  ASSERT_TRUE(store_.Create().ok());
  ASSERT_TRUE(PrepareData(settings, store_, {}).ok());
  const DataFacts facts = LookUpData(settings, store_).value();
  ASSERT_TRUE(facts.info.has_value());
  ASSERT_EQ(facts.info->origin.size(), 1u);
  EXPECT_EQ(facts.info->origin[0].path, file.string());
  EXPECT_EQ(facts.info->origin[0].bytes, 400);
  EXPECT_EQ(facts.info->origin[0].sha256.size(), 64u);
}

TEST_F(ObservationsTest, ModelsMustHoldTheVocabulary) {
  auto recipe = Recipe({20});
  recipe.models[0].use.options.values["vocabulary"] = int64_t{10};
  data::DataInfo info;
  info.vocabulary = 16;
  info.train.tokens = 2000;
  info.validation.tokens = 200;
  EXPECT_THAT(std::string(CheckData(recipe, info).message()),
              HasSubstr("vocabulary = 10, but the data has token ids up to 15"));
  recipe.models[0].use.options.values["vocabulary"] = int64_t{16};
  EXPECT_TRUE(CheckData(recipe, info).ok());
  info.validation.tokens = 16;
  EXPECT_THAT(std::string(CheckData(recipe, info).message()),
              HasSubstr("3 sequences of 4, fewer than validation_sequences = 4"));
}

}  // namespace
}  // namespace qatlas::runs
