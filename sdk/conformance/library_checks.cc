// What must hold of a plugin's library as a whole.
#include <cxxabi.h>
#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "qatlas/abi.h"
#include "qatlas/conformance/check.h"
#include "qatlas/conformance/create.h"
#include "qatlas/conformance/isolate.h"
#include "qatlas/conformance/suite.h"
#include "sdk/conformance/elf.h"
#include "sdk/conformance/names.h"
#include "sdk/manifest/manifest_text.h"

namespace qatlas::conformance {
namespace {

constexpr double kLoadLimit = .1;  // seconds
constexpr int kLoads = 3;

// The descriptor; null, and the check skipped, where the library does not open.
const qatlas_descriptor* Opened(const Subject& subject, Probe& probe) {
  const auto plugin = OpenLibrary(subject.library, subject.libtorch);
  if (plugin.ok()) return *plugin;
  probe.Skip("the library does not open");
  return nullptr;
}

void Opens(const Subject& subject, Probe& probe) {
  probe.Trying(absl::StrCat("dlopen(\"", subject.library, "\", RTLD_NOW | RTLD_LOCAL)"));
  const auto plugin = OpenLibrary(subject.library, subject.libtorch);
  if (!plugin.ok()) probe.Fail(std::string(plugin.status().message()));
}

bool IsSemantic(const std::string& version) {
  // What follows a '-' or '+' is the author's.
  const std::vector<std::string> parts =
      absl::StrSplit(version.substr(0, version.find_first_of("-+")), '.');
  return parts.size() == 3 && std::all_of(parts.begin(), parts.end(), [](const std::string& part) {
           uint32_t number = 0;
           return absl::SimpleAtoi(part, &number) && part == absl::StrCat(number);
         });
}

void Descriptor(const Subject& subject, Probe& probe) {
  const qatlas_descriptor* plugin = Opened(subject, probe);
  if (plugin == nullptr) return;
  probe.Trying("the plugin's descriptor");
  for (const auto& [text, what] : {std::pair{plugin->name, "name"},
                                   {plugin->version, "version"},
                                   {plugin->compiler, "compiler"},
                                   {plugin->libtorch, "LibTorch version"}}) {
    if (text == nullptr) probe.Fail(absl::StrCat("it has no ", what, " (a null pointer)"));
  }
  if (probe.failed()) return;
  if (!IsName(plugin->name)) {
    probe.Fail(absl::StrCat("the plugin's name '", plugin->name, "' is not in ", kNameRule));
  }
  if (!IsSemantic(plugin->version)) {
    probe.Fail(absl::StrCat("its version '", plugin->version,
                            "' is not semantic: three whole numbers, such as 1.0.0"));
  }
  if (plugin->component_count == 0) probe.Fail("it offers no component");
  std::set<std::string> seen;
  for (uint64_t i = 0; i < plugin->component_count; ++i) {
    const qatlas_component& component = plugin->components[i];
    if (component.name == nullptr) {
      probe.Fail(absl::StrCat("component ", i, " has no name (a null pointer)"));
      continue;
    }
    const std::string who = absl::StrCat(KindName(component.kind), " '", component.name, "'");
    if (!seen.insert(who).second) probe.Fail(absl::StrCat("it offers ", who, " twice"));
    if (component.kind < QATLAS_KIND_LAW || component.kind > QATLAS_KIND_MODEL) {
      probe.Fail(absl::StrCat("component '", component.name, "' is of the unknown ",
                              KindName(component.kind)));
    }
  }
}

// Opens the library in a process that has not, and gives the seconds; negative where it fails.
double SecondsToOpen(const std::string& library) {
  const Isolated run = Isolate(
      [&library](const State&) {
        const auto begin = std::chrono::steady_clock::now();
        void* opened = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
        return absl::StrCat(opened == nullptr ? -1 : taken.count());
      },
      60);
  double seconds = -1;
  return absl::SimpleAtod(run.answer, &seconds) ? seconds : -1;
}

void LoadTime(const Subject& subject, Probe& probe) {
  // Before it is opened here: each measurement needs a process that has not loaded it.
  if (ThreadCount() != 1) return probe.Skip("the process has threads; it cannot fork");
  if (dlopen(subject.library.c_str(), RTLD_NOW | RTLD_NOLOAD) != nullptr) {
    return probe.Skip("this process has opened it already; `qatlas plugin check` measures it");
  }
  probe.Trying("the time of dlopen(), beside what the program has loaded already");
  double least = -1;
  for (int i = 0; i < kLoads; ++i) {
    const double seconds = SecondsToOpen(subject.library);
    if (seconds < 0) return probe.Skip("the library does not open");
    least = least < 0 ? seconds : std::min(least, seconds);
  }
  probe.Measured("added", least * 1e3, "ms");
  if (least > kLoadLimit) {
    probe.Warn(
        absl::StrCat("opening takes ", least * 1e3, " ms, the least of ", kLoads,
                     "; every process of a sweep pays that. No static constructor may do work"));
  }
}

// Definitions of the language's and of the libraries that host and plugins share, which are the
// same in every library that has them.
bool IsShared(const std::string& name) {
  int status = 0;
  std::unique_ptr<char, void (*)(void*)> readable(
      abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), std::free);
  if (status != 0) return false;
  std::string text = readable.get();
  for (const char* what : {"typeinfo for ", "typeinfo name for ", "vtable for ", "VTT for ",
                           "guard variable for ", "non-virtual thunk to ", "virtual thunk to "}) {
    if (absl::StartsWith(text, what)) text = text.substr(std::string(what).size());
  }
  // The type of a pointer to functions has no name of its own: its first argument tells whose.
  if (absl::StartsWith(readable.get(), "typeinfo ")) {
    const size_t arguments = text.find("(*)(");
    if (arguments != std::string::npos) text = text.substr(arguments + 4);
  }
  // A function template begins with its result: the name is what stands before its parentheses.
  for (const char* space :
       {"std::", "__gnu_cxx::", "__cxxabiv1::", "absl::", "at::", "c10::", "torch::", "caffe2::",
        "fmt::", "google::", "nlohmann::", "boost::", "qatlas::"}) {
    if (absl::StartsWith(text, space)) return true;
    for (const char* before : {" ", "&", "*"}) {
      const std::string inside = absl::StrCat(before, space);
      const size_t at = text.find(inside);
      if (at != std::string::npos && at < text.find('(')) return true;
    }
  }
  return false;
}

void Symbols(const Subject& subject, Probe& probe) {
  const auto library = ReadSharedLibrary(subject.library);
  if (!library.ok()) return probe.Skip(std::string(library.status().message()));
  const std::set<std::string> expected = {QATLAS_ENTRY_POINT, "_init",  "_fini",
                                          "__bss_start",      "_edata", "_end"};
  std::vector<std::string> strong, unique, weak;
  for (const Symbol& symbol : library->exported) {
    if (expected.count(symbol.name) != 0) continue;
    if (symbol.binding == Binding::kStrong) {
      strong.push_back(symbol.name);
    } else if (!IsShared(symbol.name)) {
      (symbol.binding == Binding::kUnique ? unique : weak).push_back(symbol.name);
    }
  }
  probe.Measured("exported", static_cast<double>(library->exported.size()), "symbols");
  const auto input = [&probe](const std::vector<std::string>& names) {
    probe.Trying(absl::StrCat("exported: ", absl::StrJoin(names, " ")));
  };
  const char* mend =
      "; compile with -fvisibility=hidden -fvisibility-inlines-hidden, as "
      "qatlas_add_plugin() does";
  if (!strong.empty()) {
    input(strong);
    probe.Fail(absl::StrCat("it exports ", strong.size(), " names besides its entry point", mend));
  }
  if (!unique.empty()) {
    input(unique);
    probe.Fail(absl::StrCat("it exports ", unique.size(),
                            " variables of which the process keeps one for all plugins", mend));
  }
  if (!weak.empty()) {
    input(weak);
    probe.Warn(absl::StrCat("it exports ", weak.size(), " inline functions of its own", mend));
  }
}

// Lines that say something, without comments.
std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!line.empty() && line.front() != '#') lines.push_back(std::string(line));
  }
  return lines;
}

