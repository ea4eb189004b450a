// The catalog: every component that the search path offers, known from manifests alone.
#ifndef QATLAS_FRAMEWORK_PLUGIN_CATALOG_H_
#define QATLAS_FRAMEWORK_PLUGIN_CATALOG_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>
#include "absl/strings/string_view.h"

#include <qatlas/component.h>
#include "absl/status/statusor.h"
#include "framework/plugin/manifest.h"

namespace qatlas::plugin {

// This program's side of the handshake.
struct Host {
  uint32_t sdk_abi = QATLAS_SDK_ABI;     // number
  std::string cxx_abi = QATLAS_CXX_ABI;  // C++ library
  std::string abseil = QATLAS_ABSEIL;    // release
  // Version of the LibTorch that this program runs with ("2.11.0"). "": it has none; plugins that
  // use LibTorch are listed and their options known, but they cannot be opened.
  std::string libtorch;
};

// Why a plugin built for another number of the SDK's ABI cannot run: both numbers, which side is older,
// and what to do (docs/versioning.md).
std::string AbiMismatch(uint32_t plugin, uint32_t host);

// Why a plugin built for `manifest` cannot run in `host`, both sides named; "" where it can. With a
// host that has no LibTorch, the plugin's LibTorch is not compared here.
std::string HandshakeMismatch(const Manifest& manifest, const Host& host);

// A component with the plugin that offers it.
struct Component {
  const Manifest* plugin = nullptr;                   // that offers it
  const ComponentDeclaration* declaration = nullptr;  // in its manifest
};

// A file or folder of the search path that gave nothing, and why.
struct PassedOver {
  std::string path;    // file or folder
  std::string reason;  // one line
  bool broken = false;  // a library of which a part is missing
};

class Catalog {  // All components that were found.
 public:
  // Reads the manifests (*.toml) in the folders, not those below. Nothing is opened. What cannot be
  // used is passed over with its reason and leaves the rest usable. Two plugins of one name, and
  // two plugins that offer a component of the same kind and name, are both passed over.
  static Catalog Scan(const std::vector<std::string>& folders, Host host = {});

  // An empty catalog that searched nowhere.
  Catalog();

  const std::vector<std::string>& folders() const;     // searched
  const Host& host() const;                            // as given
  const std::vector<PassedOver>& passed_over() const;  // and why
  // Plugins that can be used, by name.
  std::vector<const Manifest*> Plugins() const;
  // Components of a kind (qatlas_kind), by name.
  std::vector<Component> Components(int kind) const;
  std::vector<std::string> Names(int kind) const;

  // NotFound names the nearest components, every folder searched, and every candidate there that
  // was passed over with the reason.
  absl::StatusOr<Component> Find(int kind, absl::string_view name) const;
  // nullptr where there is none.
  const ComponentDeclaration* FindDeclaration(int kind, absl::string_view name) const;

 private:
  struct State;
  std::shared_ptr<const State> state_;  // shared, so that copies keep pointers to manifests valid
};

}  // namespace qatlas::plugin

#endif  // QATLAS_FRAMEWORK_PLUGIN_CATALOG_H_
