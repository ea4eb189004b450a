// Manifests: what the host knows of a plugin without opening it.
#ifndef QATLAS_FRAMEWORK_PLUGIN_MANIFEST_H_
#define QATLAS_FRAMEWORK_PLUGIN_MANIFEST_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>
#include "absl/strings/string_view.h"

#include <qatlas/abi.h>
#include <qatlas/options.h>
#include "absl/status/statusor.h"

namespace qatlas::plugin {

// "law", "scheme", "quantizer", "model"; "kind 7" for a number that this host does not know.
std::string KindName(int kind);
// The number of a name; nullopt where there is none such.
std::optional<int> KindFromName(absl::string_view name);
// "bool", "int", "float", "string", "table".
std::string OptionTypeName(int type);

// One option as its component declares it.
struct OptionDeclaration {
  std::string name;                          // as recipes write it
  int type = QATLAS_OPTION_STRING;           // qatlas_option_type
  std::optional<std::string> default_text;   // as declared; absent: a recipe must give the option
  std::optional<OptionValue> default_value;  // the same as a value of the declared type
  std::optional<double> minimum;             // inclusive
  std::optional<double> maximum;             // inclusive
  std::vector<std::string> choices;          // empty: any text
  std::string help;                          // one line
};

// One component as its plugin declares it.
struct ComponentDeclaration {
  int kind = 0;                            // qatlas_kind
  std::string name;                        // as recipes write it
  std::string summary;                     // one line
  std::string citation;                    // "" for none
  uint32_t numerics = 0;                   // version
  std::vector<std::string> abilities;      // texts
  std::vector<OptionDeclaration> options;  // as declared

  const OptionDeclaration* FindOption(absl::string_view option) const;  // nullptr: none
  std::vector<std::string> OptionNames() const;                         // as declared
  bool HasAbility(absl::string_view ability) const;                     // exactly
  // The part after the colon of an ability such as "bits:1" for key "bits".
  std::optional<std::string> AbilityValue(absl::string_view key) const;
  std::vector<std::string> AbilityValues(absl::string_view key) const;
};

struct Manifest {                                // What a plugin says of itself.
  std::string file;                              // the TOML, absolute
  std::string library;                           // the shared library beside it, absolute
  std::string name;                              // of the plugin
  std::string version;                           // its own
  uint32_t sdk_abi = 0;                          // built for
  std::string libtorch;                          // "" where it is not used
  std::string cxx_abi;                           // built for
  std::string abseil;                            // built for
  std::string compiler;                          // for messages
  std::vector<ComponentDeclaration> components;  // as declared
};

// Reads a manifest. Errors are one line that begins with the place ("…/int.toml:12:9: …"): not
// TOML, a missing or unknown key, a value of another type, a default outside its own range.
absl::StatusOr<Manifest> ReadManifest(const std::string& file);

// The same from a descriptor whose layout is known to be ours. Errors: null texts, unknown kinds or
// types, a default that cannot be read: "component 'x': …".
absl::StatusOr<Manifest> ManifestFromDescriptor(const qatlas_descriptor& descriptor);

// The first field in which two descriptions of one plugin differ, with both values ("option 'bits'
// of quantizer 'int': default is '4' in the manifest and '8' in the library"); nullopt where they
// agree.
std::optional<std::string> FirstDifference(const Manifest& manifest, const Manifest& library);

}  // namespace qatlas::plugin

#endif  // QATLAS_FRAMEWORK_PLUGIN_MANIFEST_H_
