#include "absl/strings/str_cat.h"
#include "framework/plugin/options.h"
#include "framework/recipe/reading.h"

namespace qatlas::recipe {
namespace {

using plugin::Node;

void ReadModel(const plugin::Entry& entry, Reading* reading) {
  const std::string title = absl::StrCat("[model.", entry.key, "]");
  CheckName(entry.key, "the name of a model", entry.where, &reading->problems);
  const SectionSpec& section = Section("model");
  const Values values = ReadSection(section, &entry.value, title, &reading->problems);
  ModelEntry model;
  model.name = entry.key;
  if (values.Has("learning_rate")) model.learning_rate = values.Float("learning_rate");
  if (values.Has("batch_sequences")) model.batch_sequences = values.Int("batch_sequences");

  const TrainingSettings& training = reading->recipe.training;
  const int64_t batch = model.batch_sequences.value_or(training.batch_sequences);
  const int64_t micro = training.micro_batch_sequences;
  if (micro > 0 && batch % micro != 0) {
    reading->problems.Add(
        values.Has("batch_sequences") ? values.Get("batch_sequences").where : entry.where,
        absl::StrCat("training.micro_batch_sequences = ", micro, " does not divide the ", batch,
                     " sequences of a step of ", title));
  }

  if (values.Has("use")) {
    model.use.component = values.Text("use");
    const auto found = reading->catalog.Find(QATLAS_KIND_MODEL, model.use.component);
    if (!found.ok()) {
      reading->problems.Add(values.Get("use").where, std::string(found.status().message()));
    } else {
      const plugin::ComponentDeclaration& declaration = *found->declaration;
      model.use.numerics = declaration.numerics;
      Node table = entry.value;
      const plugin::OptionDeclaration* takes = declaration.FindOption("vocabulary");
      if (takes != nullptr && !reading->vocabulary && table.Find("vocabulary") == nullptr &&
          reading->root.Find("data") != nullptr) {
        // [data] is wrong, which was said: the model's vocabulary would have come from it.
        const auto least = static_cast<int64_t>(takes->minimum.value_or(1));
        table.Set("vocabulary", Node::Int(least, entry.where));
      } else if (takes != nullptr && reading->vocabulary) {
        const Node* vocabulary = table.Find("vocabulary");
        if (vocabulary == nullptr) {
          table.Set("vocabulary", Node::Int(*reading->vocabulary, entry.where));
        } else if (vocabulary->Is(Node::Type::kInt) && vocabulary->integer < *reading->vocabulary) {
          reading->problems.Add(
              vocabulary->where,
              absl::StrCat("'vocabulary' is ", vocabulary->integer, ", but the data has ",
                           *reading->vocabulary, " token ids; leave it out to take the data's"));
        }
      }
      const std::vector<std::string> names = section.KeyNames();
      model.use.options =
          ReadOptions(declaration, table, {names.begin(), names.end()}, &reading->problems);
    }
  }
  reading->recipe.models.push_back(std::move(model));
}

}  // namespace

void ReadModels(Reading* reading) {
  const Node* models = reading->root.Find("model");
  if (models == nullptr) {
    reading->problems.Add(reading->root.where,
                          "there is no section [model.<name>]: say what to train");
    return;
  }
  if (!models->Is(Node::Type::kTable) || models->table.empty()) {
    reading->problems.Add(models->where, "models have names: write [model.<name>]");
    return;
  }
  for (const plugin::Entry& entry : models->table) ReadModel(entry, reading);
}

}  // namespace qatlas::recipe
