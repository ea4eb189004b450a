#include "framework/recipe/observations_section.h"

#include "absl/strings/str_cat.h"
#include "framework/recipe/reading.h"

namespace qatlas::recipe {
namespace {

using plugin::Node;

KeySpec MappingKey(const char* name, KeyType type, const char* fallback, const char* help) {
  KeySpec key;
  key.name = name;
  key.type = type;
  if (fallback != nullptr) key.fallback = fallback;
  key.help = help;
  return key;
}

KeySpec MappingChoice(const char* name, const char* fallback, std::vector<std::string> choices,
                      const char* help) {
  KeySpec key = MappingKey(name, KeyType::kText, fallback, help);
  key.choices = std::move(choices);
  return key;
}

// The expressions of a table: texts, or numbers, which are constants.
std::vector<PlacedText> Expressions(const Values& values, const std::string& key, bool positive,
                                    Reading* reading) {
  std::vector<PlacedText> result;
  if (!values.Has(key)) return result;
  for (const plugin::Entry& entry : values.Get(key).table) {
    const Node& value = entry.value;
    const bool number = value.Is(Node::Type::kInt) || value.Is(Node::Type::kFloat);
    const bool text = value.Is(Node::Type::kString) && !value.text.empty();
    if (!number && !text) {
      reading->problems.Add(value.where, absl::StrCat("'", key, ".", entry.key,
                                                      "' must be an expression as text, or a "
                                                      "number"));
      continue;
    }
    const double size =
        value.Is(Node::Type::kInt) ? static_cast<double>(value.integer) : value.number;
    if (positive && number && !(size > 0)) {
      reading->problems.Add(value.where, absl::StrCat("'", key, ".", entry.key, "' is ",
                                                      ToToml(value), "; a unit is above 0"));
      continue;
    }
    result.push_back({entry.key, number ? ToToml(value) : value.text, value.where});
  }
  return result;
}

PlacedText Placed(const Values& values, const std::string& key) {
  return {"", values.Text(key), values.Get(key).where};
}

void Refuse(Reading* reading) {
  for (const plugin::Entry& entry : reading->root.table) {
    for (const char* name : {"data", "training", "model", "scheme", "grid", "start"}) {
      if (entry.key != name) continue;
      reading->problems.Add(
          entry.where, absl::StrCat("[", name,
                                    "] has no effect beside [observations]: a recipe either trains "
                                    "or reads runs that are there; write two"));
    }
  }
}

}  // namespace

std::vector<SectionSpec> ObservationsSections() {
  KeySpec files =
      MappingKey("files", KeyType::kTexts, nullptr,
                 "Tables (.csv, .tsv, .jsonl), or patterns of them. Relative paths start at "
                 "the current folder.");
  files.required = true;
  const auto form = SectionSpec::Form::kTable;
  return {
      {"observations",
       "",
       form,
       false,
       "Runs that are there already, in place of [data], models and grids: what `fit`, `compare`, "
       "`report` and `observations` read.",
       {files,
        MappingKey(
            "columns", KeyType::kExpressions, "{}",
            "Our column = a name of the files, or an expression over their columns. Empty: the "
            "files have the standard columns."),
        MappingKey(
            "units", KeyType::kExpressions, "{}",
            "Our column = a factor that its values are multiplied by: a number (1e9 for tokens in "
            "billions), or an expression over the files' columns."),
        MappingKey("where", KeyType::kText, "\"\"",
                   "Rows to keep: a condition over the files' columns and ours. Empty: all."),
        MappingKey(
            "keep_others", KeyType::kBool, "false",
            "Keeps the files' other columns under their own names. Without `columns` they are kept "
            "in any case."),
        MappingChoice("duplicates", "\"merge\"", {"merge", "keep", "refuse"},
                      "Rows that agree in every column: keep the first, keep all, or an error."),
        MappingKey("weight", KeyType::kText, "\"\"",
                   "Expression for a row's weight in fits, 0 or more. Empty: all weigh 1."),
        MappingKey(
            "noise", KeyType::kText, "\"\"",
            "Expression for the standard error of the loss, such as \"0.003 * loss\"; fits then "
            "take it, and what follows from it for delta, as known. Empty: not known.")}},
      {"observations.pair",
       "",
       form,
       false,
       "How quantized rows find the full-precision row that delta is counted from.",
       {MappingChoice("when", "\"auto\"", {"auto", "always", "never"},
                      "\"auto\": where the table has a loss and tells full precision."),
        MappingKey(
            "match", KeyType::kTexts, "[]",
            "Columns in which a pair agrees. Empty: model (N where there is none), D, and seed."),
        MappingKey(
            "full_precision", KeyType::kText, "\"\"",
            "Condition that holds for full-precision rows. Empty: scheme is fp or missing; without "
            "a scheme, part is none; without both, what precision, bits or quantized tell."),
        MappingKey("loss", KeyType::kText, "\"loss\"", "Column whose difference is delta."),
        MappingKey("loss_se", KeyType::kText, "\"loss_se\"", "Column of its standard error."),
        MappingKey("recompute", KeyType::kBool, "false",
                   "Computes delta also where the table has one.")}},
  };
}

bool ReadObservationsSection(Reading* reading) {
  const Node* table = reading->root.Find("observations");
  if (table == nullptr) return false;
  Refuse(reading);
  ObservationsSettings& settings = reading->recipe.observations.emplace();
  const Node* pair = table->Find("pair");
  Node own = *table;
  if (own.Is(Node::Type::kTable)) {
    own.table.clear();
    for (const plugin::Entry& entry : table->table) {
      if (entry.key != "pair") own.table.push_back(entry);
    }
  }
  const Values values =
      ReadSection(Section("observations"), &own, "[observations]", &reading->problems);
  settings.files = values.Texts("files");
  if (values.Has("files")) {
    settings.files_where = values.Get("files").where;
    if (settings.files.empty()) {
      reading->problems.Add(settings.files_where, "'files' is an empty list");
    }
  }
  settings.columns = Expressions(values, "columns", false, reading);
  settings.units = Expressions(values, "units", true, reading);
  settings.filter = Placed(values, "where");
  settings.weight = Placed(values, "weight");
  settings.noise = Placed(values, "noise");
  settings.keep_others = values.Bool("keep_others");
  settings.duplicates = values.Text("duplicates");
  reading->sections["observations"] = values;

  const Values rule =
      ReadSection(Section("observations.pair"), pair, "[observations.pair]", &reading->problems);
  settings.pair.when = rule.Text("when");
  settings.pair.match = rule.Texts("match");
  settings.pair.full_precision = rule.Text("full_precision");
  settings.pair.loss = rule.Text("loss");
  settings.pair.loss_se = rule.Text("loss_se");
  settings.pair.recompute = rule.Bool("recompute");
  if (pair != nullptr) settings.pair.where = pair->where;
  reading->sections["observations.pair"] = rule;
  return true;
}

std::string ObservationsText(const Reading& reading) {
  std::string out;
  for (const char* name : {"observations", "observations.pair"}) {
    absl::StrAppend(&out, "\n[", name, "]\n");
    const Values& values = reading.sections.at(name);
    for (const KeySpec& key : Section(name).keys) {
      if (!values.Has(key.name)) continue;
      absl::StrAppend(&out, plugin::TomlKey(key.name), " = ", ToToml(values.Get(key.name)), "\n");
    }
  }
  return out;
}

}  // namespace qatlas::recipe
