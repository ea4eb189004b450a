#include "framework/train/components.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "framework/plugin/loader.h"
#include "qatlas/check.h"

namespace qatlas::train {
namespace {

plugin::Host ThisHost() {
  plugin::Host host;
  host.libtorch = QATLAS_TORCH_VERSION;
  return host;
}

}  // namespace

PluginComponents::PluginComponents(const std::vector<std::string>& folders)
    : catalog_(plugin::Catalog::Scan(folders, ThisHost())) {}

absl::StatusOr<plugin::Component> PluginComponents::Find(int kind,
                                                         const recipe::ComponentUse& use) {
  QATLAS_ASSIGN_OR_RETURN(plugin::Component found, catalog_.Find(kind, use.component));
  if (use.numerics != 0 && found.declaration->numerics != use.numerics) {
    return absl::FailedPreconditionError(
        absl::StrCat("the segment was planned with numerics version ", use.numerics, " of '",
                     use.component, "', but ", found.plugin->library, " has version ",
                     found.declaration->numerics, "; plan it again"));
  }
  used_.insert(found.plugin);
  return found;
}

absl::StatusOr<std::unique_ptr<ModelBuilder>> PluginComponents::MakeModel(
    const recipe::ComponentUse& use) {
  QATLAS_RETURN_IF_ERROR(Find(QATLAS_KIND_MODEL, use).status());
  return plugin::Create<ModelBuilder>(catalog_, use.component, use.options);
}

absl::StatusOr<QuantizerComponent> PluginComponents::MakeQuantizer(
    const recipe::ComponentUse& use) {
  QATLAS_ASSIGN_OR_RETURN(plugin::Component found, Find(QATLAS_KIND_QUANTIZER, use));
  QATLAS_ASSIGN_OR_RETURN(std::unique_ptr<Quantizer> quantizer,
                          plugin::Create<Quantizer>(catalog_, use.component, use.options));
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
