// Where models and quantizers come from. The loop knows this interface only: the worker fills it
// from plugins, tests with classes of their own.
#ifndef QATLAS_FRAMEWORK_TRAIN_COMPONENTS_H_
#define QATLAS_FRAMEWORK_TRAIN_COMPONENTS_H_

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "framework/plugin/catalog.h"
#include "framework/recipe/segment.h"
#include "nlohmann/json.hpp"
#include "qatlas/model.h"
#include "qatlas/quantizer.h"

namespace qatlas::train {

// A configured quantizer with the abilities that it declares.
struct QuantizerComponent {
  std::shared_ptr<const Quantizer> quantizer;
  std::set<std::string> abilities;
  bool Can(const std::string& ability) const { return abilities.count(ability) != 0; }
};

class Components {
 public:
  virtual ~Components() = default;
  virtual absl::StatusOr<std::unique_ptr<ModelBuilder>> MakeModel(
      const recipe::ComponentUse& use) = 0;
  virtual absl::StatusOr<QuantizerComponent> MakeQuantizer(const recipe::ComponentUse& use) = 0;
  // Names, versions and files of the plugins that were used, for machine.json.
  virtual nlohmann::ordered_json Provenance() const { return nlohmann::ordered_json::array(); }
};

// Components of the plugins in `folders`. A component whose numerics version is not the one that
// the segment was planned with is refused: its results would be filed under a wrong identity.
class PluginComponents : public Components {
 public:
  explicit PluginComponents(const std::vector<std::string>& folders);
  absl::StatusOr<std::unique_ptr<ModelBuilder>> MakeModel(const recipe::ComponentUse& use) override;
  absl::StatusOr<QuantizerComponent> MakeQuantizer(const recipe::ComponentUse& use) override;
  nlohmann::ordered_json Provenance() const override;

 private:
  absl::StatusOr<plugin::Component> Find(int kind, const recipe::ComponentUse& use);

  plugin::Catalog catalog_;
  std::set<const plugin::Manifest*> used_;
};

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_COMPONENTS_H_
