#include "framework/plugin/loader.h"

#include <boost/dll/shared_library.hpp>
#include <map>
#include <mutex>
#include <vector>

#include <qatlas/check.h>
#include "absl/strings/str_replace.h"
#include "framework/plugin/elf.h"
#include "framework/plugin/options.h"

namespace qatlas::plugin {
namespace {

absl::Status Failure(const std::string& library, const std::string& what) {
  return absl::FailedPreconditionError(absl::StrCat(library, ": ", what));
}

// Boost wraps what the dynamic linker says; only the linker's words help a reader.
std::string LinkerMessage(const std::string& what, const std::string& library) {
  const std::string marker = "(dlerror system message: ";
  const size_t begin = what.find(marker);
  if (begin == std::string::npos) return what;
  const size_t end = what.rfind(')');
  std::string message = what.substr(begin + marker.size(), end - begin - marker.size());
  if (message.rfind(library + ": ", 0) == 0) message = message.substr(library.size() + 2);
  return absl::StrReplaceAll(message, {{"\n", " "}});
}

// Libraries stay open until the process ends: destructors of objects that they made may run at
// exit.
absl::StatusOr<const qatlas_descriptor*> OpenOnce(const Manifest& manifest, const Host& host) {
  if (const std::string reason = HandshakeMismatch(manifest, host); !reason.empty()) {
    return Failure(manifest.library, reason);
  }
  if (!manifest.libtorch.empty() && host.libtorch.empty()) {
    return Failure(manifest.library, absl::StrCat("it uses LibTorch ", manifest.libtorch,
                                                  ", which this program does not load; only "
                                                  "qatlas-train can open it"));
  }
  if (const std::string reason = TruncatedLibrary(manifest.library); !reason.empty()) {
    return Failure(manifest.library, reason);
  }
  static auto* libraries = new std::vector<boost::dll::shared_library>();
  qatlas_entry_point entry = nullptr;
  try {
    boost::dll::shared_library library(
        manifest.library, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
    // Kept even if it is refused below: closing it would run destructors of unknown code.
    libraries->push_back(library);
    if (!library.has(QATLAS_ENTRY_POINT)) {
      return Failure(manifest.library,
                     "it exports no function " QATLAS_ENTRY_POINT
                     "; is it a plugin? QATLAS_PLUGIN() in one source file defines the function");
    }
    entry = library.get<const qatlas_descriptor*()>(QATLAS_ENTRY_POINT);
  } catch (const std::exception& e) {
    return Failure(manifest.library, absl::StrCat("it cannot be opened: ",
                                                  LinkerMessage(e.what(), manifest.library)));
  }
  const qatlas_descriptor* descriptor = nullptr;
  try {
    descriptor = entry();
  } catch (...) {
    return Failure(manifest.library, QATLAS_ENTRY_POINT "() threw");
  }
  if (descriptor == nullptr) return Failure(manifest.library, QATLAS_ENTRY_POINT "() gave nothing");
  // These three stand at the same place in every version of the descriptor.
  if (descriptor->magic != QATLAS_MAGIC) {
    return Failure(manifest.library,
                   absl::StrCat("its descriptor begins with 0x", absl::Hex(descriptor->magic),
                                ", not with 0x", absl::Hex(QATLAS_MAGIC), ": no plugin of qatlas"));
  }
  if (descriptor->sdk_abi != host.sdk_abi) {
    return Failure(manifest.library,
                   absl::StrCat("the library is ", AbiMismatch(descriptor->sdk_abi, host.sdk_abi)));
  }
  if (descriptor->size != sizeof(qatlas_descriptor)) {
    return Failure(
        manifest.library,
        absl::StrCat("its descriptor has ", descriptor->size, " bytes, this program's ",
                     sizeof(qatlas_descriptor), "; rebuild the plugin against the installed SDK"));
  }
  absl::StatusOr<Manifest> library = ManifestFromDescriptor(*descriptor);
  if (!library.ok()) return Failure(manifest.library, std::string(library.status().message()));
  if (const std::string reason = HandshakeMismatch(*library, host); !reason.empty()) {
    return Failure(manifest.library, absl::StrCat("the library is ", reason));
  }
  if (auto difference = FirstDifference(manifest, *library)) {
    return Failure(manifest.library,
                   absl::StrCat("it disagrees with its manifest ", manifest.file, ": ", *difference,
                                "; build the plugin again, which writes the manifest"));
  }
  return descriptor;
}

}  // namespace

absl::StatusOr<const qatlas_descriptor*> OpenPlugin(const Manifest& manifest, const Host& host) {
  static auto* mutex = new std::mutex();
  static auto* opened = new std::map<std::string, absl::StatusOr<const qatlas_descriptor*>>();
  const std::lock_guard<std::mutex> lock(*mutex);
  const std::string key = absl::StrCat(manifest.library, "\n", host.sdk_abi, "\n", host.libtorch);
  auto it = opened->find(key);
  if (it == opened->end()) {
    it = opened->emplace(key, OpenOnce(manifest, host)).first;
  }
  return it->second;
}

absl::StatusOr<PreparedComponent> Prepare(const Catalog& catalog, int kind, absl::string_view name,
                                          const OptionTable& options) {
  QATLAS_ASSIGN_OR_RETURN(const Component found, catalog.Find(kind, name));
  PreparedComponent prepared;
  const std::string who = absl::StrCat(KindName(kind), " '", name, "'");
  QATLAS_ASSIGN_OR_RETURN(OptionTable complete, CompleteOptions(*found.declaration, options, who));
  prepared.options = Options(std::move(complete));
  QATLAS_ASSIGN_OR_RETURN(const qatlas_descriptor* descriptor,
                          OpenPlugin(*found.plugin, catalog.host()));
  for (uint64_t i = 0; i < descriptor->component_count; ++i) {
    const qatlas_component& component = descriptor->components[i];
    if (component.kind == kind && component.name == name) prepared.component = &component;
  }
  QATLAS_CHECK(prepared.component != nullptr, "manifest and descriptor agreed, but differ");
  prepared.name =
      absl::StrCat(who, " of plugin '", found.plugin->name, "' (", found.plugin->library, ")");
  return prepared;
}

}  // namespace qatlas::plugin
