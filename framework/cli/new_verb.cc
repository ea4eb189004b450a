// qatlas plugin new: the source of a plugin to go on from, one subcommand for each kind.
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "framework/cli/lab_laws.h"
#include "framework/cli/session.h"
#include "framework/forms/formula_project.h"
#include "framework/forms/project.h"
#include "framework/plugin/catalog.h"
#include "framework/plugin/manifest.h"

namespace qatlas::cli {
namespace {

namespace fs = std::filesystem;

struct NewPlugin {
  std::string kind;
  std::string name;
  std::string folder;  // empty: ./<name>
};

// Of a law only.
struct NewLaw : NewPlugin {
  std::string formula;
  ParameterItems parameters;
};

// Where nothing else is said: the form that everybody starts from.
constexpr char kDefaultFormula[] = "L = E + A/N^alpha + B/D^beta";

// A plugin whose name, or whose component's, another has too is passed over, and the other as well.
absl::Status CheckNotTaken(Session& session, const NewPlugin& plugin) {
  if (plugin.kind == "quantizer" && plugin.name == "none") {
    return absl::AlreadyExistsError("rules say 'none' for full precision; name it otherwise");
  }
  auto catalog = session.Catalog();
  if (!catalog.ok()) return catalog.status();
  for (const plugin::Manifest* other : (*catalog)->Plugins()) {
    std::string taken = other->name == plugin.name ? "plugin" : "";
    for (const plugin::ComponentDeclaration& component : other->components) {
      const std::string kind = plugin::KindName(component.kind);
      if (component.name == plugin.name && (kind == plugin.kind || !taken.empty())) taken = kind;
    }
    if (taken.empty()) continue;
    return absl::AlreadyExistsError(
        absl::StrCat("the name '", plugin.name, "' is taken by a ", taken, " of ", other->library,
                     "; two plugins of one name are both passed over, so choose another"));
  }
  return absl::OkStatus();
}

// Writes the project of a kind where nothing lies yet, and says what it wrote and what comes next.
int Write(Session& session, const NewPlugin& plugin, const forms::TemplateValues& more,
          const std::vector<std::string>& notes) {
  auto values = forms::NameValues(plugin.kind, plugin.name);
  if (!values.ok()) return session.Fail(kUsage, values.status());
  if (absl::Status status = CheckNotTaken(session, plugin); !status.ok()) {
    return session.Fail(absl::IsAlreadyExists(status) ? kUsage : kFailed, status);
  }
  const std::string version = QATLAS_VERSION;
  values->insert({{"version", version}, {"series", version.substr(0, version.rfind('.'))}});
  values->insert(more.begin(), more.end());
  const bool torch = plugin.kind == "quantizer" || plugin.kind == "model";
  const fs::path share = Session::ProgramFolder().parent_path() / "share/qatlas/template";
  const auto files =
      forms::FillTemplate({share / plugin.kind, share / (torch ? "torch" : "common")}, *values);
  if (!files.ok()) return session.Fail(kFailed, files.status());
  const fs::path folder = plugin.folder.empty() ? plugin.name : plugin.folder;
  if (absl::Status status = forms::WriteProject(folder, *files); !status.ok()) {
    return session.Fail(absl::IsAlreadyExists(status) ? kUsage : kFailed, status);
  }
  if (session.json) {
    nlohmann::json written = nlohmann::json::array();
    for (const forms::ProjectFile& file : *files) written.push_back(file.path);
    return Session::Answer({{"plugin", plugin.name},
                            {"kind", plugin.kind},
                            {"folder", fs::absolute(folder).string()},
                            {"files", written},
                            {"notes", notes}});
  }
  for (const std::string& note : notes) std::fprintf(stderr, "note: %s\n", note.c_str());
  std::printf("%s\n", fs::absolute(folder).c_str());
  for (const forms::ProjectFile& file : *files) std::printf("  %s\n", file.path.c_str());
  // CMake searches the folder of a program on the PATH by itself, so only others are named. A build
  // tree is a package as an install is.
  const fs::path prefix = Session::ProgramFolder().parent_path();
  const bool known = prefix == "/usr" || prefix == "/usr/local";
  if (!fs::exists(prefix / "lib/cmake/Qatlas/QatlasConfig.cmake")) {
    std::fprintf(stderr,
                 "note: the SDK is not installed in %s; install qatlas-sdk there, or name where it "
                 "is with -DCMAKE_PREFIX_PATH\n",
                 prefix.c_str());
  }
  std::printf(
      "Build and test it:\n  cmake -S %s -B %s/build -G Ninja%s\n  cmake --build %s/build\n"
      "  ctest --test-dir %s/build\n",
      folder.c_str(), folder.c_str(),
      known ? "" : absl::StrCat(" -DCMAKE_PREFIX_PATH=", prefix.string()).c_str(), folder.c_str(),
      folder.c_str());
  return kDone;
}

int WriteLaw(Session& session, const NewLaw& law) {
  LabSettings said;
  if (absl::Status status = ReadParameterItems(law.parameters, &said); !status.ok()) {
    return session.Fail(kUsage, status);
  }
  forms::FormulaOptions options;
  static_cast<forms::ParameterOverrides&>(options) = said.overrides;
  auto formula = forms::MakeFormulaLaw(law.formula, options);
  if (!formula.ok()) return session.Fail(kUsage, formula.status());
  auto values = forms::LawValues(*formula);
  if (!values.ok()) return session.Fail(kUsage, values.status());
  return Write(session, law, *values, formula->assumptions);
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
  static NewPlugin quantizer{"quantizer", "", ""}, scheme{"scheme", "", ""}, model{"model", "", ""};
  for (const auto& [plugin_of_kind, help] :
       {std::pair{&quantizer, "Integers with a scale for each row, to go on from"},
        std::pair{&scheme, "Weights and inputs at bits of their own, to go on from"},
        std::pair{&model, "A small decoder, to go on from"}}) {
    CLI::App* verb = create->add_subcommand(plugin_of_kind->kind, help);
    AddPluginOptions(verb, *plugin_of_kind);
    verb->callback([&session, one = plugin_of_kind] {
      session.verb = [&session, one] { return Write(session, *one, {}, {}); };
    });
  }
  static NewLaw law{{"law", "", ""}, kDefaultFormula, {}};
  CLI::App* verb = create->add_subcommand("law", "A law form from a formula");
  AddPluginOptions(verb, law);
  verb->add_option("--from", law.formula, "The formula, with its target on the left side")
      ->capture_default_str()
      ->type_name("FORMULA");
  verb->add_option("--start", law.parameters.start, "parameter=0.1,1,10 or parameter=0.1..10")
      ->type_name("NAME=VALUES");
  verb->add_option("--bounds", law.parameters.bounds, "parameter=low..high")
      ->type_name("NAME=RANGE");
  verb->add_option("--positive", law.parameters.positive,
                   "Parameter above 0, searched as its logarithm")
      ->type_name("NAME");
  verb->footer("Example: qatlas plugin new law half-life --from 'delta = k * 2^(-D/h) / N^a'");
  verb->callback([&session] { session.verb = [&session] { return WriteLaw(session, law); }; });
}

}  // namespace qatlas::cli