// A line of a file that may hold anything, as a terminal can show it.
std::string Shown(absl::string_view line) {
  const absl::string_view start = line.substr(0, 200);
  return absl::c_any_of(start, absl::ascii_iscntrl) ? absl::CHexEscape(start) : std::string(start);
}

void Manifest(const Subject& subject, Probe& probe) {
  const qatlas_descriptor* plugin = Opened(subject, probe);
  if (plugin == nullptr) return;
  const std::filesystem::path library = subject.library;
  const std::filesystem::path file = std::filesystem::path(library).replace_extension(".toml");
  probe.Trying(file.string());
  std::ifstream in(file);
  std::error_code error;
  if (!in && std::filesystem::exists(file, error)) {
    return probe.Fail("the manifest beside the library cannot be read; see who may read it");
  }
  if (!in) {
    return probe.Fail(absl::StrCat("there is no manifest beside the library; `qatlas-manifest ",
                                   library.string(), " ", file.string(), "` writes it"));
  }
  const std::vector<std::string> written =
      Lines(std::string(std::istreambuf_iterator<char>(in), {}));
  const std::vector<std::string> right = Lines(ManifestText(*plugin, library.filename().string()));
  for (size_t i = 0; i < std::max(written.size(), right.size()); ++i) {
    const std::string theirs = i < written.size() ? written[i] : "its end";
    const std::string ours = i < right.size() ? right[i] : "its end";
    if (theirs == ours) continue;
    return probe.Fail(absl::StrCat("the manifest says: ", Shown(theirs), "\nthe library says:  ",
                                   ours, "\nbuild the plugin again, which writes the manifest"));
  }
}

}  // namespace

absl::Span<const Check> LibraryChecks() {
  static constexpr Check kChecks[] = {
      {"opens", "The library opens with all its symbols, and its handshake fits this program.",
       Opens},
      {"load-time",
       "Opening the library takes at most 100 ms beside what the program has loaded already.",
       LoadTime},
      {"descriptor",
       "The plugin has a name, a semantic version, and components of known kinds, none of them "
       "twice.",
       Descriptor},
      {"manifest", "The manifest beside the library says what the library says.", Manifest},
      {"symbols",
       "The library exports its entry point, and nothing else that could clash with other "
       "libraries.",
       Symbols},
  };
  return kChecks;
}

}  // namespace qatlas::conformance
