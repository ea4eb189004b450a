// qatlas plugin new: the source of a plugin to go on from, one subcommand for each kind.
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "framework/cli/lab_laws.h"
#include "framework/cli/session.h"
#include "framework/forms/formula_project.h"
#include "framework/observe/atomic_file.h"

namespace qatlas::cli {
namespace {

namespace fs = std::filesystem;

struct NewPlugin {
  std::string name;
  std::string folder;  // empty: ./<name>
};

struct NewLaw : NewPlugin {
  std::string formula;
  ParameterItems parameters;
};

// Writes a project where nothing lies yet, and says what it wrote.
int WriteProject(Session& session, const NewPlugin& plugin,
                 const std::vector<forms::ProjectFile>& files,
                 const std::vector<std::string>& notes) {
  const fs::path folder = plugin.folder.empty() ? plugin.name : plugin.folder;
  std::error_code error;
  if (fs::exists(folder) && !(fs::is_directory(folder) && fs::is_empty(folder, error))) {
    return session.Fail(
        kUsage, absl::AlreadyExistsError(absl::StrCat(folder.string(),
                                                      " is there already; name another with "
                                                      "--output")));
  }
  fs::create_directories(folder, error);
  if (error) {
    return session.Fail(
        kFailed, absl::UnavailableError(absl::StrCat(folder.string(), ": ", error.message())));
  }
  nlohmann::json written = nlohmann::json::array();
  for (const forms::ProjectFile& file : files) {
    const fs::path path = folder / file.path;
    if (absl::Status status = observe::WriteFileAtomically(path.string(), file.text);
        !status.ok()) {
      return session.Fail(kFailed, status);
    }
    written.push_back(file.path);
  }
  if (session.json) {
    return Session::Answer({{"plugin", plugin.name},
                            {"folder", fs::absolute(folder).string()},
                            {"files", written},
                            {"notes", notes}});
  }
  for (const std::string& note : notes) std::fprintf(stderr, "note: %s\n", note.c_str());
  std::printf("%s\n", fs::absolute(folder).c_str());
  for (const forms::ProjectFile& file : files) std::printf("  %s\n", file.path.c_str());
  std::printf(
      "Build it: cmake -S %s -B %s/build -DCMAKE_PREFIX_PATH=%s && cmake --build %s/build\n",
      folder.c_str(), folder.c_str(), Session::ProgramFolder().parent_path().c_str(),
      folder.c_str());
  return kDone;
}

int MakeLawProject(Session& session, const NewLaw& law) {
  LabSettings said;
  if (absl::Status status = ReadParameterItems(law.parameters, &said); !status.ok()) {
    return session.Fail(kUsage, status);
  }
  forms::FormulaOptions options;
  static_cast<forms::ParameterOverrides&>(options) = said.overrides;
  auto formula = forms::MakeFormulaLaw(law.formula, options);
  if (!formula.ok()) return session.Fail(kUsage, formula.status());
  auto files = forms::LawProject(law.name, *formula);
  if (!files.ok()) return session.Fail(kUsage, files.status());
  return WriteProject(session, law, *files, formula->assumptions);
}

void AddPluginOptions(CLI::App* verb, NewPlugin& plugin) {
  verb->add_option("NAME", plugin.name,
                   "Name of the plugin and its component: small letters, "
                   "digits and '-'")
      ->required();
  verb->add_option("--output,-o", plugin.folder, "Folder to write to; default: ./NAME")
      ->type_name("FOLDER");
}

}  // namespace

void AddNewVerb(CLI::App& plugin, Session& session) {
  CLI::App* create = plugin.add_subcommand(
      "new", "Write the source of a plugin, which builds against an installed Qatlas");
  create->require_subcommand(1);
  static NewLaw law;
  CLI::App* verb = create->add_subcommand("law", "A law form from a formula");
  AddPluginOptions(verb, law);
  verb->add_option("--from", law.formula, "The formula, with its target on the left side")
      ->required()
      ->type_name("FORMULA");
  verb->add_option("--start", law.parameters.start, "parameter=0.1,1,10 or parameter=0.1..10")
      ->type_name("NAME=VALUES");
  verb->add_option("--bounds", law.parameters.bounds, "parameter=low..high")
      ->type_name("NAME=RANGE");
  verb->add_option("--positive", law.parameters.positive,
                   "Parameter above 0, searched as its logarithm")
      ->type_name("NAME");
  verb->footer("Example: qatlas plugin new law half-life --from 'delta = k * 2^(-D/h) / N^a'");
  verb->callback(
      [&session] { session.verb = [&session] { return MakeLawProject(session, law); }; });
}

}  // namespace qatlas::cli
