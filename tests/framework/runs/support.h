// What the tests of this room share: a small recipe, a store of its own, the fake worker.
#ifndef QATLAS_TESTS_FRAMEWORK_RUNS_SUPPORT_H_
#define QATLAS_TESTS_FRAMEWORK_RUNS_SUPPORT_H_

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "framework/runs/execute.h"
#include "framework/runs/plan.h"
#include "framework/runs/store.h"

namespace qatlas::runs {

// A folder that goes with the test, and the environment of the fake worker in it.
class RunsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // In memory where that is possible: the store syncs every file.
    std::filesystem::path base = "/dev/shm";
    if (access(base.c_str(), W_OK) != 0) base = std::filesystem::temp_directory_path();
    std::string pattern = (base / "qatlas_runs_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    setenv("FAKE_LOG", (folder_ / "log").c_str(), 1);
    unsetenv("FAKE_SCRIPT");
    unsetenv("FAKE_STEP_MS");
    unsetenv("FAKE_MEMORY");
    unsetenv("FAKE_CHECKPOINT");
    store_ = Store(folder_ / "store");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // Steps of 8 tokens; 2 of warm-up; a quarter of cooldown: 20 steps fork at 15, 40 at 30.
  static recipe::ResolvedRecipe Recipe(std::vector<int64_t> steps, int schemes = 2,
                                       std::vector<uint64_t> seeds = {1}) {
    recipe::ResolvedRecipe recipe;
    recipe.name = "test";
    recipe.text = "# resolved\n";
    recipe.data.kind = "synthetic";
    recipe.data.fields = {{"vocabulary", 16},
                          {"branching", 4},
                          {"train_tokens", 2000},
                          {"validation_tokens", 200},
                          {"seed", 3}};
    recipe::ModelEntry model;
    model.name = "xs";
    model.use.component = "fake";
    model.use.options.values["width"] = int64_t{8};
    recipe.models = {model};
    const char* names[] = {"fp", "w4", "w3"};
    for (int i = 0; i < schemes; ++i) {
      recipe::SchemeVariant scheme;
      scheme.name = scheme.label = names[i];
      scheme.part = i == 0 ? "none" : "both";
      if (i > 0) {
        recipe::ResolvedRule rule;
        rule.sites = "*";
        rule.quantizer.component = "int";
        rule.quantizer.options.values["bits"] = int64_t{5 - i};
        scheme.rules = {rule};
        scheme.weight_bits = scheme.input_bits = 5 - i;
        scheme.group = i == 1 ? 4 : 0;
        scheme.granularity = i == 1 ? "group" : "channel";
        scheme.quantizer = "int";
      }
      recipe.schemes.push_back(scheme);
    }
    recipe.training.sequence_length = 4;
    recipe.training.batch_sequences = 2;
    recipe.training.warmup_steps = 2;
    recipe.training.precision = "fp32";
    recipe.training.evaluation.validation_sequences = 4;
    for (uint64_t seed : seeds) {
      for (int64_t count : steps) {
        for (int scheme = 0; scheme < schemes; ++scheme) {
          recipe::RunRequest run;
          run.scheme = scheme;
          run.tokens = count * 8;
          run.seed = seed;
          run.grid = "main";
          if (scheme > 0) run.start.kind = recipe::QatStart::Kind::kCooldown;
          recipe.runs.push_back(run);
        }
      }
    }
    return recipe;
  }

  static PlanOptions Planning() {
    PlanOptions options;
    options.machine = Machine{"cpu", "portable", "fp32", "2.11.0"};
    options.describe_options.worker = QATLAS_FAKE_WORKER;
    return options;
  }
  static ExecuteOptions Executing(int jobs = 2) {
    ExecuteOptions options;
    options.worker = QATLAS_FAKE_WORKER;
    options.jobs = jobs;
    options.disk_margin_bytes = 0;
    options.wait_poll_seconds = .02;
    return options;
  }

  Plan MustPlan(const recipe::ResolvedRecipe& recipe, const PlanOptions& options = Planning()) {
    return MustPlanIn(recipe, store_, options);
  }
  static Plan MustPlanIn(const recipe::ResolvedRecipe& recipe, const Store& store,
                         const PlanOptions& options = Planning()) {
    absl::StatusOr<Plan> plan = MakePlan(recipe, store, options);
    EXPECT_TRUE(plan.ok()) << plan.status();
    return plan.ok() ? *std::move(plan) : Plan();
  }
  ExecuteReport MustRun(const recipe::ResolvedRecipe& recipe, int jobs = 2,
                        Watcher* watcher = nullptr) {
    return MustRunIn(recipe, store_, jobs, watcher);
  }
  static ExecuteReport MustRunIn(const recipe::ResolvedRecipe& recipe, const Store& store,
                                 int jobs = 2, Watcher* watcher = nullptr,
                                 const PlanOptions& options = Planning()) {
    absl::StatusOr<ExecuteReport> report =
        Execute(MustPlanIn(recipe, store, options), store, Executing(jobs), watcher);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : ExecuteReport();
  }

  static std::string ReadFile(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  // Lines of the fake worker's log that begin with `word`.
  std::vector<std::string> Log(const std::string& word) const {
    std::vector<std::string> lines;
    const std::string text = ReadFile(folder_ / "log");
    for (absl::string_view line : absl::StrSplit(text, '\n')) {
      if (line.substr(0, word.size()) == word) lines.emplace_back(line);
    }
    return lines;
  }

  // Files of a store that hold results, by path; the store's own place is blanked.
  static std::map<std::string, std::string> Results(const Store& store) {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(store.root())) {
      if (!entry.is_regular_file()) continue;
      const std::string name = entry.path().filename().string();
      if (name == "machine.json" || name == "log.txt") continue;
      const std::string path = std::filesystem::relative(entry.path(), store.root()).string();
      if (path.rfind("data/", 0) == 0 || path.rfind("cache/", 0) == 0) continue;
      files[path] = absl::StrReplaceAll(ReadFile(entry.path()), {{store.root().string(), "STORE"}});
    }
    return files;
  }

  std::filesystem::path folder_;
  Store store_{""};
};

}  // namespace qatlas::runs

#endif  // QATLAS_TESTS_FRAMEWORK_RUNS_SUPPORT_H_
