#include "framework/plugin/catalog.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "framework/plugin/elf.h"
#include "framework/plugin/nearest.h"

namespace qatlas::plugin {
namespace {

namespace fs = std::filesystem;

std::string WithLibTorch(const std::string& version) {
  return version.empty() ? "no LibTorch" : absl::StrCat("LibTorch ", version);
}

}  // namespace

std::string AbiMismatch(uint32_t plugin, uint32_t host) {
  return absl::StrCat("built for SDK ABI ", plugin, ", this program has SDK ABI ", host,
                      plugin < host
                          ? ": the plugin is older; build it again against the installed SDK, or "
                            "ask its author for a build for "
                          : ": the plugin is newer; install a Qatlas that has SDK ABI ",
                      plugin < host ? host : plugin,
                      plugin < host ? "" : ", or build the plugin against the installed SDK");
}

std::string HandshakeMismatch(const Manifest& manifest, const Host& host) {
  if (manifest.sdk_abi != host.sdk_abi) {
    return AbiMismatch(manifest.sdk_abi, host.sdk_abi);
  }
  if (manifest.cxx_abi != host.cxx_abi) {
    return absl::StrCat("built for the C++ library ABI '", manifest.cxx_abi, "' (by ",
                        manifest.compiler, "), this program has '", host.cxx_abi,
                        "'; rebuild the plugin with libstdc++ and the same dual ABI");
  }
  if (manifest.abseil != host.abseil) {
    return absl::StrCat("built for Abseil ", manifest.abseil, ", this program has Abseil ",
                        host.abseil, "; rebuild the plugin against that Abseil");
  }
  if (!manifest.libtorch.empty() && !host.libtorch.empty() && manifest.libtorch != host.libtorch) {
    return absl::StrCat("built for ", WithLibTorch(manifest.libtorch), ", this program has ",
                        WithLibTorch(host.libtorch), "; rebuild the plugin against that LibTorch");
  }
  return "";
}

struct Catalog::State {
  std::vector<std::string> folders;
  Host host;
  std::vector<Manifest> plugins;  // sorted by name
  std::map<std::pair<int, std::string>, Component> components;
  std::vector<PassedOver> passed_over;
};

namespace {

// Whether the file means to be a manifest: the key `manifest` stands above all tables. Recipes,
// too, end in .toml.
bool MeansToBeManifest(const fs::path& file) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const absl::string_view text = absl::StripLeadingAsciiWhitespace(line);
    if (absl::StartsWith(text, "[")) return false;
    if (absl::StartsWith(text, "manifest")) return true;
  }
  return false;
}

// Manifests of one folder that can be used, in the order of their names; the rest goes to
// passed_over.
void ScanFolder(const std::string& folder, const Host& host, std::vector<Manifest>* plugins,
                std::vector<PassedOver>* passed_over) {
  std::error_code error;
  std::vector<fs::path> files;
  std::set<std::string> libraries;  // without a manifest, as far as is known
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".toml") files.push_back(it->path());
    if (it->path().extension() == ".so") libraries.insert(it->path().string());
  }
  if (error) {
    passed_over->push_back({folder, absl::StrCat("the folder cannot be read: ", error.message())});
    return;
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    absl::StatusOr<Manifest> manifest = ReadManifest(file.string());
    const std::string library = fs::path(file).replace_extension(".so").string();
    if (!manifest.ok()) {
      if (libraries.count(library) == 0 && !MeansToBeManifest(file)) continue;
      // The reason stands behind the path already.
      absl::string_view reason = manifest.status().message();
      absl::ConsumePrefix(&reason, absl::StrCat(file.string(), ":"));
      const bool damaged = absl::IsInvalidArgument(manifest.status());
      passed_over->push_back(
          {file.string(), absl::StrCat(absl::StripLeadingAsciiWhitespace(reason),
                                       damaged ? "; build the plugin again, which writes its "
                                                 "manifest"
                                               : "")});
      libraries.erase(library);
      continue;
    }
    libraries.erase(manifest->library);
    std::string reason = HandshakeMismatch(*manifest, host);
    if (reason.empty() && !fs::exists(manifest->library, error)) {
      reason = absl::StrCat("its library ", manifest->library, " is missing");
    }
    const std::string truncated = reason.empty() ? TruncatedLibrary(manifest->library) : "";
    if (reason.empty()) reason = truncated;
    if (reason.empty()) {
      plugins->push_back(*std::move(manifest));
    } else {
      passed_over->push_back({manifest->library, std::move(reason), !truncated.empty()});
    }
  }
  for (const std::string& library : libraries) {
    passed_over->push_back(
        {library, absl::StrCat("no manifest ", fs::path(library).stem().string(),
                               ".toml lies beside it; build it with qatlas_add_plugin()")});
  }
}

