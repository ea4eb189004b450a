// The command line as a person meets it: answers, messages, exit codes.
#include <cmath>
#include <cstdint>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
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
  EXPECT_TRUE(absl::StrContains(unknown.output, "no component 'itn'; nearest valid name: 'int'"))
      << unknown.output;
}

TEST(CommandLine, EveryRecipeIsValid) {
  for (const char* name : {"quickstart", "smoke", "chen2025", "chen2025-mini", "lr-qat"}) {
    const Finished finished = RunProgram(Command({"recipe", "validate", name}));
    EXPECT_EQ(finished.exit_code, 0) << name << ": " << finished.output;
  }
}

TEST(CommandLine, BadInputHasItsOwnExitCode) {
  EXPECT_EQ(RunProgram(Command({})).exit_code, 2);
  const Finished verb = RunProgram(Command({"staus", "smoke"}));
  EXPECT_EQ(verb.exit_code, 2);
  EXPECT_TRUE(absl::StrContains(verb.output, "no subcommand 'staus'; nearest valid name: 'status'"))
      << verb.output;
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

// Both mistakes at once, each with its place, scheme and model, before anything is trained.
TEST(CommandLine, SitesAreCheckedWhereARecipeIsValidated) {
  TemporaryFolder folder;
  const fs::path file = folder.path() / "bad.toml";
  std::ofstream(file) << R"(
[data]
source = "synthetic"
train_tokens = 100_000
validation_tokens = 10_000
vocabulary = 64
[training]
sequence_length = 16
[model.s]
use = "llama"
layers = 1
width = 32
ffn = 64
heads = 2
[scheme.wa]
use = "uniform"
group = 24
[scheme.r]
rules = [
  { sites = "*.fc9.input", use = "int" },
  { sites = "7.fc1.weight", use = "int" },
]
[[grid]]
models = ["s"]
tokens = [65_536]
schemes = ["wa", "r"]
)";
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"recipe", "validate", file.string()},
        std::vector<std::string>{"run", file.string(), "--dry-run"}}) {
    const Finished finished = RunProgram(Command(words));
    EXPECT_EQ(finished.exit_code, 3) << finished.output;
    for (const char* part :
         {"bad.toml:15:9: scheme 'wa', model 's': site", "group = 24 does not divide",
          "bad.toml:20:3: scheme 'r', model 's': the rule for sites '*.fc9.input' matches none",
          "bad.toml:21:3: scheme 'r', model 's': the rule for sites '7.fc1.weight' matches none"}) {
      EXPECT_TRUE(absl::StrContains(finished.output, part)) << part << "\n" << finished.output;
    }
  }
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
  // The paper's sizes: layers, width, FFN, heads, KV heads, sequences a step; 973M is the check's.
  struct Size {
    std::string name;
    int64_t layers, width, ffn, heads, kv_heads, batch;
    std::vector<int64_t> budgets;  // in units of 10^9 tokens
  };
  const std::vector<int64_t> budgets = {10, 20, 50, 100};
  const Size sizes[] = {{"74m", 12, 768, 2048, 16, 4, 256, budgets},
                        {"145m", 12, 1024, 3072, 16, 4, 256, budgets},
                        {"297m", 12, 1536, 4096, 24, 6, 512, budgets},
                        {"595m", 24, 1536, 4096, 24, 6, 512, budgets},
                        {"973m", 16, 2048, 8192, 32, 8, 512, {100, 200}}};
  std::map<std::tuple<std::string, int64_t, int64_t>, int> expected, found;  // name, N, steps
  for (const Size& s : sizes) {
    const int64_t qkv = s.width + 2 * s.kv_heads * (s.width / s.heads);
    const int64_t n = s.layers * s.width * (qkv + s.width + 3 * s.ffn);
    for (int64_t budget : s.budgets) {
      // Full precision, and W4A4 at five group sizes: both operands, and where it is no check their
      // three parts.
      expected[{s.name, n, budget * 1000000000 / (s.batch * 2048)}] =
          1 + 5 * (s.name == "973m" ? 1 : 4);
    }
  }
  std::map<std::string, int> groups;
  const std::set<std::string> parts = {"weights", "inputs", "fc2-8bit"};
  for (const auto& segment : plan["segments"]) {
    // Quantized from the first step, nothing is shared: a run is one segment.
    ASSERT_EQ(segment["runs"].size(), 1u);
    EXPECT_EQ(segment["begin_step"], 0);
    EXPECT_TRUE(segment["evaluate"].get<bool>());
    const std::string run = segment["runs"][0];
    ++found[{run.substr(0, run.find('-')), segment["N"].get<int64_t>(),
             segment["end_step"].get<int64_t>()}];
    std::string part = absl::StrContains(run, "-fp-") ? "fp" : "both";
    for (const std::string& name : parts) {
      if (absl::StrContains(run, name)) part = name;
    }
    for (const char* group :
         {"group=32", "group=64", "group=128", "granularity=group", "granularity=channel"}) {
      if (absl::StrContains(run, group)) ++groups[absl::StrCat(part, " ", group)];
    }
    if (part == "fp") ++groups[part];
  }
  EXPECT_EQ(found, expected);
  EXPECT_EQ(plan["runs"], 348);  // 80 W4A4, 240 of its parts, 10 of the check, 18 baselines
  EXPECT_EQ(groups["fp"], 18);
  for (const char* group :
       {"group=32", "group=64", "group=128", "granularity=group", "granularity=channel"}) {
    EXPECT_EQ(groups[absl::StrCat("both ", group)], 18) << group;
    for (const std::string& part : parts) {
      EXPECT_EQ(groups[absl::StrCat(part, " ", group)], 16) << part << " " << group;
    }
  }
  EXPECT_EQ(groups.size(), 21u);
}

