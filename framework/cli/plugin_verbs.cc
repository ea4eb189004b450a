// qatlas plugin ls | info: answered from manifests, without opening a library, but for what a law
// declares. plugin docs opens laws, too.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/cli/law_info.h"
#include "framework/cli/plugin_docs.h"
#include "framework/cli/session.h"
#include "framework/plugin/catalog.h"
#include "framework/plugin/loader.h"
#include "framework/plugin/nearest.h"

namespace qatlas::cli {
namespace {

nlohmann::json ComponentJson(const plugin::Component& component) {
  const plugin::ComponentDeclaration& declaration = *component.declaration;
  nlohmann::json options = nlohmann::json::array();
  for (const plugin::OptionDeclaration& option : declaration.options) {
    nlohmann::json entry = {{"name", option.name},
                            {"type", plugin::OptionTypeName(option.type)},
                            {"help", option.help}};
    if (option.default_text) entry["default"] = *option.default_text;
    if (option.minimum) entry["minimum"] = *option.minimum;
    if (option.maximum) entry["maximum"] = *option.maximum;
    if (!option.choices.empty()) entry["choices"] = option.choices;
    options.push_back(std::move(entry));
  }
  return {{"kind", plugin::KindName(declaration.kind)},
          {"name", declaration.name},
          {"summary", declaration.summary},
          {"citation", declaration.citation},
          {"abilities", declaration.abilities},
          {"numerics", declaration.numerics},
          {"plugin", component.plugin->name},
          {"version", component.plugin->version},
          {"library", component.plugin->library},
          {"options", options}};
}

std::string Range(const plugin::OptionDeclaration& option) {
  if (!option.choices.empty()) return absl::StrJoin(option.choices, " | ");
  const auto number = [&option](double value) {
    // StrCat alone writes 16777216 as 1.67772e+07.
    return option.type == QATLAS_OPTION_INT ? absl::StrCat(static_cast<int64_t>(value))
                                            : absl::StrCat(value);
  };
  if (option.minimum && option.maximum) {
    return absl::StrCat(number(*option.minimum), " to ", number(*option.maximum));
  }
  if (option.minimum) return absl::StrCat("at least ", number(*option.minimum));
  if (option.maximum) return absl::StrCat("at most ", number(*option.maximum));
  return plugin::OptionTypeName(option.type);
}

void PrintComponent(const plugin::Component& component) {
  const plugin::ComponentDeclaration& declaration = *component.declaration;
  std::printf("%s %s — %s\n", plugin::KindName(declaration.kind).c_str(), declaration.name.c_str(),
              declaration.summary.c_str());
  if (!declaration.citation.empty()) std::printf("  source    %s\n", declaration.citation.c_str());
  if (!declaration.abilities.empty()) {
    std::printf("  abilities %s\n", absl::StrJoin(declaration.abilities, ", ").c_str());
  }
  std::printf("  plugin    %s %s, %s\n", component.plugin->name.c_str(),
              component.plugin->version.c_str(), component.plugin->library.c_str());
  if (declaration.options.empty()) {
    std::printf("  options   none\n");
    return;
  }
  std::printf("  options\n");
  for (const plugin::OptionDeclaration& option : declaration.options) {
    std::printf("    %-18s %s\n", option.name.c_str(), option.help.c_str());
    std::printf(
        "    %-18s %s; %s\n", "", Range(option).c_str(),
        option.default_text ? absl::StrCat("default ", *option.default_text).c_str() : "required");
  }
}

int ListPlugins(Session& session) {
  auto catalog = session.Catalog();
  if (!catalog.ok()) return session.Fail(kPluginFailure, catalog.status());
  if (session.json) {
    nlohmann::json components = nlohmann::json::array();
    for (int kind : kKinds) {
      for (const plugin::Component& component : (*catalog)->Components(kind)) {
        components.push_back(ComponentJson(component));
      }
    }
    nlohmann::json passed = nlohmann::json::array();
    for (const plugin::PassedOver& entry : (*catalog)->passed_over()) {
      passed.push_back({{"path", entry.path}, {"reason", entry.reason}});
    }
    return Session::Answer(
        {{"components", components}, {"passed_over", passed}, {"searched", (*catalog)->folders()}});
  }
  for (int kind : kKinds) {
    const std::vector<plugin::Component> components = (*catalog)->Components(kind);
    if (components.empty()) continue;
    std::printf("%ss\n", plugin::KindName(kind).c_str());
    for (const plugin::Component& component : components) {
      std::printf("  %-20s %s\n", component.declaration->name.c_str(),
                  component.declaration->summary.c_str());
    }
  }
  for (const plugin::PassedOver& entry : (*catalog)->passed_over()) {
    std::fprintf(stderr, "passed over: %s: %s\n", entry.path.c_str(), entry.reason.c_str());
  }
  if ((*catalog)->Plugins().empty()) {
    std::fprintf(stderr, "no plugins found in %s\n",
                 absl::StrJoin((*catalog)->folders(), ", ").c_str());
  }
  return kDone;
}

int Info(Session& session, const std::string& name) {
  auto catalog = session.Catalog();
  if (!catalog.ok()) return session.Fail(kPluginFailure, catalog.status());
  std::vector<plugin::Component> found;
  for (int kind : kKinds) {
    if (auto component = (*catalog)->Find(kind, name); component.ok()) found.push_back(*component);
  }
  if (found.empty()) {
    std::vector<std::string> names;
    for (int kind : kKinds) {
      for (const std::string& known : (*catalog)->Names(kind)) names.push_back(known);
    }
    std::string message =
        absl::StrCat("no component '", name, "'", plugin::NearestHint(name, names), "; searched ",
                     absl::StrJoin((*catalog)->folders(), ", "));
    for (const plugin::PassedOver& entry : (*catalog)->passed_over()) {
      absl::StrAppend(&message, "\n  passed over ", entry.path, ": ", entry.reason);
    }
    return session.Fail(kPluginFailure, absl::NotFoundError(message));
  }
  nlohmann::json answer = nlohmann::json::array();
  for (const plugin::Component& component : found) {
    std::shared_ptr<const LawForm> law;
    if (component.declaration->kind == QATLAS_KIND_LAW) {
      auto opened = plugin::Create<LawForm>(**catalog, name, {});
      if (!opened.ok()) return session.Fail(kPluginFailure, opened.status());
      law = *std::move(opened);
    }
    if (!session.json) {
      PrintComponent(component);
      if (law != nullptr) std::fputs(LawText(law->Spec()).c_str(), stdout);
      continue;
    }
    answer.push_back(ComponentJson(component));
    if (law != nullptr) answer.back()["law"] = LawJson(law->Spec());
  }
  return session.json ? Session::Answer(answer) : kDone;
}

int Docs(Session& session, const std::string& output) {
  auto catalog = session.Catalog();
  if (!catalog.ok()) return session.Fail(kPluginFailure, catalog.status());
  const auto pages = PluginPages(**catalog);
  if (!pages.ok()) return session.Fail(kPluginFailure, pages.status());
  std::error_code error;
  std::filesystem::create_directories(output, error);
  for (const auto& [name, text] : *pages) {
    const std::filesystem::path path = std::filesystem::path(output) / name;
    std::ofstream out(path, std::ios::binary);
    out << text;
    out.close();
    if (!out) {
      return session.Fail(kFailed,
                          absl::UnavailableError(absl::StrCat("cannot write ", path.string())));
    }
    std::printf("%s\n", path.c_str());
  }
  return kDone;
}

}  // namespace

void AddPluginVerbs(CLI::App& app, Session& session) {
  CLI::App* plugin = app.add_subcommand("plugin", "What the installed plugins offer");
  plugin->require_subcommand(1);
  CLI::App* ls = plugin->add_subcommand("ls", "List components, and what was passed over and why");
  ls->callback([&session] { session.verb = [&session] { return ListPlugins(session); }; });
  CLI::App* info =
      plugin->add_subcommand("info",
                             "Options, source and abilities of one component; of a law also\nits "
                             "covariates, parameters and published constants");
  static std::string name;
  info->add_option("NAME", name, "Name of a component, such as 'int' or 'qat-unified'")->required();
  info->callback([&session] { session.verb = [&session] { return Info(session, name); }; });
  AddCheckVerb(*plugin, session);
  CLI::App* docs = plugin->add_subcommand("docs", "Write pages of Markdown about all components");
  static std::string output;
  docs->add_option("FOLDER", output, "Folder to write to")->required();
  docs->callback([&session] { session.verb = [&session] { return Docs(session, output); }; });
  AddNewVerb(*plugin, session);
}

}  // namespace qatlas::cli
