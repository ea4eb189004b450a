#include "framework/recipe/reader.h"

#include <algorithm>
#include <set>

#include "fixture.h"
#include "tests/paths.h"

namespace qatlas::recipe {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Labels(const ResolvedRecipe& recipe) {
  std::vector<std::string> labels;
  for (const SchemeVariant& scheme : recipe.schemes) labels.push_back(scheme.label);
  return labels;
}

// Everything of a recipe that decides runs, as text.
std::string Summary(const ResolvedRecipe& recipe) {
  std::string text = recipe.data.kind + recipe.data.fields.dump() + recipe.name;
  for (const ModelEntry& model : recipe.models) {
    absl::StrAppend(&text, "\n", model.name, " ", CanonicalText(model.use.options), " ",
                    model.use.numerics, " ", model.learning_rate.value_or(-1), " ",
                    model.batch_sequences.value_or(-1));
  }
  for (const SchemeVariant& scheme : recipe.schemes) {
    absl::StrAppend(&text, "\n", scheme.label, " ", scheme.part);
    for (const ResolvedRule& rule : scheme.rules) {
      absl::StrAppend(&text, " ", rule.sites, " ", rule.quantizer.component,
                      CanonicalText(rule.quantizer.options));
    }
  }
  for (const RunRequest& run : recipe.runs) {
    absl::StrAppend(&text, "\n", run.model, " ", run.scheme, " ", run.tokens, " ", run.seed, " ",
                    static_cast<int>(run.start.kind), " ", run.start.fraction, " ",
                    run.start.carry_optimizer, " ", run.grid);
  }
  for (const FitSettings& fit : recipe.fits) {
    absl::StrAppend(&text, "\n", fit.target, fit.laws.size(), fit.loss, fit.bootstraps,
                    fit.extra.dump());
  }
  Trajectory settings;
  settings.optimizer = recipe.training.optimizer;
  settings.groups = recipe.training.groups;
  settings.schedule = recipe.Schedule(1000, 64);
  settings.peak_learning_rate = recipe.training.learning_rate;
  absl::StrAppend(&text, settings.ToJson().dump(), recipe.training.evaluation.validation_sequences,
                  recipe.start_checkpoint.value_or("-"), recipe.report_title);
  return text;
}

void ExpectLoadsAgain(const ResolvedRecipe& recipe) {
  const auto again = Read(recipe.text);
  ASSERT_TRUE(again.ok()) << again.status() << "\n" << recipe.text;
  EXPECT_EQ(again->text, recipe.text);
  EXPECT_EQ(Summary(*again), Summary(recipe));
}

TEST(Reader, FillsInDefaults) {
  const auto recipe = Read(std::string(kHead) + "[[grid]]\nmodels = 'a'\ntokens = 1000\n");
  ASSERT_TRUE(recipe.ok()) << recipe.status();
  EXPECT_EQ(recipe->name, "r");
  EXPECT_EQ(recipe->data.kind, "synthetic");
  EXPECT_EQ(recipe->data.fields["branching"], 16);
  EXPECT_EQ(recipe->data.fields["exponent"], 1.0);
  EXPECT_EQ(recipe->data.fields.count("source"), 0u);
  EXPECT_EQ(recipe->training.optimizer.beta2, .95);
  EXPECT_EQ(recipe->training.schedule, "wsd");
  EXPECT_EQ(recipe->training.delta_of, "validation");
  // The model's vocabulary is the data's.
  EXPECT_EQ(
      CanonicalText(recipe->models[0].use.options),
      "{ffn = 32, heads = 2, kv_heads = 0, layers = 1, tied = false, vocabulary = 32, width = "
      "16}");
  EXPECT_EQ(recipe->models[0].use.numerics, 5u);
  EXPECT_EQ(recipe->PeakLearningRate(0), .01);
  EXPECT_EQ(recipe->TokensPerStep(0), 64);
  ASSERT_EQ(recipe->runs.size(), 1u);
  EXPECT_EQ(recipe->runs[0].scheme, 0);
  EXPECT_EQ(recipe->Steps(recipe->runs[0]), 15);
  EXPECT_EQ(recipe->schemes[0].label, "fp");
  EXPECT_TRUE(recipe->schemes[0].rules.empty());
  ExpectLoadsAgain(*recipe);
}

TEST(Reader, WritesGridsOutAndSharesBaselines) {
  const auto recipe = Read(std::string(kHead) + R"(
[scheme.wa]
use = "uniform"
bits = 4
group = 8

[[grid]]
name = "main"
models = ["a"]
tokens = [1024, 2048]
seeds = [1, 2]
schemes = ["wa"]
options = { bits = [4, 3], group = [8, 16] }
qat = "cooldown"

[[grid]]
models = ["a"]
tokens = [2048, 4096]
seeds = [2]
schemes = ["fp", "wa"]
parts = ["both", "weights", "fc2-8bit"]
qat = ["scratch", { fraction = 0.5 }, { fraction = 0 }]
carry_optimizer = false
)");
  ASSERT_TRUE(recipe.ok()) << recipe.status();
  // In the second grid "wa" is what the first called "wa bits=4 group=8".
  EXPECT_THAT(Labels(*recipe),
              ElementsAre("fp", "wa bits=4 group=8", "wa bits=4 group=16", "wa bits=3 group=8",
                          "wa bits=3 group=16", "wa weights", "wa fc2-8bit"));
  int baselines = 0;
  std::set<std::string> keys;
  for (const RunRequest& run : recipe->runs) {
    baselines += run.scheme == 0 ? 1 : 0;
    EXPECT_TRUE(keys.insert(absl::StrCat(run.scheme, " ", run.tokens, " ", run.seed, " ",
                                         static_cast<int>(run.start.kind), " ", run.start.fraction))
                    .second);
  }
  // 4 of the first grid and one budget more of the second.
  EXPECT_EQ(baselines, 5);
  EXPECT_EQ(recipe->runs.size(), 5u + 4 * 4 + 2 * 3 * 3);
  EXPECT_EQ(recipe->runs[0].scheme, 0);
  EXPECT_EQ(recipe->runs[1].start.kind, QatStart::Kind::kCooldown);
  EXPECT_TRUE(recipe->runs[1].start.carry_optimizer);
  EXPECT_EQ(recipe->runs.back().grid, "grid2");
  EXPECT_EQ(recipe->runs.back().start.fraction, 0);
  EXPECT_FALSE(recipe->runs.back().start.carry_optimizer);
  const SchemeVariant& mixed = recipe->schemes.back();
  EXPECT_EQ(mixed.part, "fc2-8bit");
  EXPECT_EQ(mixed.fc2_input_bits, 8);
  EXPECT_EQ(mixed.input_bits, 4);
  ExpectLoadsAgain(*recipe);
}

TEST(Reader, RulesAndEverythingElse) {
  const auto recipe = Read(R"(
[recipe]
name = "all"
description = "Every section"

[data]
source = "tokens"
files = "a.bin"
vocabulary = 100
validation_fraction = 0.5

[training]
schedule = "cosine"
warmup_steps = 2
micro_batch_sequences = 2
learning_rate = 1
delta_of = "training"

[training.optimizer]
clip = 0

[training.groups.clip]
learning_rate = 1e-4

[model.b]
use = "llama"
layers = 2
width = 8
ffn = 8
heads = 1
vocabulary = 128
batch_sequences = 6

[scheme.mix]
part = "not:o"
rules = [
  { sites = "*", use = "int", bits = 3, granularity = "channel" },
  { sites = "*.fc2.input", use = "lsq", group = 4, granularity = "group" },
  { sites = "0.*.*", use = "none" },
]

[[grid]]
models = ["b"]
tokens = [100_000]
schemes = ["mix"]
options = [{ granularity = ["group"], group = [2, 4] }, { clip = ["learned"] }]

[start]
checkpoint = "x.safetensors"

[[fit]]
laws = ["qat-unified"]
where = "part == 'both'"

[report]
title = "All \"of\" it"
)");
  ASSERT_TRUE(recipe.ok()) << recipe.status();
  EXPECT_THAT(Labels(*recipe),
              ElementsAre("fp", "mix granularity=group group=2 not:o",
                          "mix granularity=group group=4 not:o", "mix clip=learned not:o"));
  EXPECT_EQ(recipe->schemes[3].rules.size(), 4u);
  EXPECT_EQ(recipe->schemes[3].granularity, "channel+token");
  EXPECT_EQ(recipe->schemes[3].group, 0);
  EXPECT_EQ(recipe->schemes[1].group, 2);
  EXPECT_EQ(recipe->data.fields["files"], nlohmann::json::array({"a.bin"}));
  EXPECT_EQ(recipe->training.optimizer.clip, 0);
  EXPECT_EQ(recipe->training.delta_of, "training");
  EXPECT_THAT(recipe->text, ::testing::HasSubstr("delta_of = \"training\""));
  EXPECT_EQ(recipe->training.groups.at("clip").learning_rate, 1e-4);
  EXPECT_EQ(recipe->start_checkpoint, "x.safetensors");
  EXPECT_EQ(recipe->fits[0].extra["where"], "part == 'both'");
  EXPECT_EQ(recipe->report_title, "All \"of\" it");
  EXPECT_EQ(recipe->BatchSequences(0), 6);
  ExpectLoadsAgain(*recipe);
}

TEST(Reader, Overrides) {
  const std::string text =
      std::string(kHead) + "[[grid]]\nname = 'g'\nmodels = ['a']\ntokens = [1000]\n";
  const auto recipe =
      Read(text, {"training.batch_sequences=2", "grid.g.seeds=[5, 6]", "grid.0.tokens=[2000]",
                  "training.optimizer.beta1 = 0.8", "model.a.layers=3", "recipe.name=\"other\""});
  ASSERT_TRUE(recipe.ok()) << recipe.status();
  EXPECT_EQ(recipe->training.batch_sequences, 2);
  EXPECT_EQ(recipe->training.optimizer.beta1, .8);
  EXPECT_EQ(recipe->name, "other");
  ASSERT_EQ(recipe->runs.size(), 2u);
  EXPECT_EQ(recipe->runs[1].seed, 6u);
  EXPECT_EQ(recipe->runs[1].tokens, 2000);
  ExpectLoadsAgain(*recipe);
  EXPECT_THAT(
      Wrong(text, {"training.batch=2", "training.threads=0", "recipe.name=other", "novalue",
                   "training.threads.x=1", "grid.1.seeds=[1]", "a.=1", "training.threads="}),
      ElementsAre(
          "override 'recipe.name=other': 'other' is no value of TOML; text needs quotes: "
          "recipe.name=\"other\"",
          "override 'novalue': it has no '='; write key.path=value, such as training.threads=2",
          "override 'training.threads.x=1': 'threads' is no table, so it has no 'x'",
          "override 'grid.1.seeds=[1]': there is no element 1; the list has 1, counted from 0",
          "override 'a.=1': a part of its key is empty",
          "override 'training.threads=': it has no value after the '='",
          "override 'training.batch=2': unknown key 'batch' in [training]; nearest valid name: "
          "'batch_sequences'",
          "override 'training.threads=0': 'threads' is 0; it must be at least 1"));
}

// The grid of Chen et al. 2025 for one scheme: 4 sizes, 4 budgets, groups of 32 to 256 and per
// channel and token, 80 quantized runs.
TEST(Reader, ExpressesPublishedGrids) {
  std::string text = R"([data]
source = "tokens"
files = ["shards"]
vocabulary = 32000
[training]
sequence_length = 2048
schedule = "cosine"
warmup_steps = 500
[scheme.w4a4]
use = "uniform"
bits = 4
[scheme.w4a4-lac]
use = "uniform"
bits = 4
input_options = { clip = "learned" }
[[grid]]
name = "fine"
models = ["m74", "m145", "m297", "m595"]
tokens = [10_000_000_000, 20_000_000_000, 50_000_000_000, 100_000_000_000]
schemes = ["w4a4"]
options = { granularity = ["group"], group = [32, 64, 128] }
[[grid]]
name = "coarse"
models = ["m74", "m145", "m297", "m595"]
tokens = [10_000_000_000, 20_000_000_000, 50_000_000_000, 100_000_000_000]
schemes = ["w4a4-lac"]
options = [{ granularity = ["group"], group = [256] }, { granularity = ["channel"] }]
)";
  for (const char* model : {"m74", "m145", "m297", "m595"}) {
    absl::StrAppend(
        &text, "[model.", model,
        "]\nuse = 'llama'\nlayers = 12\nwidth = 768\nffn = 2048\nheads = 16\nkv_heads = "
        "4\nbatch_sequences = 256\n");
  }
  const auto recipe = Read(text);
  ASSERT_TRUE(recipe.ok()) << recipe.status();
  EXPECT_EQ(recipe->runs.size(), 16u + 80u);
  EXPECT_THAT(Labels(*recipe),
              ElementsAre("fp", "w4a4 granularity=group group=32",
                          "w4a4 granularity=group group=64", "w4a4 granularity=group group=128",
                          "w4a4-lac granularity=group group=256", "w4a4-lac granularity=channel"));
  EXPECT_EQ(recipe->schemes[5].group, 0);
  const auto& rules = recipe->schemes[5].rules;
  EXPECT_EQ(std::get<std::string>(rules[0].quantizer.options.values.at("clip")), "absmax");
  EXPECT_EQ(std::get<std::string>(rules[1].quantizer.options.values.at("clip")), "learned");
  ExpectLoadsAgain(*recipe);
}

TEST(Reader, TheRecipesOfTheRepository) {
  int read = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(paths::Source()) / "recipes")) {
    if (entry.path().extension() != ".toml") continue;
    const auto recipe = Load(entry.path().string(), {}, ThePlugins().catalog());
    ASSERT_TRUE(recipe.ok()) << recipe.status();
    ExpectLoadsAgain(*recipe);
    EXPECT_FALSE(recipe->runs.empty());
    ++read;
  }
  EXPECT_GE(read, 1);
  EXPECT_EQ(Load("/no/such/recipe.toml", {}, ThePlugins().catalog()).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace qatlas::recipe
