// The real programs on the chain of `lr-qat`: train, round, tune from the rounded codes, export,
// and go on with the merged model.
#include <map>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/paths.h"
#include "tests/recipes/program.h"

namespace qatlas::testing {
namespace {

nlohmann::json Json(const fs::path& file) { return nlohmann::json::parse(ReadFile(file)); }

TEST(LrQat, TunesARoundedModelAndItsMergedWeightsAreAnOrdinaryModel) {
  TemporaryFolder folder;
  const fs::path store = folder.path() / "store";
  const Finished finished =
      RunProgram({Qatlas(), "run", paths::Source() + "/tests/recipes/lr_qat.toml", "--store",
                  store.string(), "--jobs", "2", "--no-report"});
  ASSERT_EQ(finished.exit_code, 0) << finished.output;
  const nlohmann::json plan = Json(store / "studies/lr-qat-test/plan.json");
  std::map<std::string, std::string> last;  // run → its last segment
  std::map<std::string, nlohmann::json> results;
  for (const auto& run : plan["runs"]) {
    const std::string name = run["run"].get<std::string>();
    last[name] = run["segments"].back().get<std::string>();
    results[name] = Json(store / "segments" / last[name] / "result.json");
  }
  const std::string full = "a-65536-fp-s1", rounded = "a-65536-rounded-qat0-s1";
  const std::string start = "a-65536-tuned-qat0-s1", tuned = "a-65536-tuned-extra32768-lr0.01-s1";
  for (const std::string& name : {full, rounded, start, tuned}) {
    ASSERT_EQ(results.count(name), 1u) << name << "\n" << plan.dump(1);
  }
  const auto loss = [&](const std::string& name) {
    return results[name]["validation"]["loss"].get<double>();
  };
  // Tuning starts where rounding stopped, sequence by sequence, and mends most of it.
  EXPECT_EQ(results[start]["validation"], results[rounded]["validation"]);
  EXPECT_GT(loss(rounded), loss(full) + .02);
  EXPECT_LT(loss(tuned), loss(full) + .5 * (loss(rounded) - loss(full)));

  // Exported: integers of two bits, and a merged model that has the very same losses.
  const fs::path trained = store / "segments" / last[tuned];
  const fs::path out = folder.path() / "out";
  const std::string worker = (kPrograms / "qatlas-train").string();
  const Finished exported = RunProgram({worker, "export", trained.string(), out.string()});
  ASSERT_EQ(exported.exit_code, 0) << exported.output;
  for (const auto& site : Json(out / "layout.json")["sites"]) {
    EXPECT_EQ(site["layout"], "int-group");
    EXPECT_EQ(site["attributes"]["bits"], "2");
  }
  nlohmann::json spec = Json(trained / "spec.json");
  spec["trajectory"]["rules"] = nlohmann::json::array();
  spec["trajectory"].erase("frozen");
  spec["trajectory"]["start"] = "file:merged";
  spec["trajectory"]["start_step"] = spec["begin_step"] = spec["end_step"] = 0;
  spec["start_checkpoint"] = (out / "merged.safetensors").string();
  spec["start_is_foreign"] = true;
  spec["id"] = "merged";
  const auto run_merged = [&](int steps) {
    spec["end_step"] = steps;
    const fs::path here = folder.path() / absl::StrCat("merged", steps);
    fs::create_directories(here);
    std::ofstream(here / "spec.json") << spec.dump();
    const Finished done = RunProgram({worker, "run", here.string()});
    EXPECT_EQ(done.exit_code, 0) << done.output;
    return Json(here / "result.json")["validation"];
  };
  EXPECT_EQ(run_merged(0), results[tuned]["validation"]);
  // An ordinary model, which can be trained on.
  spec["trajectory"]["schedule"] = nlohmann::json::array();
  spec["trajectory"]["peak_learning_rate"] = 1e-3;
  EXPECT_LT(run_merged(16)["loss"].get<double>(), loss(tuned));
}

}  // namespace
}  // namespace qatlas::testing
