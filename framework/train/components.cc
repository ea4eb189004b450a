#include "framework/train/components.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "framework/plugin/loader.h"
#include "framework/plugin/options.h"
#include "framework/train/outcome.h"
#include "qatlas/check.h"

namespace qatlas::train {
namespace {

plugin::Host ThisHost() {
  plugin::Host host;
  host.libtorch = QATLAS_TORCH_VERSION;
  return host;
}

// Opens the plugin and calls its factory. Options that do not fit their declarations are the user's
// error, all else is the plugin's.
template <typename Kind>
absl::StatusOr<std::unique_ptr<Kind>> Make(const plugin::Catalog& catalog,
                                           const plugin::Component& found,
                                           const recipe::ComponentUse& use) {
  QATLAS_RETURN_IF_ERROR(
      plugin::CompleteOptions(*found.declaration, use.options,
                              absl::StrCat(plugin::KindName(Kind::kKind), " '", use.component, "'"))
          .status());
  absl::StatusOr<std::unique_ptr<Kind>> made =
      plugin::Create<Kind>(catalog, use.component, use.options);
  if (!made.ok()) return PluginFailed(made.status());
  return made;
}

}  // namespace

PluginComponents::PluginComponents(const std::vector<std::string>& folders)
    : catalog_(plugin::Catalog::Scan(folders, ThisHost())) {}

absl::StatusOr<plugin::Component> PluginComponents::Find(int kind,
                                                         const recipe::ComponentUse& use) {
  absl::StatusOr<plugin::Component> component = catalog_.Find(kind, use.component);
  if (!component.ok()) return PluginFailed(component.status());
  const plugin::Component found = *component;
  if (use.numerics != 0 && found.declaration->numerics != use.numerics) {
    return PluginFailed(absl::FailedPreconditionError(
        absl::StrCat("the segment was planned with numerics version ", use.numerics, " of '",
                     use.component, "', but ", found.plugin->library, " has version ",
                     found.declaration->numerics, "; plan it again")));
  }
  used_.insert(found.plugin);
  return found;
}

absl::StatusOr<std::unique_ptr<ModelBuilder>> PluginComponents::MakeModel(
    const recipe::ComponentUse& use) {
  QATLAS_ASSIGN_OR_RETURN(const plugin::Component found, Find(QATLAS_KIND_MODEL, use));
  return Make<ModelBuilder>(catalog_, found, use);
}

absl::StatusOr<QuantizerComponent> PluginComponents::MakeQuantizer(
    const recipe::ComponentUse& use) {
  QATLAS_ASSIGN_OR_RETURN(plugin::Component found, Find(QATLAS_KIND_QUANTIZER, use));
  QATLAS_ASSIGN_OR_RETURN(std::unique_ptr<Quantizer> quantizer,
                          Make<Quantizer>(catalog_, found, use));
  QuantizerComponent result;
  result.quantizer = std::move(quantizer);
  result.abilities.insert(found.declaration->abilities.begin(), found.declaration->abilities.end());
  return result;
}

nlohmann::ordered_json PluginComponents::Provenance() const {
  std::map<std::string, const plugin::Manifest*> sorted;
  for (const plugin::Manifest* manifest : used_) sorted[manifest->name] = manifest;
  nlohmann::ordered_json result = nlohmann::ordered_json::array();
  for (const auto& [name, manifest] : sorted) {
    result.push_back(
        {{"name", name}, {"version", manifest->version}, {"library", manifest->library}});
  }
  return result;
}

}  // namespace qatlas::train
