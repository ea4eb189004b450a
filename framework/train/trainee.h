// A model with its quantizers and optimizer: what a training changes and a checkpoint holds.
#ifndef QATLAS_FRAMEWORK_TRAIN_TRAINEE_H_
#define QATLAS_FRAMEWORK_TRAIN_TRAINEE_H_

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "absl/status/statusor.h"
#include "framework/recipe/segment.h"
#include "framework/train/attach.h"
#include "framework/train/components.h"
#include "framework/train/optimizer.h"
#include "framework/train/safetensors.h"
#include "framework/train/site_plan.h"
#include "framework/train/tokens.h"
#include "qatlas/model.h"

namespace qatlas::train {

struct Trainee {
  // Components outlive their instances: members are destroyed from the last to the first.
  std::unique_ptr<ModelBuilder> builder;
  std::vector<QuantizerComponent> quantizers;  // by rule
  std::unique_ptr<Model> model;
  std::vector<LinearPlan> plans;
  std::vector<AttachedSite> sites;
  std::unique_ptr<AdamW> optimizer;  // undefined where nothing is trained
};

// "model.<name>" and "quantizer.<site>.<name>" of everything that is trained. Parameters of the
// trajectory's frozen groups are left out, and want no gradient from then on.
std::vector<TrainedParameter> TrainedParameters(Trainee& trainee,
                                                const recipe::Trajectory& trajectory);

// Names of the optimizer groups of the model and of what is attached to it.
std::set<std::string> OptimizerGroups(Trainee& trainee);

// That every frozen group has parameters, and something is left to train. InvalidArgument
// otherwise.
absl::Status CheckFrozen(Trainee& trainee, const recipe::Trajectory& trajectory);

// The step at which the trajectory's schedule ends, counted from the start of the run; 0 where it
// has no end: a trunk does not know the budgets that it serves. It does not depend on how the
// trajectory is cut into segments.
int64_t TrajectoryEnd(const recipe::Trajectory& trajectory);

// Where weights come from.
struct Start {
  std::shared_ptr<const SafetensorsFile> file;  // null: initial values
  // A file of somebody else's (foreign.h): tensors by the model's parameter names, with or without
  // "model." before them, or in a layout that the model builder knows.
  bool foreign = false;
};

// Builds the model with initial values, loads weights, attaches and restores or calibrates
// quantizers, and sets up the optimizer. Moments are taken over where the file is a checkpoint of
// the same trajectory or the trajectory carries its optimizer. `calibration` gives training
// sequences. Errors: those of components, plans, checks; a file whose tensors do not fit.
absl::StatusOr<std::unique_ptr<Trainee>> MakeTrainee(const recipe::SegmentSpec& spec,
                                                     Components& components, const Start& start,
                                                     const SequenceSource& calibration);

// Model and quantizer components on the meta device, unattached: for planning.
absl::StatusOr<std::unique_ptr<Trainee>> MakeMetaTrainee(const recipe::Trajectory& trajectory,
                                                         Components& components);

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_TRAINEE_H_
