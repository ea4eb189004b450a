// qatlas completion | man, and what values complete to.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "framework/cli/recipes.h"
#include "framework/cli/session.h"
#include "framework/cli/shell.h"
#include "framework/commandline/verbs.h"
#include "framework/fit/loss.h"

namespace qatlas::cli {
namespace {

using commandline::Candidate;
using commandline::Values;

std::vector<Candidate> Components(Session& session, int kind) {
  std::vector<Candidate> result;
  const auto catalog = session.Catalog();
  if (!catalog.ok()) return result;
  for (const plugin::Component& component : (*catalog)->Components(kind)) {
    result.push_back({component.declaration->name, component.declaration->summary});
  }
  return result;
}

std::vector<Candidate> AllComponents(Session& session) {
  std::vector<Candidate> result;
  for (const int kind :
       {QATLAS_KIND_QUANTIZER, QATLAS_KIND_SCHEME, QATLAS_KIND_MODEL, QATLAS_KIND_LAW}) {
    for (Candidate& one : Components(session, kind)) result.push_back(std::move(one));
  }
  return result;
}

std::vector<Candidate> Recipes() {
  std::vector<Candidate> result;
  for (const auto& file : InstalledRecipes()) {
    result.push_back({file.stem().string(), FirstSentence(file)});
  }
  return result;
}

Values Of(const std::vector<std::string>& texts) {
  return {[texts] {
    std::vector<Candidate> result;
    for (const std::string& text : texts) result.push_back({text, ""});
    return result;
  }};
}

}  // namespace

commandline::ValueKinds ShellValues(Session& session, int argc, const char* const* argv) {
  // The candidates are those of the line's own plugins.
  for (int i = 2; i + 1 < argc; ++i) {
    if (std::string(argv[i]) == "--plugin-path") session.plugin_path.push_back(argv[i + 1]);
  }
  const Values files = {nullptr, true, false};
  const Values recipes = {Recipes, true, false};
  const Values laws = {[&session] { return Components(session, QATLAS_KIND_LAW); }};
  const Values components = {[&session] { return AllComponents(session); }};
  Values components_or_files = components;
  components_or_files.files = true;
  return {{"RECIPE", recipes},
          {"SOURCE", recipes},
          {"TABLE", recipes},
          {"recipe cp TARGET", {nullptr, true, true}},
          {"export OUTPUT", {nullptr, false, true}},
          {"LAW", laws},
          {"--laws", laws},
          {"--rival", laws},
          {"--full-precision", laws},
          {"--table", files},
          {"--loss", Of(fit::LossNames())},
          {"--likelihood", Of({"student-t", "gaussian", "huber"})},
          {"--non-positive", Of({"linear", "drop", "refuse"})},
          {"completion SHELL", Of(commandline::Shells())},
          {"plugin info NAME", components},
          {"plugin check PLUGIN", components_or_files}};
}

void AddShellVerbs(CLI::App& app, Session& session) {
  commandline::ManOptions options;
  options.version = QATLAS_VERSION;
  options.date = commandline::ManDate();
  options.sections = {
      {"ENVIRONMENT",
       {"QATLAS_PLUGIN_PATH: folders searched for plugins, parted by colons, after --plugin-path "
        "and "
        "before the installed ones.",
        "QATLAS_TRAIN: the worker, in place of qatlas-train beside the program."}},
      {"FILES",
       {"share/qatlas/recipes: the recipes that came with Qatlas.",
        "lib/qatlas/plugins: its plugins, each with a manifest.", "store: where runs are kept."}}};
  commandline::AddVerbs(app, options, &session.verb);
}

}  // namespace qatlas::cli
