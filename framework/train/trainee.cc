#include "framework/train/trainee.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/train/checkpoint.h"
#include "framework/train/foreign.h"
#include "qatlas/check.h"

namespace qatlas::train {
namespace {

absl::StatusOr<std::unique_ptr<Trainee>> Build(const recipe::Trajectory& trajectory,
                                               Components& components, at::Device device) {
  auto trainee = std::make_unique<Trainee>();
  QATLAS_ASSIGN_OR_RETURN(trainee->builder, components.MakeModel(trajectory.model));
  QATLAS_ASSIGN_OR_RETURN(trainee->quantizers, MakeQuantizers(trajectory.rules, components));
  BuildContext context;
  context.seed = trajectory.seed;
  context.device = device;
  context.sequence_length = trajectory.sequence_length;
  context.put_off_weights = !device.is_meta();
  if (trajectory.precision == "bf16") {
    context.compute = at::kBFloat16;
  } else if (trajectory.precision != "fp32") {
    return absl::InvalidArgumentError(
        absl::StrCat("precision is '", trajectory.precision, "'; a segment has 'fp32' or 'bf16'"));
  }
  QATLAS_ASSIGN_OR_RETURN(trainee->model, trainee->builder->Build(context));
  QATLAS_ASSIGN_OR_RETURN(
      trainee->plans, PlanSites(trainee->model->Linears(), trajectory.rules, trainee->quantizers));
  return trainee;
}

// What the parent's quantizer of a weight stores of it: it is attached once more, restored, asked
// and dropped.
absl::StatusOr<Encoded> EncodeParent(const SafetensorsFile& file, const CheckpointInfo& info,
                                     QuantizableLinear& linear, AttachContext context,
                                     Components& components) {
  const SavedSite& saved = info.quantizers.at(linear.WeightSite().Name());
  if (saved.use.component.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(file.path().string(), " was written by an older program, which did not say ",
                     "how its weights are quantized; train that segment again"));
  }
  QATLAS_ASSIGN_OR_RETURN(const QuantizerComponent parent, components.MakeQuantizer(saved.use));
  QuantizerComponent other;
  auto input = info.quantizers.find(linear.InputSite().Name());
  if (input != info.quantizers.end() && !input->second.use.component.empty()) {
    QATLAS_ASSIGN_OR_RETURN(other, components.MakeQuantizer(input->second.use));
  }
  context.restoring = true;
  context.calibration = nullptr;
  context.other_operand = other.quantizer.get();
  std::vector<AttachedSite> sites(1);
  sites[0].site = linear.WeightSite();
  sites[0].linear = &linear;
  sites[0].key = saved.key;
  if (parent.Can("linear")) {
    const bool owns_input = parent.Can(kInput) && input == info.quantizers.end();
    QATLAS_ASSIGN_OR_RETURN(const auto whole, parent.quantizer->AttachLinear(context, owns_input));
    sites[0].instance = whole.get();
    QATLAS_RETURN_IF_ERROR(LoadQuantizers(file, info, sites));
    return whole->EncodeWeight();
  }
  QATLAS_ASSIGN_OR_RETURN(const auto operand, parent.quantizer->AttachOperand(kWeight, context));
  sites[0].instance = operand.get();
  QATLAS_RETURN_IF_ERROR(LoadQuantizers(file, info, sites));
  return operand->Encode(context.weight);
}

// Every weight but those that are handed over one by one.
void MakeWeights(Trainee& trainee, const AttachRequest& request) {
  const bool at_once = NeedsCalibration(trainee.plans, request);
  for (const LinearPlan& plan : trainee.plans) {
    const bool freed = plan.whole && trainee.quantizers[plan.weight_rule].Can(kFreesWeight);
    if (at_once || !freed) plan.linear->MakeWeight();
  }
}

// The weight of one linear that was put off.
absl::Status MakeWeight(const Start& start, const ModelBuilder& builder, at::Device device,
                        bool restoring, QuantizableLinear& linear) {
  if (start.file == nullptr) {
    linear.MakeWeight();
    return absl::OkStatus();
  }
  const at::Tensor weight = at::empty({linear.out_features(), linear.in_features()},
                                      at::TensorOptions(at::kFloat).device(device));
  if (start.foreign) {
    QATLAS_RETURN_IF_ERROR(
        LoadForeignWeight(*start.file, builder.ForeignLayouts(), linear, weight));
  } else if (!restoring) {
    QATLAS_RETURN_IF_ERROR(LoadWeight(*start.file, linear, weight));
  }
  linear.SetWeight(at::Tensor(weight).requires_grad_());
  return absl::OkStatus();
}

bool IsFrozen(const NamedParameter& parameter, const recipe::Trajectory& trajectory) {
  return std::find(trajectory.frozen.begin(), trajectory.frozen.end(), parameter.group) !=
         trajectory.frozen.end();
}

}  // namespace

std::vector<TrainedParameter> TrainedParameters(Trainee& trainee,
                                                const recipe::Trajectory& trajectory) {
  std::vector<TrainedParameter> result;
  auto add = [&](const std::string& prefix, const NamedParameter& parameter) {
    if (!IsFrozen(parameter, trajectory)) {
      result.push_back(Decide(prefix, parameter, trajectory));
    } else {
      at::Tensor(parameter.tensor).requires_grad_(false);
    }
  };
  for (const NamedParameter& parameter : trainee.model->Parameters()) add("model.", parameter);
  for (const AttachedSite& site : trainee.sites) {
    for (const NamedParameter& parameter : site.instance->Parameters()) {
      add(site.Prefix(), parameter);
    }
  }
  return result;
}

