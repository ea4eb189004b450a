// qatlas data prepare | info.
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "framework/cli/progress.h"
#include "framework/cli/recipes.h"
#include "framework/cli/session.h"
#include "framework/data/info.h"
#include "framework/recipe/reader.h"
#include "framework/runs/source.h"

namespace qatlas::cli {
namespace {

struct DataArguments {
  std::string recipe;
  std::vector<std::string> overrides;
  std::string store = "store";
};

int Show(const Session& session, const runs::DataFacts& facts) {
  if (!facts.info) {
    return session.Fail(kFailed, absl::NotFoundError(absl::StrCat(
                                     "the data is not prepared yet (it will lie in ",
                                     facts.folder.string(), "); run `qatlas data prepare`")));
  }
  const nlohmann::ordered_json json = data::ToJson(*facts.info);
  if (session.json) {
    std::cout << json.dump(2) << "\n";
    return kDone;
  }
  std::printf("folder  %s\n", facts.folder.c_str());
  for (const auto& [key, value] : json.items()) {
    if (value.is_object() || value.is_array()) {
      std::printf("%s\n", key.c_str());
      for (const auto& [inner, item] : value.items()) {
        std::printf("  %-24s %s\n", inner.c_str(), item.dump().c_str());
      }
    } else {
      std::printf("%-26s %s\n", key.c_str(), value.dump().c_str());
    }
  }
  return kDone;
}

int Verb(Session& session, const DataArguments& arguments, bool prepare) {
  auto file = FindRecipe(arguments.recipe);
  if (!file.ok()) return session.Fail(kBadInput, file.status());
  auto catalog = session.Catalog();
  if (!catalog.ok()) return session.Fail(kPluginFailure, catalog.status());
  auto settings = recipe::LoadData(file->string(), arguments.overrides, **catalog);
  if (!settings.ok()) return session.Fail(kBadInput, settings.status());
  const runs::Store store(arguments.store);
  if (!prepare) {
    auto facts = runs::LookUpData(*settings, store);
    if (!facts.ok()) return session.Fail(CodeOfTable(facts.status()), facts.status());
    return Show(session, *facts);
  }
  if (absl::Status status = store.Create(); !status.ok()) return session.Fail(kFailed, status);
  absl::StatusOr<runs::DataFacts> facts = [&] {
    ProgressView progress(isatty(STDERR_FILENO) != 0);
    return runs::PrepareData(*settings, store,
                             [&progress](const data::Progress& stage) { progress.OnData(stage); });
  }();
  if (!facts.ok()) return session.Fail(CodeOfTable(facts.status()), facts.status());
  return Show(session, *facts);
}

}  // namespace

void AddDataVerbs(CLI::App& app, Session& session) {
  static DataArguments arguments;
  CLI::App* data = app.add_subcommand("data", "Prepare a recipe's tokens, and say what they are");
  data->require_subcommand(1);
  CLI::App* prepare =
      data->add_subcommand("prepare", "Make the tokens of a recipe now; `run` would do it too");
  CLI::App* info = data->add_subcommand("info", "Documents, tokens, vocabulary, entropy, origin");
  for (CLI::App* verb : {prepare, info}) {
    verb->add_option("RECIPE", arguments.recipe,
                     "File, or name of an installed recipe; only its [data] is read")
        ->required();
    verb->add_option("OVERRIDES", arguments.overrides, "key.path=value, as TOML writes values");
    verb->add_option("--store", arguments.store, "Folder whose data/ keeps the tokens")
        ->type_name("FOLDER")
        ->capture_default_str();
  }
  prepare->callback(
      [&session] { session.verb = [&session] { return Verb(session, arguments, true); }; });
  info->callback(
      [&session] { session.verb = [&session] { return Verb(session, arguments, false); }; });
}

}  // namespace qatlas::cli