// Takes out plugins that offer what another offers too, all of them: which one was meant is not
// ours to guess.
void RefuseDoubles(std::vector<Manifest>* plugins, std::vector<PassedOver>* passed_over) {
  std::map<std::string, std::vector<size_t>> owners;
  for (size_t i = 0; i < plugins->size(); ++i) {
    const Manifest& plugin = (*plugins)[i];
    std::set<std::string> offered = {absl::StrCat("the plugin name '", plugin.name, "'")};
    for (const ComponentDeclaration& component : plugin.components) {
      offered.insert(absl::StrCat("the ", KindName(component.kind), " '", component.name, "'"));
    }
    for (const std::string& what : offered) owners[what].push_back(i);
  }
  std::map<size_t, std::vector<std::string>> reasons;
  for (const auto& [what, indices] : owners) {
    if (indices.size() < 2) continue;
    for (const size_t i : indices) {
      std::vector<std::string> others;
      for (const size_t j : indices) {
        if (j != i) others.push_back((*plugins)[j].library);
      }
      reasons[i].push_back(
          absl::StrCat(what, " is offered by ", absl::StrJoin(others, " and "), " too"));
    }
  }
  std::vector<Manifest> kept;
  for (size_t i = 0; i < plugins->size(); ++i) {
    auto it = reasons.find(i);
    if (it == reasons.end()) {
      kept.push_back(std::move((*plugins)[i]));
    } else {
      passed_over->push_back({(*plugins)[i].library, absl::StrCat(absl::StrJoin(it->second, "; "),
                                                                  "; remove one of them")});
    }
  }
  *plugins = std::move(kept);
}

}  // namespace

Catalog::Catalog() : state_(std::make_shared<State>()) {}

Catalog Catalog::Scan(const std::vector<std::string>& folders, Host host) {
  auto state = std::make_shared<State>();
  state->host = std::move(host);
  for (const std::string& folder : folders) {
    if (std::find(state->folders.begin(), state->folders.end(), folder) != state->folders.end()) {
      continue;
    }
    state->folders.push_back(folder);
    ScanFolder(folder, state->host, &state->plugins, &state->passed_over);
  }
  RefuseDoubles(&state->plugins, &state->passed_over);
  std::sort(state->plugins.begin(), state->plugins.end(),
            [](const Manifest& a, const Manifest& b) { return a.name < b.name; });
  for (const Manifest& plugin : state->plugins) {
    for (const ComponentDeclaration& component : plugin.components) {
      state->components[{component.kind, component.name}] = {&plugin, &component};
    }
  }
  Catalog catalog;
  catalog.state_ = std::move(state);
  return catalog;
}

const std::vector<std::string>& Catalog::folders() const { return state_->folders; }
const Host& Catalog::host() const { return state_->host; }
const std::vector<PassedOver>& Catalog::passed_over() const { return state_->passed_over; }

std::vector<const Manifest*> Catalog::Plugins() const {
  std::vector<const Manifest*> result;
  for (const Manifest& plugin : state_->plugins) result.push_back(&plugin);
  return result;
}

std::vector<Component> Catalog::Components(int kind) const {
  std::vector<Component> result;
  for (const auto& [key, component] : state_->components) {
    if (key.first == kind) result.push_back(component);
  }
  return result;
}

std::vector<std::string> Catalog::Names(int kind) const {
  std::vector<std::string> names;
  for (const Component& component : Components(kind)) names.push_back(component.declaration->name);
  return names;
}

absl::StatusOr<Component> Catalog::Find(int kind, absl::string_view name) const {
  auto it = state_->components.find({kind, std::string(name)});
  if (it != state_->components.end()) return it->second;
  std::string message =
      absl::StrCat("there is no ", KindName(kind), " '", name, "'", NearestHint(name, Names(kind)));
  absl::StrAppend(&message, "; searched ",
                  state_->folders.empty() ? "nowhere" : absl::StrJoin(state_->folders, ", "));
  for (const PassedOver& passed : state_->passed_over) {
    absl::StrAppend(&message, "; passed over ", passed.path, " (", passed.reason, ")");
  }
  return absl::NotFoundError(message);
}

const ComponentDeclaration* Catalog::FindDeclaration(int kind, absl::string_view name) const {
  auto it = state_->components.find({kind, std::string(name)});
  return it == state_->components.end() ? nullptr : it->second.declaration;
}

}  // namespace qatlas::plugin
