// Attaches the quantizers of a plan to a model: fresh ones are calibrated, earlier ones restored.
#ifndef QATLAS_FRAMEWORK_TRAIN_ATTACH_H_
#define QATLAS_FRAMEWORK_TRAIN_ATTACH_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "framework/recipe/segment.h"
#include "framework/train/calibrate.h"
#include "framework/train/components.h"
#include "framework/train/site_plan.h"
#include "qatlas/model.h"

namespace qatlas::train {

// What tells a quantizer's state from that of another: component, options and numerics version.
std::string QuantizerKey(const recipe::ComponentUse& use);

// An attached instance. A quantizer that owns a linear goes under its weight's site.
struct AttachedSite {
  Site site;
  QuantizableLinear* linear = nullptr;
  int rule = kFullPrecision;
  std::string key;            // QuantizerKey
  int64_t attached_step = 0;  // of the run
  // Optimizer steps from attaching to the run's step `end`; 0 where that is not after `step`.
  int64_t StepsUntil(int64_t end, int64_t step) const {
    return end > step ? end - attached_step : 0;
  }
  Attached* instance = nullptr;
  OperandQuantizer* operand = nullptr;  // one of these two
  LinearOperator* whole = nullptr;
  // "quantizer.3.fc2.input.", before the names of its parameters and buffers in a checkpoint.
  std::string Prefix() const { return "quantizer." + site.Name() + "."; }
};

// What a checkpoint says of a site's quantizer.
struct SavedSite {
  std::string key;
  int64_t attached_step = 0;
  recipe::ComponentUse use;  // unnamed in checkpoints of programs that did not write it
};

struct AttachRequest {
  const std::vector<recipe::ResolvedRule>* rules = nullptr;
  const std::vector<QuantizerComponent>* quantizers = nullptr;
  uint64_t seed = 0;
  int64_t step = 0;      // of the run, where fresh quantizers are attached
  int64_t end_step = 0;  // of the run, where the trajectory ends; 0: not known
  // Sites of the checkpoint that the weights came from. Where the key is the same, the site is
  // attached for restoring; the caller then restores it.
  std::map<std::string, SavedSite> saved;
  // Undefined source: no values (the meta device), hence no calibration.
  CalibrationData calibration;
  // Gives a linear whose weight was put off its weight. `restoring`: its values mean nothing.
  std::function<absl::Status(QuantizableLinear&, bool restoring)> make_weight;
  // What the site's saved quantizer, another than the new one, stores of the weight (see
  // AttachContext::parent); empty where there is no checkpoint.
  std::function<absl::StatusOr<Encoded>(QuantizableLinear&, const AttachContext&)> parent;
};

// Whether some site that is attached afresh asks for calibration: then the model is run before.
bool NeedsCalibration(const std::vector<LinearPlan>& plans, const AttachRequest& request);

// Attaches in order of execution. Errors: the quantizers', with the site's name before.
absl::StatusOr<std::vector<AttachedSite>> AttachQuantizers(Model& model,
                                                           const std::vector<LinearPlan>& plans,
                                                           const AttachRequest& request);

// Takes every quantizer off: plain linears again. Operators that freed their weight cannot be
// undone.
void Detach(const std::vector<LinearPlan>& plans);

// A number for a site's random draws: depends on the seed and the name alone.
uint64_t SiteSeed(uint64_t seed, const std::string& site);

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_ATTACH_H_
