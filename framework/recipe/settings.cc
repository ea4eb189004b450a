// The sections of a recipe that are about no model and no scheme.
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "framework/plugin/nearest.h"
#include "framework/recipe/reading.h"

namespace qatlas::recipe {
namespace {

using plugin::Node;

// A table without some of its keys, which are sections of their own; nullptr where nothing else is
// in it.
const Node* Without(const Node* table, const std::vector<std::string>& keys, Node* storage) {
  if (table == nullptr || !table->Is(Node::Type::kTable)) return table;
  *storage = Node::MakeTable(table->where);
  for (const plugin::Entry& entry : table->table) {
    bool own = true;
    for (const std::string& key : keys) own = own && key != entry.key;
    if (own) storage->table.push_back(entry);
  }
  return storage->table.empty() && !table->table.empty() ? nullptr : storage;
}

OptimizerSettings Optimizer(const Values& values) {
  OptimizerSettings optimizer;
  optimizer.beta1 = values.Float("beta1");
  optimizer.beta2 = values.Float("beta2");
  optimizer.epsilon = values.Float("epsilon");
  optimizer.weight_decay = values.Float("weight_decay");
  optimizer.clip = values.Float("clip");
  return optimizer;
}

void ReadGroups(const Node* groups, Reading* reading) {
  if (groups == nullptr) return;
  if (!groups->Is(Node::Type::kTable) || groups->table.empty()) {
    reading->problems.Add(groups->where,
                          "[training.groups] holds a table for each group, such as "
                          "[training.groups.clip]");
    return;
  }
  for (const plugin::Entry& entry : groups->table) {
    const std::string title = absl::StrCat("[training.groups.", entry.key, "]");
    CheckName(entry.key, "the name of a group", entry.where, &reading->problems);
    const Values values =
        ReadSection(Section("training.groups"), &entry.value, title, &reading->problems);
    GroupSettings& group = reading->recipe.training.groups[entry.key];
    if (values.Has("learning_rate")) group.learning_rate = values.Float("learning_rate");
    if (values.Has("weight_decay")) group.weight_decay = values.Bool("weight_decay");
  }
}

}  // namespace

void ReadHead(Reading* reading) {
  const Values values =
      ReadSection(Section("recipe"), reading->root.Find("recipe"), "[recipe]", &reading->problems);
  ResolvedRecipe& recipe = reading->recipe;
  recipe.name =
      values.Has("name") ? values.Text("name") : std::filesystem::path(recipe.file).stem().string();
  recipe.description = values.Text("description");
  CheckName(recipe.name, "the recipe's name",
            values.Has("name") ? values.Get("name").where : reading->root.where,
            &reading->problems);
}

void ReadData(Reading* reading) {
  const Node* table = reading->root.Find("data");
  if (table == nullptr) {
    reading->problems.Add(reading->root.where,
                          "there is no section [data]: say where the tokens come from");
    return;
  }
  const Node* source = table->Find("source");
  std::string kind;
  for (const std::string& known : DataSources()) {
    if (source != nullptr && source->Is(Node::Type::kString) && source->text == known) kind = known;
  }
  if (kind.empty()) {
    // Without it no other key can be judged.
    if (source == nullptr) {
      const bool empty = table->Is(Node::Type::kTable) && table->table.empty();
      reading->problems.Add(
          table->where, absl::StrCat(empty ? "section [data] is empty; it needs" : "[data] lacks",
                                     " the key 'source': 'text', 'tokens' or 'synthetic'"));
    } else {
      reading->problems.Add(source->where,
                            absl::StrCat("'source' is ", ToToml(*source),
                                         "; it must be 'text', 'tokens' or 'synthetic'",
                                         plugin::NearestHint(source->text, DataSources())));
    }
    return;
  }
  const Values values = ReadSection(Section("data", kind), table, "[data]", &reading->problems);
  DataSettings& data = reading->recipe.data;
  data.kind = kind;
  data.fields = nlohmann::json::object();
  for (const auto& [key, value] : values.all()) {
    if (key != "source") data.fields[key] = NodeToJson(value);
  }
  if (values.Has("files") && values.List("files").empty()) {
    reading->problems.Add(values.Get("files").where, "'files' is an empty list");
  }
  // One that is wrong was said; its default would only raise more complaints.
  if (values.Has("vocabulary") && (values.Given("vocabulary") || !table->Find("vocabulary"))) {
    reading->vocabulary = values.Int("vocabulary");
  }
  if (kind == "synthetic" && values.Int("branching") > values.Int("vocabulary")) {
    reading->problems.Add(
        values.Get("branching").where,
        absl::StrCat("'branching' is ", values.Int("branching"),
                     "; it must be at most the vocabulary, ", values.Int("vocabulary")));
  }
  reading->sections["data"] = values;
}

void ReadTraining(Reading* reading) {
  Node storage;
  const Node* table = reading->root.Find("training");
  const Node* own = Without(table, {"optimizer", "groups"}, &storage);
  const Values values = ReadSection(Section("training"), own, "[training]", &reading->problems);
  TrainingSettings& training = reading->recipe.training;
  training.sequence_length = values.Int("sequence_length");
  training.batch_sequences = values.Int("batch_sequences");
  training.micro_batch_sequences = values.Int("micro_batch_sequences");
  training.learning_rate = values.Float("learning_rate");
  training.schedule = values.Text("schedule");
  training.warmup_tokens = values.Int("warmup_tokens");
  training.warmup_steps = values.Int("warmup_steps");
  training.final_fraction = values.Float("final_fraction");
  training.cooldown_fraction = values.Float("cooldown_fraction");
  training.cooldown_shape = values.Text("cooldown_shape");
  training.precision = values.Text("precision");
  training.threads = static_cast<int>(values.Int("threads"));
  training.allow_epochs = values.Bool("allow_epochs");
  training.evaluation.validation_sequences = values.Int("validation_sequences");
  training.evaluation.site_statistics_every = values.Int("site_statistics_every");
  training.evaluation.smoothing_tokens = values.Int("smoothing_tokens");
  training.delta_of = values.Text("delta_of");
  if (values.Given("warmup_tokens") && training.warmup_steps > 0 && training.warmup_tokens > 0) {
    reading->problems.Add(values.Get("warmup_steps").where,
                          "'warmup_steps' and 'warmup_tokens' are both given; keep one");
  }
  if (values.Given("cooldown_fraction") && training.schedule != "wsd") {
    reading->problems.Add(values.Get("cooldown_fraction").where,
                          absl::StrCat("'cooldown_fraction' has no effect under the schedule '",
                                       training.schedule, "'"));
  }
  reading->sections["training"] = values;
  const Node* optimizer = table == nullptr ? nullptr : table->Find("optimizer");
  const Values read = ReadSection(Section("training.optimizer"), optimizer, "[training.optimizer]",
                                  &reading->problems);
  training.optimizer = Optimizer(read);
  reading->sections["training.optimizer"] = read;
  ReadGroups(table == nullptr ? nullptr : table->Find("groups"), reading);
}

void ReadStart(Reading* reading) {
  const Node* table = reading->root.Find("start");
  if (table == nullptr) return;
  const Values values = ReadSection(Section("start"), table, "[start]", &reading->problems);
  if (values.Has("checkpoint")) reading->recipe.start_checkpoint = values.Text("checkpoint");
  reading->sections["start"] = values;
}

void ReadReport(Reading* reading) {
  const Node* table = reading->root.Find("report");
  reading->recipe.report_title = reading->recipe.name;
  if (table == nullptr) return;
  const Values values = ReadSection(Section("report"), table, "[report]", &reading->problems);
  if (values.Has("title")) reading->recipe.report_title = values.Text("title");
}

}  // namespace qatlas::recipe
