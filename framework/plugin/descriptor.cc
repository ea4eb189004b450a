// The description of a plugin from its descriptor, and its comparison with the manifest's.
#include <string>
#include <utility>
#include <vector>

#include <qatlas/check.h>
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/plugin/document.h"
#include "framework/plugin/manifest.h"
#include "framework/plugin/options.h"

namespace qatlas::plugin {
namespace {

absl::StatusOr<std::string> Text(const char* text, const char* what) {
  if (text == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("its descriptor has no ", what));
  }
  return std::string(text);
}

std::vector<std::string> TextList(const char* const* list) {
  std::vector<std::string> result;
  for (; list != nullptr && *list != nullptr; ++list) result.push_back(*list);
  return result;
}

absl::StatusOr<ComponentDeclaration> FromDescriptor(const qatlas_component& raw) {
  ComponentDeclaration component;
  component.kind = raw.kind;
  component.numerics = raw.numerics_version;
  QATLAS_ASSIGN_OR_RETURN(component.name, Text(raw.name, "name for a component"));
  const std::string who = absl::StrCat("component '", component.name, "'");
  const auto fail = [&who](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat(who, ": ", what));
  };
  if (absl::StartsWith(KindName(raw.kind), "kind ")) {
    return fail(absl::StrCat(KindName(raw.kind), " is unknown to this host"));
  }
  if (raw.factory == nullptr) return fail("it has no factory");
  if (raw.option_count > 0 && raw.options == nullptr) return fail("its options are missing");
  QATLAS_ASSIGN_OR_RETURN(component.summary, Text(raw.summary, "summary for a component"));
  QATLAS_ASSIGN_OR_RETURN(component.citation, Text(raw.citation, "citation for a component"));
  component.abilities = TextList(raw.abilities);
  for (uint64_t i = 0; i < raw.option_count; ++i) {
    const qatlas_option& from = raw.options[i];
    OptionDeclaration option;
    QATLAS_ASSIGN_OR_RETURN(option.name, Text(from.name, "name for an option"));
    QATLAS_ASSIGN_OR_RETURN(option.help, Text(from.help, "help for an option"));
    option.type = from.type;
    if (absl::StartsWith(OptionTypeName(from.type), "type ")) {
      return fail(absl::StrCat("option '", option.name, "' is of an unknown type"));
    }
    if (from.default_value != nullptr) option.default_text = from.default_value;
    if (from.minimum == from.minimum) option.minimum = from.minimum;
    if (from.maximum == from.maximum) option.maximum = from.maximum;
    option.choices = TextList(from.choices);
    if (absl::Status status = SetDefault(&option); !status.ok()) {
      return fail(absl::StrCat("option '", option.name, "': ", status.message()));
    }
    component.options.push_back(std::move(option));
  }
  return component;
}

// Compares field after field and keeps the first difference.
class Comparison {
 public:
  template <typename T>
  void Field(const std::string& field, const T& manifest, const T& library) {
    if (difference || manifest == library) return;
    difference = absl::StrCat(field, " is '", manifest, "' in the manifest and '", library,
                              "' in the library");
  }
  void Number(const std::string& field, const std::optional<double>& a,
              const std::optional<double>& b) {
    Field(field, a ? ToToml(Node::Float(*a)) : "none", b ? ToToml(Node::Float(*b)) : "none");
  }
  std::optional<std::string> difference;
};

std::string ComponentName(const ComponentDeclaration& component) {
  return absl::StrCat(KindName(component.kind), " '", component.name, "'");
}

std::string ComponentNames(const Manifest& manifest) {
  return absl::StrJoin(manifest.components, ", ",
                       [](std::string* out, const ComponentDeclaration& component) {
                         absl::StrAppend(out, KindName(component.kind), " ", component.name);
                       });
}

void CompareComponents(const ComponentDeclaration& a, const ComponentDeclaration& b,
                       Comparison* comparison) {
  const std::string of = absl::StrCat(" of ", ComponentName(a));
  comparison->Field("summary" + of, a.summary, b.summary);
  comparison->Field("citation" + of, a.citation, b.citation);
  comparison->Field("numerics version" + of, a.numerics, b.numerics);
  comparison->Field("abilities" + of, absl::StrJoin(a.abilities, ", "),
                    absl::StrJoin(b.abilities, ", "));
  comparison->Field("list of options" + of, absl::StrJoin(a.OptionNames(), ", "),
                    absl::StrJoin(b.OptionNames(), ", "));
  for (size_t i = 0; !comparison->difference && i < a.options.size(); ++i) {
    const OptionDeclaration& x = a.options[i];
    const OptionDeclaration& y = b.options[i];
    const std::string option = absl::StrCat("option '", x.name, "'", of, ": ");
    comparison->Field(option + "type", OptionTypeName(x.type), OptionTypeName(y.type));
    comparison->Field(option + "default", x.default_text.value_or("none"),
                      y.default_text.value_or("none"));
    comparison->Number(option + "minimum", x.minimum, y.minimum);
    comparison->Number(option + "maximum", x.maximum, y.maximum);
    comparison->Field(option + "choices", absl::StrJoin(x.choices, ", "),
                      absl::StrJoin(y.choices, ", "));
    comparison->Field(option + "help", x.help, y.help);
  }
}

}  // namespace

absl::StatusOr<Manifest> ManifestFromDescriptor(const qatlas_descriptor& descriptor) {
  Manifest manifest;
  manifest.sdk_abi = descriptor.sdk_abi;
  QATLAS_ASSIGN_OR_RETURN(manifest.name, Text(descriptor.name, "name"));
  QATLAS_ASSIGN_OR_RETURN(manifest.version, Text(descriptor.version, "version"));
  QATLAS_ASSIGN_OR_RETURN(manifest.libtorch, Text(descriptor.libtorch, "LibTorch version"));
  QATLAS_ASSIGN_OR_RETURN(manifest.cxx_abi, Text(descriptor.cxx_abi, "C++ ABI"));
  QATLAS_ASSIGN_OR_RETURN(manifest.abseil, Text(descriptor.abseil, "Abseil release"));
  QATLAS_ASSIGN_OR_RETURN(manifest.compiler, Text(descriptor.compiler, "compiler"));
  for (uint64_t i = 0; i < descriptor.component_count; ++i) {
    QATLAS_ASSIGN_OR_RETURN(ComponentDeclaration component,
                            FromDescriptor(descriptor.components[i]));
    manifest.components.push_back(std::move(component));
  }
  return manifest;
}

std::optional<std::string> FirstDifference(const Manifest& manifest, const Manifest& library) {
  Comparison comparison;
  comparison.Field("name", manifest.name, library.name);
  comparison.Field("version", manifest.version, library.version);
  comparison.Field("sdk-abi", manifest.sdk_abi, library.sdk_abi);
  comparison.Field("libtorch", manifest.libtorch, library.libtorch);
  comparison.Field("cxx-abi", manifest.cxx_abi, library.cxx_abi);
  comparison.Field("abseil", manifest.abseil, library.abseil);
  comparison.Field("compiler", manifest.compiler, library.compiler);
  comparison.Field("list of components", ComponentNames(manifest), ComponentNames(library));
  for (size_t i = 0; !comparison.difference && i < manifest.components.size(); ++i) {
    CompareComponents(manifest.components[i], library.components[i], &comparison);
  }
  return comparison.difference;
}

}  // namespace qatlas::plugin
