// qatlas recipe ls | cp | show | validate | schema.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "framework/cli/recipes.h"
#include "framework/cli/session.h"
#include "framework/observe/atomic_file.h"
#include "framework/recipe/json_schema.h"
#ifdef QATLAS_HAS_TRAINING
#include "framework/runs/describe.h"
#include "framework/runs/plan.h"
#endif

namespace qatlas::cli {
namespace {

namespace fs = std::filesystem;

struct RecipeArguments {
  std::string name;
  std::string target;
  std::vector<std::string> overrides;
};

int ListRecipes(const Session& session) {
  nlohmann::json answer = nlohmann::json::array();
  for (const fs::path& file : InstalledRecipes()) {
    if (session.json) {
      answer.push_back({{"name", file.stem().string()},
                        {"file", file.string()},
                        {"about", FirstSentence(file)}});
    } else {
      std::printf("%-16s %s\n", file.stem().c_str(), FirstSentence(file).c_str());
    }
  }
  return session.json ? Session::Answer(answer) : static_cast<int>(kDone);
}

int Copy(const Session& session, const RecipeArguments& arguments) {
  auto file = FindRecipe(arguments.name);
  if (!file.ok()) return session.Fail(kBadInput, file.status());
  fs::path target = arguments.target.empty() ? file->filename() : fs::path(arguments.target);
  if (fs::is_directory(target)) target /= file->filename();
  if (fs::exists(target)) {
    return session.Fail(kFailed, absl::AlreadyExistsError(absl::StrCat(
                                     target.string(), " is there already; name another file")));
  }
  std::error_code error;
  fs::copy_file(*file, target, error);
  if (error) {
    return session.Fail(
        kFailed, absl::UnavailableError(absl::StrCat(target.string(), ": ", error.message())));
  }
  std::printf("%s\n", target.c_str());
  return kDone;
}

int Show(Session& session, const RecipeArguments& arguments) {
  ExitCode code;
  auto recipe = LoadRecipe(session, arguments.name, arguments.overrides, &code, RecipeUse::kAny);
  if (!recipe.ok()) return session.Fail(code, recipe.status());
  std::cout << recipe->text;
  return kDone;
}

#ifdef QATLAS_HAS_TRAINING
// What only the worker can tell: which sites the models have, and whether groups divide them. The
// data is not looked at, and nothing is written.
int CheckWithWorker(const Session& session, const recipe::ResolvedRecipe& recipe) {
  if (auto worker = runs::FindWorker(""); !worker.ok()) {
    std::fprintf(stderr, "note: the sites of its schemes are not checked: %s\n",
                 std::string(worker.status().message()).c_str());
    return kDone;
  }
  runs::PlanOptions options;
  options.plugin_path = session.plugin_path;
  options.data = runs::DataFacts();
  const auto plan = runs::MakePlan(recipe, runs::Store("store"), options);
  if (plan.ok()) return kDone;
  return session.Fail(absl::IsFailedPrecondition(plan.status()) ? kPluginFailure : kBadInput,
                      plan.status());
}
#else
int CheckWithWorker(const Session&, const recipe::ResolvedRecipe&) { return kDone; }
#endif

int Validate(Session& session, const RecipeArguments& arguments) {
  ExitCode code;
  auto recipe = LoadRecipe(session, arguments.name, arguments.overrides, &code, RecipeUse::kAny);
  if (!recipe.ok()) return session.Fail(code, recipe.status());
  if (recipe->observations) {
    const size_t files = recipe->observations->files.size();
    if (session.json) {
      return Session::Answer(
          {{"recipe", recipe->name}, {"files", files}, {"fits", recipe->fits.size()}});
    }
    std::printf("%s: valid; %zu fits to observations of %zu %s\n", recipe->name.c_str(),
                recipe->fits.size(), files, files == 1 ? "file" : "files");
    return kDone;
  }
  if (const int checked = CheckWithWorker(session, *recipe); checked != kDone) return checked;
  const size_t baselines = static_cast<size_t>(
      std::count_if(recipe->runs.begin(), recipe->runs.end(),
                    [](const recipe::RunRequest& run) { return run.scheme == 0; }));
  if (session.json) {
    return Session::Answer({{"recipe", recipe->name},
                            {"runs", recipe->runs.size()},
                            {"baselines", baselines},
                            {"models", recipe->models.size()},
                            {"schemes", recipe->schemes.size()}});
  }
  std::printf(
      "%s: valid; %zu runs (%zu of them full-precision baselines) of %zu models under %zu "
      "schemes\n",
      recipe->name.c_str(), recipe->runs.size(), baselines, recipe->models.size(),
      recipe->schemes.size() - 1);
  return kDone;
}

int Schema(Session& session, const RecipeArguments& arguments) {
  auto catalog = session.Catalog();
  if (!catalog.ok()) return session.Fail(kPluginFailure, catalog.status());
  const std::string text = recipe::JsonSchema(**catalog).dump(2) + "\n";
  if (arguments.target.empty()) {
    std::cout << text;
    return kDone;
  }
  if (absl::Status status = observe::WriteFileAtomically(arguments.target, text); !status.ok()) {
    return session.Fail(kFailed, status);
  }
  return kDone;
}

}  // namespace

void AddRecipeVerbs(CLI::App& app, Session& session) {
  static RecipeArguments arguments;
  CLI::App* recipe = app.add_subcommand("recipe", "List, copy, show and check recipes");
  recipe->require_subcommand(1);

  CLI::App* ls = recipe->add_subcommand("ls", "List the recipes that came with Qatlas");
  ls->callback([&session] { session.verb = [&session] { return ListRecipes(session); }; });

  CLI::App* cp = recipe->add_subcommand("cp", "Copy a recipe, to change it");
  cp->add_option("RECIPE", arguments.name, "Name of an installed recipe, or a file")->required();
  cp->add_option("TARGET", arguments.target, "File or folder; default: the same name, here");
  cp->callback([&session] { session.verb = [&session] { return Copy(session, arguments); }; });

  CLI::App* show = recipe->add_subcommand("show", "Print a recipe with every option filled in");
  CLI::App* validate = recipe->add_subcommand(
      "validate", "Report every problem of a recipe at once, with line and column");
  for (CLI::App* verb : {show, validate}) {
    verb->add_option("RECIPE", arguments.name, "File, or name of an installed recipe")->required();
    verb->add_option("OVERRIDES", arguments.overrides, "key.path=value, as TOML writes values");
  }
  CLI::App* schema = recipe->add_subcommand(
      "schema", "Print the JSON Schema of recipes with the installed plugins, for editors");
  schema->add_option("--output,-o", arguments.target, "Write to a file")->type_name("FILE");
  schema->callback(
      [&session] { session.verb = [&session] { return Schema(session, arguments); }; });
  show->callback([&session] { session.verb = [&session] { return Show(session, arguments); }; });
  validate->callback(
      [&session] { session.verb = [&session] { return Validate(session, arguments); }; });
}

}  // namespace qatlas::cli