// The same of the recipe as it is shipped, before somebody has its tokens.
TEST(CommandLine, PlansBeforeTheDataAreThere) {
  TemporaryFolder folder;
  const Finished finished = RunProgram(Command(
      {"run", "chen2025", "--dry-run", "--json", "--store", (folder.path() / "store").string()}));
  ASSERT_EQ(finished.exit_code, 0) << finished.output;
  const auto plan = nlohmann::json::parse(finished.output, nullptr, false);
  EXPECT_EQ(plan["runs"], 348);
  EXPECT_EQ(plan["data"], "absent");
  EXPECT_TRUE(absl::StrContains(plan["notes"].dump(), "the data is absent")) << plan["notes"];
  EXPECT_FALSE(fs::exists(folder.path() / "store"));
}

TEST(CommandLine, DataArePreparedFromTheirSectionAlone) {
  TemporaryFolder folder;
  const std::string store = (folder.path() / "store").string();
  const std::string file = (folder.path() / "data.toml").string();
  std::ofstream(file) << "[data]\nsource = 'synthetic'\nvocabulary = 64\n"
                         "train_tokens = 400000\nvalidation_tokens = 10000\n";
  // A limit on the size of files stands in for a full disk.
  const Finished full = RunProgram({"/bin/bash", "-c",
                                    absl::StrCat("trap '' XFSZ; ulimit -f 16; ", Qatlas(),
                                                 " data prepare ", file, " --store ", store)});
  EXPECT_EQ(full.exit_code, 1) << full.output;
  const Finished prepared = RunProgram(Command({"data", "prepare", file, "--store", store}));
  EXPECT_EQ(prepared.exit_code, 0) << prepared.output;
  EXPECT_EQ(RunProgram(Command({"data", "info", file, "--store", store})).exit_code, 0);
  std::ofstream(file, std::ios::app) << "brnching = 3\n";
  const Finished typo = RunProgram(Command({"data", "info", file, "--store", store}));
  EXPECT_EQ(typo.exit_code, 3);
  EXPECT_TRUE(absl::StrContains(typo.output, "data.toml:6:1: unknown key 'brnching'"))
      << typo.output;
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

TEST(CommandLine, DoctorFindsTheWorkerAndThePlugins) {
  const Finished doctor = RunProgram(Command({"doctor", "--json"}));
  const auto findings = nlohmann::json::parse(doctor.output, nullptr, false);
  ASSERT_TRUE(findings.is_array()) << doctor.output;
  for (const auto& finding : findings) {
    if (finding["what"] == "training worker" || finding["what"] == "plugins") {
      EXPECT_TRUE(finding["good"]) << finding.dump();
    }
  }
}

// One tiny study through every verb that reads a store.
TEST(CommandLine, StudyIsTrainedExportedAndFreed) {
  TemporaryFolder folder;
  const std::string store = (folder.path() / "store").string();
  std::vector<std::string> words = {(kRecipes / "smoke.toml").string(),
                                    "grid.main.models=[\"a\"]",
                                    "grid.main.tokens=[32768]",
                                    "grid.main.seeds=[1]",
                                    "grid.parts.tokens=[32768]",
                                    "grid.parts.seeds=[1]",
                                    "grid.parts.parts=[\"weights\"]",
                                    "grid.learned.tokens=[32768]",
                                    "--store",
                                    store};
  auto with = [&words](std::vector<std::string> front, std::vector<std::string> back = {}) {
    front.insert(front.end(), words.begin(), words.end());
    front.insert(front.end(), back.begin(), back.end());
    return Command(front);
  };
  // On a terminal: the summary does not stand on the line of the progress bar, which was cleared.
  const Finished run =
      RunProgram({"/usr/bin/script", "-qec",
                  absl::StrCat("'", absl::StrJoin(with({"run"}, {"--no-report"}), "' '"), "'"),
                  (folder.path() / "typescript").string()});
  ASSERT_EQ(run.exit_code, 0) << run.output;
  const size_t summary = run.output.find("smoke: ");
  ASSERT_NE(summary, std::string::npos) << run.output;
  EXPECT_TRUE(absl::StrContains(run.output, "\r\033[K")) << "no progress bar was drawn";
  EXPECT_TRUE(summary == 0 || run.output[summary - 1] == '\n' ||
              absl::EndsWith(run.output.substr(0, summary), "\033[K"))
      << run.output;
  const Finished status = RunProgram(with({"status"}, {"--json"}));
  ASSERT_EQ(status.exit_code, 0) << status.output;
  EXPECT_TRUE(absl::StrContains(status.output, "finished"));

  const std::string out = (folder.path() / "out").string();
  std::vector<std::string> overrides(words.begin() + 1, words.end() - 2);
  std::vector<std::string> exported = {"export", words[0], "a-32768-wa_group=16-cooldown-s1", out};
  exported.insert(exported.end(), overrides.begin(), overrides.end());
  exported.insert(exported.end(), {"--store", store});
  const Finished done = RunProgram(Command(exported));
  EXPECT_EQ(done.exit_code, 0) << done.output;
  EXPECT_TRUE(absl::StrContains(done.output, "merged.safetensors")) << done.output;
  EXPECT_FALSE(absl::StrContains(done.output, "{")) << "JSON where nobody asked for it";
  EXPECT_TRUE(fs::exists(fs::path(out) / "quantized.safetensors"));
  EXPECT_TRUE(fs::exists(fs::path(out) / "merged.safetensors"));
  exported[2] = "a-32768-no-such-run";
  EXPECT_EQ(RunProgram(Command(exported)).exit_code, 3);

  const Finished ls = RunProgram(Command({"store", "ls", "--json", "--store", store}));
  ASSERT_EQ(ls.exit_code, 0) << ls.output;
  const auto before = nlohmann::json::parse(ls.output);
  EXPECT_GT(before["checkpoint_bytes"], 0);
  const Finished gc = RunProgram(
      Command({"store", "gc", "--drop-finals", "--drop-forks", "--json", "--store", store}));
  ASSERT_EQ(gc.exit_code, 0) << gc.output;
  EXPECT_GT(nlohmann::json::parse(gc.output)["bytes"], 0);
  // What was freed comes back when it is asked for.
  exported[2] = "a-32768-wa_group=16-cooldown-s1";
  const Finished freed = RunProgram(Command(exported));
  EXPECT_EQ(freed.exit_code, 1) << freed.output;
  EXPECT_TRUE(absl::StrContains(freed.output, "--restore a-32768-wa_group=16-cooldown-s1"))
      << freed.output;
  const Finished restored = RunProgram(with({"run"}, {"--no-report", "--restore", exported[2]}));
  EXPECT_EQ(restored.exit_code, 0) << restored.output;
  EXPECT_EQ(RunProgram(Command(exported)).exit_code, 0);
  // Enough is known of the runs to train them again.
  const auto provenance =
      nlohmann::json::parse(ReadFile(fs::path(store) / "studies/smoke/provenance.json"));
  const std::string plugins = provenance["worker"]["plugins"].dump();
  for (const char* name : {"llama", "int", "uniform", "lsq"}) {
    EXPECT_TRUE(absl::StrContains(plugins, name)) << plugins;
  }
  EXPECT_TRUE(absl::StrContains(provenance["models"]["a"].get<std::string>(), "learning rate"));
  EXPECT_EQ(provenance["budgets, tokens"]["a"].dump(), "[32768]");
  EXPECT_EQ(provenance["optimizer"]["beta1"].get<double>(), .9);
  EXPECT_TRUE(provenance["schemes"].contains("wa group=16")) << provenance["schemes"];
  EXPECT_TRUE(provenance["data"].contains("branching")) << provenance["data"];
  // Results stay: the report is written again from them.
  const Finished report = RunProgram(with({"report"}));
  // So few runs fit no law, which is said where a program and a person look.
  EXPECT_EQ(report.exit_code, 3) << report.output;
  EXPECT_TRUE(absl::StrContains(report.output, "warning: Fit 'delta'")) << report.output;
  const std::string page =
      ReadFile(fs::path(store) / "studies" / "smoke" / "report" / "report.html");
  EXPECT_TRUE(absl::StrContains(page, "id=\"provenance\"")) << "the run left no provenance";
  // Of these runs, or none; and no option is passed over.
  const Finished other = RunProgram(with({"report"}, {"grid.learned.seeds=[2]"}));
  EXPECT_EQ(other.exit_code, 3) << other.output;
  EXPECT_TRUE(absl::StrContains(other.output, "are of another recipe or of other overrides: 'grid"))
      << other.output;
  EXPECT_TRUE(absl::StrContains(other.output, "'grid.learned.seeds=[2]'")) << other.output;
  const Finished option = RunProgram(with({"report"}, {"--target", "loss"}));
  EXPECT_EQ(option.exit_code, 2) << option.output;
  EXPECT_TRUE(absl::StrContains(option.output, "--target goes with --law")) << option.output;
  const Finished law = RunProgram(
      with({"report"}, {"--target", "loss", "--law", "chinchilla", "--bootstraps", "0"}));
  EXPECT_EQ(law.exit_code, 3) << law.output;
  EXPECT_TRUE(absl::StrContains(
      ReadFile(fs::path(store) / "studies" / "smoke" / "report" / "report.html"), "chinchilla"));
}

}  // namespace
}  // namespace qatlas::testing
