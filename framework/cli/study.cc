#include "framework/cli/study.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "framework/cli/analysis.h"
#include "framework/data/info.h"
#include "framework/observe/atomic_file.h"

namespace qatlas::cli {
namespace {

namespace fs = std::filesystem;

// Facts of the machine that stay the same from run to run; timings stay out of results.
constexpr const char* kMachineFacts[] = {"cpu", "libtorch", "isa", "threads", "device", "plugins"};

nlohmann::ordered_json Provenance(const runs::Plan& plan, const runs::Store& store) {
  const recipe::ResolvedRecipe& recipe = plan.recipe;
  nlohmann::ordered_json json = {{"recipe", recipe.name},
                                 {"recipe file", fs::path(recipe.file).filename().string()},
                                 {"qatlas", QATLAS_VERSION}};
  std::set<uint64_t> seeds;
  for (const runs::PlannedRun& run : plan.runs) seeds.insert(run.request.seed);
  json["seeds"] = seeds;
  nlohmann::ordered_json models = nlohmann::ordered_json::object();
  for (const recipe::ModelEntry& model : recipe.models) {
    models[model.name] = absl::StrCat(model.use.component, " ", CanonicalText(model.use.options));
  }
  json["models"] = models;
  json["data"] = {{"kind", recipe.data.kind}, {"identity", plan.data.identity}};
  if (plan.data.info) {
    json["data"]["training tokens"] = plan.data.info->train.tokens;
    json["data"]["validation tokens"] = plan.data.info->validation.tokens;
    json["data"]["vocabulary"] = plan.data.info->vocabulary;
    for (const data::OriginFile& file : plan.data.info->origin) {
      json["data"]["files"].push_back(fs::path(file.path).filename().string() + " sha256 " +
                                      file.sha256);
    }
  }
  json["training"] = {{"sequence length", recipe.training.sequence_length},
                      {"sequences a step", recipe.training.batch_sequences},
                      {"schedule", recipe.training.schedule},
                      {"compute precision", plan.machine.precision},
                      {"device", plan.machine.device},
                      {"instruction set", plan.machine.isa},
                      {"threads of a worker", recipe.training.threads}};
  for (const runs::PlannedSegment& segment : plan.segments) {
    auto text = observe::ReadWholeFile(
        (store.SegmentFolder(segment.spec.id) / runs::kMachineFile).string());
    if (!text.ok()) continue;
    const auto machine = nlohmann::ordered_json::parse(*text, nullptr, false);
    if (!machine.is_object()) continue;
    for (const char* fact : kMachineFacts) {
      if (machine.contains(fact)) json["worker"][fact] = machine[fact];
    }
    break;
  }
  return json;
}

}  // namespace

absl::Status WriteProvenance(const runs::Plan& plan, const runs::Store& store) {
  const fs::path path = store.StudyFolder(plan.recipe.name) / "provenance.json";
  return observe::WriteFileAtomically(path.string(), Provenance(plan, store).dump(2) + "\n");
}

absl::StatusOr<Analysis> AnalyzeStudy(Session& session, const runs::Plan& plan,
                                      const runs::Store& store) {
  const fs::path folder = store.StudyFolder(plan.recipe.name);
  auto inputs = InputsOfStudy(plan.recipe, folder);
  if (!inputs.ok()) return inputs.status();
  return Analyze(session, *std::move(inputs), folder);
}

}  // namespace qatlas::cli
