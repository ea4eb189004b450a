// The resolved recipe as TOML.
#include "absl/strings/str_cat.h"
#include "framework/recipe/reading.h"

namespace qatlas::recipe {
namespace {

using plugin::Node;
using plugin::TomlKey;

void Line(const std::string& key, const Node& value, std::string* out) {
  absl::StrAppend(out, TomlKey(key), " = ", ToToml(value), "\n");
}

// The keys of a section that have a value, in the order of the schema.
void Keys(const SectionSpec& section, const Values& values, std::string* out) {
  for (const KeySpec& key : section.keys) {
    if (values.Has(key.name)) Line(key.name, values.Get(key.name), out);
  }
}

void Options(const OptionTable& options, std::string* out) {
  for (const auto& [key, value] : options.values) {
    Line(key, plugin::NodeFromOption(value, ""), out);
  }
}

void Scheme(const SchemeSource& source, std::string* out) {
  absl::StrAppend(out, "\n[scheme.", source.name, "]\n");
  if (!source.part.empty()) Line("part", Node::String(source.part), out);
  if (!source.after.empty()) Line("after", Node::String(source.after), out);
  if (!source.frozen.empty()) {
    plugin::Array groups;
    for (const std::string& group : source.frozen) groups.push_back(Node::String(group));
    Line("frozen", Node::MakeArray(std::move(groups), ""), out);
  }
  if (source.component != nullptr) {
    Line("use", Node::String(source.component->name), out);
    return Options(source.options, out);
  }
  absl::StrAppend(out, "rules = [\n");
  for (const SchemeSource::Rule& rule : source.rules) {
    Node table = Node::MakeTable();
    table.Set("sites", Node::String(rule.sites));
    table.Set("use", Node::String(rule.quantizer == nullptr ? "none" : rule.quantizer->name));
    for (const auto& [key, value] : rule.options.values) {
      table.Set(key, plugin::NodeFromOption(value, ""));
    }
    absl::StrAppend(out, "  ", ToToml(table), ",\n");
  }
  absl::StrAppend(out, "]\n");
}

// Everything that only a recipe that trains has.
void Training(const Reading& reading, std::string* out_text) {
  const ResolvedRecipe& recipe = reading.recipe;
  std::string& out = *out_text;
  absl::StrAppend(&out, "\n[data]\n");
  Keys(Section("data", recipe.data.kind), reading.sections.at("data"), &out);

  absl::StrAppend(&out, "\n[training]\n");
  for (const KeySpec& key : Section("training").keys) {
    // What only a cooldown reads would be refused under another schedule.
    if (key.name == "cooldown_fraction" && recipe.training.schedule != "wsd") continue;
    Line(key.name, reading.sections.at("training").Get(key.name), &out);
  }
  absl::StrAppend(&out, "\n[training.optimizer]\n");
  Keys(Section("training.optimizer"), reading.sections.at("training.optimizer"), &out);
  for (const auto& [name, group] : recipe.training.groups) {
    absl::StrAppend(&out, "\n[training.groups.", TomlKey(name), "]\n");
    if (group.learning_rate) Line("learning_rate", Node::Float(*group.learning_rate), &out);
    if (group.weight_decay) Line("weight_decay", Node::Bool(*group.weight_decay), &out);
  }

  for (const ModelEntry& model : recipe.models) {
    absl::StrAppend(&out, "\n[model.", model.name, "]\n");
    Line("use", Node::String(model.use.component), &out);
    if (model.learning_rate) Line("learning_rate", Node::Float(*model.learning_rate), &out);
    if (model.batch_sequences) Line("batch_sequences", Node::Int(*model.batch_sequences), &out);
    Options(model.use.options, &out);
  }
  for (const SchemeSource& source : reading.schemes) Scheme(source, &out);
  for (size_t i = 0; i < reading.grids.size(); ++i) {
    absl::StrAppend(&out, "\n[[grid]]\n");
    const Values& grid = reading.grids[i];
    if (!grid.Has("name")) Line("name", Node::String(absl::StrCat("grid", i + 1)), &out);
    for (const KeySpec& key : Section("grid").keys) {
      // Defaults of keys that need schemes would be refused in a grid without any.
      const bool meant = key.required || grid.Given(key.name) ||
                         (key.name != "qat" && key.name != "parts" && key.name != "schemes");
      if (grid.Has(key.name) && meant) Line(key.name, grid.Get(key.name), &out);
    }
  }
  if (recipe.start_checkpoint) {
    absl::StrAppend(&out, "\n[start]\n");
    Line("checkpoint", Node::String(*recipe.start_checkpoint), &out);
  }
}

}  // namespace

std::string ResolvedText(const Reading& reading) {
  const ResolvedRecipe& recipe = reading.recipe;
  std::string out = "[recipe]\n";
  Line("name", Node::String(recipe.name), &out);
  Line("description", Node::String(recipe.description), &out);

  if (recipe.observations) {
    absl::StrAppend(&out, ObservationsText(reading));
  } else {
    Training(reading, &out);
  }
  for (size_t i = 0; i < reading.fits.size(); ++i) {
    absl::StrAppend(&out, "\n[[fit]]\n");
    const Values& fit = reading.fits[i];
    if (!fit.Has("name")) Line("name", Node::String(absl::StrCat("fit", i + 1)), &out);
    Keys(Section("fit"), fit, &out);
  }
  absl::StrAppend(&out, "\n[report]\n");
  Line("title", Node::String(recipe.report_title), &out);
  return out;
}

}  // namespace qatlas::recipe
