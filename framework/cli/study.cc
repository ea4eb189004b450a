#include "framework/cli/study.h"

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/cli/analysis.h"
#include "framework/data/info.h"
#include "framework/observe/atomic_file.h"

namespace qatlas::cli {
namespace {

namespace fs = std::filesystem;

using Json = nlohmann::ordered_json;

// Facts of the machine that stay the same from run to run; timings stay out of results.
constexpr const char* kMachineFacts[] = {"cpu", "libtorch", "isa", "threads", "device"};

std::string RulesText(const std::vector<recipe::ResolvedRule>& rules) {
  return absl::StrJoin(rules, "; ", [](std::string* out, const recipe::ResolvedRule& rule) {
    absl::StrAppend(out, rule.sites, " ", rule.quantizer.component, " ",
                    CanonicalText(rule.quantizer.options));
  });
}

Json Models(const recipe::ResolvedRecipe& recipe) {
  Json models = Json::object();
  for (size_t i = 0; i < recipe.models.size(); ++i) {
    const recipe::ModelEntry& model = recipe.models[i];
    const int index = static_cast<int>(i);
    models[model.name] = absl::StrCat(model.use.component, " ", CanonicalText(model.use.options),
                                      ", peak learning rate ", recipe.PeakLearningRate(index), ", ",
                                      recipe.BatchSequences(index), " sequences a step");
  }
  return models;
}

Json Schemes(const recipe::ResolvedRecipe& recipe) {
  Json schemes = Json::object();
  for (const recipe::SchemeVariant& scheme : recipe.schemes) {
    if (scheme.rules.empty()) continue;
    std::string text = RulesText(scheme.rules);
    if (!scheme.after.empty()) absl::StrAppend(&text, "; after ", RulesText(scheme.after));
    if (!scheme.frozen.empty()) {
      absl::StrAppend(&text, "; frozen ", absl::StrJoin(scheme.frozen, ", "));
    }
    schemes[scheme.label] = std::move(text);
  }
  return schemes;
}

Json Data(const runs::Plan& plan) {
  const recipe::DataSettings& settings = plan.recipe.data;
  Json json = {{"kind", settings.kind}, {"identity", plan.data.identity}};
  if (settings.fields.is_object()) {
    for (const auto& [key, value] : settings.fields.items()) {
      if (key != "files" && key != "validation_files") json[key] = value;
    }
  }
  if (!plan.data.info) return json;
  json["training tokens"] = plan.data.info->train.tokens;
  json["validation tokens"] = plan.data.info->validation.tokens;
  json["vocabulary"] = plan.data.info->vocabulary;
  for (const data::OriginFile& file : plan.data.info->origin) {
    json["read from"].push_back(fs::path(file.path).filename().string() + " sha256 " + file.sha256);
  }
  return json;
}

Json Training(const runs::Plan& plan) {
  const recipe::TrainingSettings& training = plan.recipe.training;
  Json json = {{"sequence length", training.sequence_length},
               {"sequences of a forward pass, 0 all", training.micro_batch_sequences},
               {"schedule", training.schedule},
               {"warm-up tokens", training.warmup_tokens},
               {"warm-up steps", training.warmup_steps},
               {"final fraction of the peak", training.final_fraction},
               {"cooldown fraction", training.cooldown_fraction},
               {"cooldown shape", training.cooldown_shape},
               {"validation sequences", training.evaluation.validation_sequences},
               {"smoothing tokens", training.evaluation.smoothing_tokens},
               {"delta of", training.delta_of},
               {"compute precision", plan.machine.precision},
               {"device", plan.machine.device},
               {"instruction set", plan.machine.isa},
               {"threads of a worker", training.threads}};
  if (plan.recipe.start_checkpoint) {
    json["start"] = fs::path(*plan.recipe.start_checkpoint).filename().string();
    for (const runs::PlannedSegment& segment : plan.segments) {
      const std::string& start = segment.spec.trajectory.start;
      if (absl::StartsWith(start, "file:")) json["start sha256"] = start.substr(5);
    }
  }
  return json;
}

Json Optimizer(const recipe::TrainingSettings& training) {
  const recipe::OptimizerSettings& adam = training.optimizer;
  Json json = {{"name", "AdamW"},
               {"beta1", adam.beta1},
               {"beta2", adam.beta2},
               {"epsilon", adam.epsilon},
               {"weight decay", adam.weight_decay},
               {"gradient clipping", adam.clip}};
  for (const auto& [name, group] : training.groups) {
    Json& settings = json[absl::StrCat("group ", name)];
    if (group.learning_rate) settings["learning rate"] = *group.learning_rate;
    if (group.weight_decay) settings["weight decay"] = *group.weight_decay;
  }
  return json;
}

// Budgets and seeds; a run's own are in observations.csv.
void AddRuns(const runs::Plan& plan, Json* json) {
  std::set<uint64_t> seeds;
  std::map<std::string, std::set<int64_t>> budgets;
  for (const runs::PlannedRun& run : plan.runs) {
    seeds.insert(run.request.seed);
    budgets[plan.recipe.models[static_cast<size_t>(run.request.model)].name].insert(run.tokens);
  }
  (*json)["runs"] = plan.runs.size();
  (*json)["seeds"] = seeds;
  (*json)["budgets, tokens"] = budgets;
}

// What the workers say of themselves, of all segments: a fact that differs is a list. Plugins of
// schemes are asked by this program alone.
Json Workers(const runs::Plan& plan, const runs::Store& store, const plugin::Catalog& catalog) {
  std::map<std::string, std::set<Json>> facts;
  std::set<std::string> plugins;
  for (const runs::PlannedSegment& segment : plan.segments) {
    const auto text = observe::ReadWholeFile(
        (store.SegmentFolder(segment.spec.id) / runs::kMachineFile).string());
    if (!text.ok()) continue;
    const Json machine = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
    if (!machine.is_object()) continue;
    for (const char* fact : kMachineFacts) {
      if (machine.contains(fact)) facts[fact].insert(machine[fact]);
    }
    for (const Json& used : machine.value("plugins", Json::array())) {
      if (!used.is_object()) continue;
      plugins.insert(absl::StrCat(used.value("name", ""), " ", used.value("version", "")));
    }
  }
  for (const recipe::SchemeVariant& scheme : plan.recipe.schemes) {
    const auto found = catalog.Find(QATLAS_KIND_SCHEME, scheme.component);
    if (!scheme.component.empty() && found.ok()) {
      plugins.insert(absl::StrCat(found->plugin->name, " ", found->plugin->version));
    }
  }
  Json json = Json::object();
  for (const char* fact : kMachineFacts) {
    const auto& values = facts[fact];
    if (values.size() == 1) json[fact] = *values.begin();
    if (values.size() > 1) json[fact] = values;
  }
  json["plugins"] = plugins;
  return json;
}

Json Provenance(const runs::Plan& plan, const runs::Store& store, const plugin::Catalog& catalog) {
  const recipe::ResolvedRecipe& recipe = plan.recipe;
  Json json = {{"recipe", recipe.name},
               {"recipe file", fs::path(recipe.file).filename().string()},
               {"every option", "recipe.resolved.toml, in the study's folder"},
               {"qatlas", QATLAS_VERSION}};
  AddRuns(plan, &json);
  json["models"] = Models(recipe);
  json["schemes"] = Schemes(recipe);
  json["data"] = Data(plan);
  json["training"] = Training(plan);
  json["optimizer"] = Optimizer(recipe.training);
  json["worker"] = Workers(plan, store, catalog);
  return json;
}

}  // namespace

absl::Status WriteProvenance(Session& session, const runs::Plan& plan, const runs::Store& store) {
  const auto catalog = session.Catalog();
  if (!catalog.ok()) return catalog.status();
  const fs::path path = store.StudyFolder(plan.recipe.name) / "provenance.json";
  return observe::WriteFileAtomically(path.string(),
                                      Provenance(plan, store, **catalog).dump(2) + "\n");
}

absl::StatusOr<Analysis> AnalyzeStudy(Session& session, const runs::Plan& plan,
                                      const runs::Store& store) {
  const fs::path folder = store.StudyFolder(plan.recipe.name);
  auto inputs = InputsOfStudy(plan.recipe, folder);
  if (!inputs.ok()) return inputs.status();
  return Analyze(session, *std::move(inputs), folder);
}

}  // namespace qatlas::cli