std::set<std::string> OptimizerGroups(Trainee& trainee) {
  std::set<std::string> groups;
  for (const NamedParameter& p : trainee.model->Parameters()) groups.insert(p.group);
  for (const AttachedSite& site : trainee.sites) {
    for (const NamedParameter& p : site.instance->Parameters()) groups.insert(p.group);
  }
  return groups;
}

absl::Status CheckFrozen(Trainee& trainee, const recipe::Trajectory& trajectory) {
  std::set<std::string> groups = OptimizerGroups(trainee);
  for (const std::string& group : trajectory.frozen) {
    if (groups.count(group) != 0) continue;
    return absl::InvalidArgumentError(absl::StrCat("'frozen' names the optimizer group '", group,
                                                   "', of which there is no parameter; there are ",
                                                   absl::StrJoin(groups, ", ")));
  }
  for (const std::string& group : trajectory.frozen) groups.erase(group);
  if (!groups.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError("'frozen' leaves nothing to train");
}

int64_t TrajectoryEnd(const recipe::Trajectory& trajectory) {
  // The end of a piece without an end.
  constexpr int64_t kOpen = int64_t{1} << 53;
  int64_t end = 0;
  for (const recipe::SchedulePiece& piece : trajectory.schedule) end = std::max(end, piece.end);
  return end < kOpen ? end : 0;
}

absl::StatusOr<std::unique_ptr<Trainee>> MakeTrainee(const recipe::SegmentSpec& spec,
                                                     Components& components, const Start& start,
                                                     const SequenceSource& calibration) {
  const recipe::Trajectory& trajectory = spec.trajectory;
  const at::Device device(trajectory.device == "cuda" ? at::kCUDA : at::kCPU);
  QATLAS_ASSIGN_OR_RETURN(std::unique_ptr<Trainee> trainee, Build(trajectory, components, device));
  QATLAS_RETURN_IF_ERROR(CheckSites(trainee->plans, trajectory.rules, trainee->quantizers));

  const bool ours = start.file != nullptr && !start.foreign;
  CheckpointInfo info;
  if (ours) {
    QATLAS_ASSIGN_OR_RETURN(info, ReadCheckpointInfo(*start.file));
  }
  AttachRequest request;
  request.rules = &trajectory.rules;
  request.quantizers = &trainee->quantizers;
  request.seed = trajectory.seed;
  request.step = trajectory.start_step;
  request.end_step = TrajectoryEnd(trajectory);
  request.saved = info.quantizers;
  request.calibration.source = calibration;
  request.calibration.first_sequence = trajectory.start_step * trajectory.batch_sequences;
  request.calibration.sequence_length = trajectory.sequence_length;
  request.calibration.batch_sequences = trajectory.micro_batch_sequences;
  request.calibration.device = device;
  request.make_weight = [&](QuantizableLinear& linear, bool restoring) {
    return MakeWeight(start, *trainee->builder, device, restoring, linear);
  };
  if (ours) {
    request.parent = [&](QuantizableLinear& linear, const AttachContext& context) {
      return EncodeParent(*start.file, info, linear, context, components);
    };
  }
  MakeWeights(*trainee, request);
  if (start.foreign) {
    QATLAS_RETURN_IF_ERROR(
        LoadForeign(*start.file, trainee->builder->ForeignLayouts(), *trainee->model));
  } else if (ours) {
    QATLAS_RETURN_IF_ERROR(LoadModel(*start.file, *trainee->model));
  }
  QATLAS_ASSIGN_OR_RETURN(trainee->sites,
                          AttachQuantizers(*trainee->model, trainee->plans, request));
  if (ours) {
    QATLAS_RETURN_IF_ERROR(LoadQuantizers(*start.file, info, trainee->sites));
  }
  if (spec.end_step > spec.begin_step) {
    QATLAS_RETURN_IF_ERROR(CheckFrozen(*trainee, trajectory));
  }

  trainee->optimizer =
      std::make_unique<AdamW>(TrainedParameters(*trainee, trajectory), trajectory.optimizer);
  const bool same = info.trajectory == trajectory.Identity();
  if (ours && (same || trajectory.carry_optimizer)) {
    // A quantizer attached afresh starts with fresh moments, even where names are alike.
    CheckpointInfo kept = info;
    for (const AttachedSite& site : trainee->sites) {
      auto saved = info.quantizers.find(site.site.Name());
      if (saved != info.quantizers.end() && saved->second.key == site.key) continue;
      for (auto it = kept.updates.begin(); it != kept.updates.end();) {
        it = it->first.rfind(site.Prefix(), 0) == 0 ? kept.updates.erase(it) : std::next(it);
      }
    }
    QATLAS_RETURN_IF_ERROR(LoadMoments(*start.file, kept, *trainee->optimizer));
  }
  return trainee;
}

absl::StatusOr<std::unique_ptr<Trainee>> MakeMetaTrainee(const recipe::Trajectory& trajectory,
                                                         Components& components) {
  return Build(trajectory, components, at::kMeta);
}

}  // namespace qatlas::train
