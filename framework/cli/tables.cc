#include "framework/cli/tables.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "framework/cli/recipes.h"

namespace qatlas::cli {
namespace {

using Items = std::vector<std::pair<std::string, std::string>>;

void Replace(const Items& from, Items* to) {
  for (const auto& [name, text] : from) {
    bool found = false;
    for (auto& [other, value] : *to) {
      if (other != name) continue;
      value = text;
      found = true;
    }
    if (!found) to->emplace_back(name, text);
  }
}

absl::StatusOr<recipe::ResolvedRecipe> LaboratoryRecipe(Session& session, const std::string& source,
                                                        const std::vector<std::string>& overrides) {
  ExitCode code;
  auto recipe = LoadRecipe(session, source, overrides, &code, RecipeUse::kAny);
  if (!recipe.ok()) return recipe.status();
  if (!recipe->observations) {
    return absl::InvalidArgumentError(
        absl::StrCat(source,
                     ": a recipe without [observations] trains; give the table of its runs instead "
                     "(<store>/studies/",
                     recipe->name, "/observations.csv), or use `qatlas report`"));
  }
  return recipe;
}

}  // namespace

bool IsTable(const std::string& name) {
  for (const char* ending : {".csv", ".tsv", ".jsonl", ".ndjson"}) {
    if (absl::EndsWithIgnoreCase(name, ending)) return true;
  }
  return false;
}

absl::StatusOr<observe::LoadSpec> LoadSpecOf(const recipe::ObservationsSettings& settings) {
  observe::LoadSpec spec;
  spec.files = settings.files;
  spec.files_place = settings.files_where;
  observe::ImportSpec& import = spec.import;
  for (const recipe::PlacedText& column : settings.columns) {
    import.columns.emplace_back(column.name, column.text);
    import.places[column.name] = column.where;
  }
  for (const recipe::PlacedText& unit : settings.units) {
    import.units.emplace_back(unit.name, unit.text);
    import.places["units." + unit.name] = unit.where;
  }
  import.where = settings.filter.text;
  import.places["where"] = settings.filter.where;
  import.keep_others = settings.keep_others;
  if (!settings.weight.text.empty()) {
    import.derived.emplace_back("weight", settings.weight.text);
    import.places["weight"] = settings.weight.where;
  }
  if (!settings.noise.text.empty()) {
    import.derived.emplace_back(settings.pair.loss_se, settings.noise.text);
    import.places[settings.pair.loss_se] = settings.noise.where;
  }
  auto duplicates = observe::DuplicateRuleByName(settings.duplicates);
  if (!duplicates.ok()) return duplicates.status();
  spec.duplicates = *duplicates;
  spec.pairing = settings.pair.when == "always"  ? observe::PairingMode::kAlways
                 : settings.pair.when == "never" ? observe::PairingMode::kNever
                                                 : observe::PairingMode::kAuto;
  spec.pair.match = settings.pair.match;
  spec.pair.full_precision = settings.pair.full_precision;
  spec.pair.loss = settings.pair.loss;
  spec.pair.loss_se = settings.pair.loss_se;
  spec.pair.recompute = settings.pair.recompute;
  spec.pair_place = settings.pair.where;
  return spec;
}

absl::StatusOr<TableSource> ReadSource(Session& session, const std::string& source,
                                       const std::vector<std::string>& mapping,
                                       const std::vector<std::string>& overrides) {
  TableSource result;
  auto items = observe::ParseImportSpec(mapping);
  if (!items.ok()) return items.status();
  observe::LoadSpec spec;
  if (IsTable(source)) {
    spec.files = {source};
    spec.import = *std::move(items);
  } else {
    auto recipe = LaboratoryRecipe(session, source, overrides);
    if (!recipe.ok()) return recipe.status();
    auto from_recipe = LoadSpecOf(*recipe->observations);
    if (!from_recipe.ok()) return from_recipe.status();
    spec = *std::move(from_recipe);
    observe::ImportSpec& import = spec.import;
    for (const auto& [name, text] : items->columns) import.places.erase(name);
    for (const auto& [name, text] : items->units) import.places.erase("units." + name);
    Replace(items->columns, &import.columns);
    Replace(items->units, &import.units);
    if (!items->where.empty()) {
      import.where = items->where;
      import.places.erase("where");
    }
    result.recipe = *std::move(recipe);
  }
  auto loaded = observe::Load(spec);
  if (!loaded.ok()) return loaded.status();
  result.loaded = *std::move(loaded);
  return result;
}

}  // namespace qatlas::cli
