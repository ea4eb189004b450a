#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "framework/plugin/nearest.h"
#include "framework/recipe/labels.h"
#include "framework/recipe/parts.h"
#include "framework/recipe/reading.h"

namespace qatlas::recipe {
namespace {

using plugin::Node;

// A grid with its names looked up.
struct Grid {
  std::string name;
  std::vector<int> models;
  std::vector<const Node*> tokens;
  std::vector<uint64_t> seeds;
  std::vector<int> schemes;  // indices of variants
  std::vector<QatStart> starts;
};

std::string CanonicalRules(const std::vector<ResolvedRule>& rules) {
  std::string text;
  for (const ResolvedRule& rule : rules) {
    absl::StrAppend(&text, rule.sites, " = ", rule.quantizer.component, " ",
                    CanonicalText(rule.quantizer.options), "\n");
  }
  return text;
}

// The elements of a list, with problems for doubles and for an empty list.
std::vector<const Node*> Elements(const Values& values, const std::string& key, Reading* reading) {
  std::vector<const Node*> result;
  std::set<std::string> seen;
  for (const Node& node : values.List(key)) {
    if (seen.insert(ToToml(node)).second) {
      result.push_back(&node);
    } else {
      reading->problems.Add(node.where, absl::StrCat(ToToml(node), " stands twice in '", key, "'"));
    }
  }
  if (values.Given(key) && values.List(key).empty()) {
    reading->problems.Add(values.Get(key).where, absl::StrCat("'", key, "' is an empty list"));
  }
  return result;
}

// All combinations of the values of one table of options; the first key varies slowest.
std::vector<std::vector<VariedOption>> Combinations(const Node& table, Reading* reading) {
  std::vector<std::vector<VariedOption>> result = {{}};
  if (!table.Is(Node::Type::kTable) || table.table.empty()) {
    reading->problems.Add(table.where,
                          "'options' must name options with lists of values: { bits = [3, 4] }");
    return result;
  }
  for (const plugin::Entry& entry : table.table) {
    if (!entry.value.Is(Node::Type::kArray) || entry.value.array.empty()) {
      reading->problems.Add(entry.value.where, absl::StrCat("'", entry.key,
                                                            "' in 'options' must be a list with at "
                                                            "least one value: ",
                                                            entry.key, " = [...]"));
      continue;
    }
    std::vector<std::vector<VariedOption>> next;
    for (const auto& combination : result) {
      for (const Node& value : entry.value.array) {
        next.push_back(combination);
        next.back().emplace_back(entry.key, value);
      }
    }
    result = std::move(next);
  }
  return result;
}

std::vector<std::vector<VariedOption>> ReadOptionLists(const Values& values, Reading* reading) {
  if (!values.Has("options")) return {{}};
  const Node& options = values.Get("options");
  if (options.Is(Node::Type::kTable)) return Combinations(options, reading);
  std::vector<std::vector<VariedOption>> result;
  for (const Node& table : options.array) {
    for (auto& combination : Combinations(table, reading)) result.push_back(std::move(combination));
  }
  if (result.empty()) reading->problems.Add(options.where, "'options' is an empty list");
  return result;
}

// The index of a variant, which is added unless it is there.
int AddVariant(SchemeVariant variant, Reading* reading) {
  std::vector<SchemeVariant>& all = reading->recipe.schemes;
  const std::string rules = CanonicalRules(variant.rules);
  for (size_t i = 1; i < all.size(); ++i) {
    if (all[i].name == variant.name && all[i].part == variant.part &&
        CanonicalRules(all[i].rules) == rules &&
        CanonicalRules(all[i].after) == CanonicalRules(variant.after)) {
      return static_cast<int>(i);
    }
  }
  SetLabels(reading->catalog, &variant);
  all.push_back(std::move(variant));
  return static_cast<int>(all.size()) - 1;
}

std::string Label(const SchemeSource& source, const std::vector<VariedOption>& varied,
                  const std::string& part) {
  std::string label = source.name;
  for (const auto& [name, value] : varied) {
    absl::StrAppend(&label, " ", name, "=",
                    value.Is(Node::Type::kString) ? value.text : ToToml(value));
  }
  if (part != "both") absl::StrAppend(&label, " ", part);
  return label;
}

// Roles that the grid's models declare ("role:fc2" among their abilities); empty when one declares
// none.
std::vector<std::string> Roles(const Grid& grid, const Reading& reading) {
  std::vector<std::string> roles;
  for (const int model : grid.models) {
    const plugin::ComponentDeclaration* declaration = reading.catalog.FindDeclaration(
        QATLAS_KIND_MODEL, reading.recipe.models[model].use.component);
    if (declaration == nullptr) return {};
    const std::vector<std::string> declared = declaration->AbilityValues("role");
    if (declared.empty()) return {};
    roles.insert(roles.end(), declared.begin(), declared.end());
  }
  return roles;
}

std::vector<const Node*> ReadParts(const Values& values, const Grid& grid, Reading* reading) {
  std::vector<const Node*> parts;
  const std::vector<std::string> roles = Roles(grid, *reading);
  for (const Node* node : Elements(values, "parts", reading)) {
    const absl::Status status = CheckPart(node->text);
    const std::string role = RoleOfPart(node->text);
    bool known = role.empty() || roles.empty();
    for (const std::string& other : roles) known = known || role == other;
    if (!status.ok()) {
      reading->problems.Add(node->where, std::string(status.message()));
    } else if (!known) {
      reading->problems.Add(node->where, absl::StrCat("no model of the grid has the role '", role,
                                                      "'", plugin::NearestHint(role, roles)));
    } else {
      parts.push_back(node);
    }
  }
  return parts;
}

// The rules of the scheme that a scheme starts after, with those of the varied options that it has.
std::optional<std::vector<ResolvedRule>> ExpandAfter(const SchemeSource& source,
                                                     const std::vector<VariedOption>& varied,
                                                     const std::string& part, Reading* reading) {
  for (const SchemeSource& before : reading->schemes) {
    if (before.name != source.after) continue;
    std::vector<VariedOption> own;
    for (const VariedOption& option : varied) {
      if (before.Declares(option.first)) own.push_back(option);
    }
    const auto rules = ExpandScheme(before, own, reading);
    if (!rules) return std::nullopt;
    auto of_part = ApplyPart(*rules, part, reading->catalog);
    if (of_part.ok()) return *std::move(of_part);
    reading->problems.Add(source.where, absl::StrCat("part '", part, "' of scheme '", before.name,
                                                     "': ", of_part.status().message()));
    return std::nullopt;
  }
  return std::nullopt;  // said when the schemes were read
}

void ReadVariants(const Values& values, const Node& table, Grid* grid, Reading* reading) {
  const std::vector<const Node*> names = Elements(values, "schemes", reading);
  const std::vector<const Node*> parts = ReadParts(values, *grid, reading);
  const auto combinations = ReadOptionLists(values, reading);
  std::vector<std::string> known = {"fp"};
  for (const SchemeSource& source : reading->schemes) known.push_back(source.name);
  for (const char* key : {"options", "parts", "qat"}) {
    if (values.Given(key) && names.empty() && !values.Given("schemes")) {
      reading->problems.Add(values.Get(key).where, absl::StrCat("'", key,
                                                                "' has no effect: the grid "
                                                                "names no 'schemes'"));
    }
  }
  for (const Node* name : names) {
    if (name->text == "fp") continue;
    const SchemeSource* source = nullptr;
    for (const SchemeSource& candidate : reading->schemes) {
      if (candidate.name == name->text) source = &candidate;
    }
    if (source == nullptr) {
      reading->problems.Add(name->where, absl::StrCat("there is no [scheme.", name->text, "]",
                                                      plugin::NearestHint(name->text, known)));
      continue;
    }
    if (!source->part.empty() && values.Given("parts")) {
      reading->problems.Add(values.Get("parts").where,
                            absl::StrCat("scheme '", source->name, "' has a part of its own, '",
                                         source->part, "'; take one of them out"));
      continue;
    }
    std::set<std::string> seen;
    for (const auto& varied : combinations) {
      const auto rules = ExpandScheme(*source, varied, reading);
      if (!rules) continue;
      if (!seen.insert(CanonicalRules(*rules)).second) {
        reading->problems.Add(values.Get("options").where,
                              absl::StrCat("'options' have no effect on scheme '", source->name,
                                           "': ", Label(*source, varied, "both"),
                                           " is the same as another combination"));
        continue;
      }
      std::vector<std::pair<std::string, std::string>> wanted;  // part, place
      if (!source->part.empty()) {
        wanted.emplace_back(source->part, source->where);
      } else {
        for (const Node* part : parts) wanted.emplace_back(part->text, part->where);
      }
      for (const auto& [part, where] : wanted) {
        auto of_part = ApplyPart(*rules, part, reading->catalog);
        if (!of_part.ok()) {
          reading->problems.Add(where.empty() ? table.where : where,
                                absl::StrCat("part '", part, "' of scheme '", source->name,
                                             "': ", of_part.status().message()));
          continue;
        }
        SchemeVariant variant;
        if (!source->after.empty()) {
          auto before = ExpandAfter(*source, varied, part, reading);
          if (!before) continue;
          variant.after = *std::move(before);
        }
        variant.frozen = source->frozen;
        variant.name = source->name;
        if (source->component != nullptr) variant.component = source->component->name;
        variant.label = Label(*source, varied, part);
        variant.rules = *std::move(of_part);
        variant.part = part;
        const int index = AddVariant(std::move(variant), reading);
        reading->variant_options.emplace(index, OptionsOfRules(*rules));
        grid->schemes.push_back(index);
      }
    }
  }
}

// A budget must hold the warm-up, the cooldown and at least one quantized step.
void CheckBudget(const Grid& grid, int model, const Node& tokens, Reading* reading) {
  const ResolvedRecipe& recipe = reading->recipe;
  const int64_t per_step = recipe.TokensPerStep(model);
  const int64_t steps = tokens.integer / per_step;
  const std::string who =
      absl::StrCat("budget ", tokens.integer, ", model '", recipe.models[model].name, "': ");
  if (steps < 1) {
    reading->problems.Add(tokens.where,
                          absl::StrCat(who, "less than one step of ", per_step, " tokens (",
                                       recipe.BatchSequences(model), " sequences of ",
                                       recipe.training.sequence_length, ")"));
    return;
  }
  const TrainingSettings& training = recipe.training;
  const int64_t warmup =
      training.warmup_steps > 0 ? training.warmup_steps : training.warmup_tokens / per_step;
  const int64_t cooldown = steps - recipe.CooldownBegin(steps);
  if (warmup >= steps || warmup + cooldown > steps) {
    reading->problems.Add(
        tokens.where, absl::StrCat(who, steps, " steps of ", per_step, " tokens are too few for ",
                                   warmup, " steps of warm-up",
                                   cooldown > 0 ? absl::StrCat(" and ", cooldown, " of cooldown")
                                                : " and one more"));
    return;
  }
  for (const QatStart& start : grid.starts) {
    if (start.kind == QatStart::Kind::kExtra && start.extra_tokens < per_step) {
      reading->problems.Add(tokens.where,
                            absl::StrCat(who, "extra_tokens = ", start.extra_tokens,
                                         " are less than one step of ", per_step, " tokens"));
    }
    if (start.kind == QatStart::Kind::kFraction && start.fraction > 0 &&
        recipe.QuantizedFrom(start, steps) == steps) {
      reading->problems.Add(tokens.where, absl::StrCat(who, "the fraction ", start.fraction, " of ",
                                                       steps, " steps is less than one step"));
    }
  }
}

// What a run trains, however it was asked for: budgets that round to the same steps are one, and so
// are a cooldown and the fraction that it is.
using RunKey = std::tuple<int, int, int64_t, uint64_t, int64_t, bool, int64_t, double>;
RunKey KeyOf(const RunRequest& run, const ResolvedRecipe& recipe) {
  const int64_t steps = recipe.Steps(run);
  return {run.model,
          run.scheme,
          steps,
          run.seed,
          recipe.QuantizedFrom(run.start, steps),
          run.start.carry_optimizer,
          run.start.extra_tokens,
          run.start.learning_rate.value_or(0)};
}

void AddRuns(const Grid& grid, std::set<RunKey>* seen, Reading* reading) {
  const auto add = [&](RunRequest run) {
    if (seen->insert(KeyOf(run, reading->recipe)).second)
      reading->recipe.runs.push_back(std::move(run));
  };
  for (const int model : grid.models) {
    for (const Node* tokens : grid.tokens) {
      for (const uint64_t seed : grid.seeds) {
        add({model, 0, tokens->integer, seed, QatStart{}, grid.name});
        for (const int scheme : grid.schemes) {
          for (const QatStart& start : grid.starts) {
            add({model, scheme, tokens->integer, seed, start, grid.name});
          }
        }
      }
    }
  }
}

}  // namespace

void ReadGrids(Reading* reading) {
  const Node* list = reading->root.Find("grid");
  if (list == nullptr || (list->Is(Node::Type::kArray) && list->array.empty())) {
    reading->problems.Add(list == nullptr ? reading->root.where : list->where,
                          "there is no [[grid]]: say which runs to train");
    return;
  }
  if (!list->Is(Node::Type::kArray)) {
    reading->problems.Add(list->where, "grids are a list: write [[grid]] in place of [grid]");
    return;
  }
  std::set<RunKey> seen;
  std::set<std::string> names;
  std::vector<std::string> models;
  for (const ModelEntry& model : reading->recipe.models) models.push_back(model.name);
  for (const Node& table : list->array) {
    Values values = ReadSection(Section("grid"), &table, "[[grid]]", &reading->problems);
    Grid grid;
    grid.name =
        values.Has("name") ? values.Text("name") : absl::StrCat("grid", reading->grids.size() + 1);
    CheckName(grid.name, "the name of a grid", table.where, &reading->problems);
    if (!names.insert(grid.name).second) {
      reading->problems.Add(values.Has("name") ? values.Get("name").where : table.where,
                            absl::StrCat("two grids have the name '", grid.name, "'"));
    }
    for (const Node* node : Elements(values, "models", reading)) {
      int index = -1;
      for (size_t i = 0; i < models.size(); ++i) {
        if (models[i] == node->text) index = static_cast<int>(i);
      }
      if (index >= 0) {
        grid.models.push_back(index);
      } else {
        reading->problems.Add(node->where, absl::StrCat("there is no [model.", node->text, "]",
                                                        plugin::NearestHint(node->text, models)));
      }
    }
    grid.tokens = Elements(values, "tokens", reading);
    for (const Node* node : Elements(values, "seeds", reading)) {
      grid.seeds.push_back(static_cast<uint64_t>(node->integer));
    }
    grid.starts = ReadQatStarts(values, reading);
    ReadVariants(values, table, &grid, reading);
    for (const int model : grid.models) {
      for (const Node* tokens : grid.tokens) CheckBudget(grid, model, *tokens, reading);
    }
    AddRuns(grid, &seen, reading);
    reading->grids.push_back(std::move(values));
  }
  SetVariantOptions(reading);
}

}  // namespace qatlas::recipe
