#include "framework/train/trainee.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
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

}  // namespace

std::vector<TrainedParameter> TrainedParameters(Trainee& trainee,
                                                const recipe::Trajectory& trajectory) {
  std::vector<TrainedParameter> result;
  for (const NamedParameter& parameter : trainee.model->Parameters()) {
    result.push_back(Decide("model.", parameter, trajectory));
  }
  for (const AttachedSite& site : trainee.sites) {
    for (const NamedParameter& parameter : site.instance->Parameters()) {
      result.push_back(Decide(site.Prefix(), parameter, trajectory));
    }
  }
  return result;
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

  CheckpointInfo info;
  if (start.file != nullptr) {
    if (start.foreign) {
      QATLAS_RETURN_IF_ERROR(
          LoadForeign(*start.file, trainee->builder->ForeignLayouts(), *trainee->model));
    } else {
      QATLAS_RETURN_IF_ERROR(LoadModel(*start.file, /*foreign=*/false, *trainee->model));
      QATLAS_ASSIGN_OR_RETURN(info, ReadCheckpointInfo(*start.file));
    }
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
  QATLAS_ASSIGN_OR_RETURN(trainee->sites,
                          AttachQuantizers(*trainee->model, trainee->plans, request));
  if (start.file != nullptr && !start.foreign) {
    QATLAS_RETURN_IF_ERROR(LoadQuantizers(*start.file, info, trainee->sites));
  }

  trainee->optimizer =
      std::make_unique<AdamW>(TrainedParameters(*trainee, trajectory), trajectory.optimizer);
  const bool same = info.trajectory == trajectory.Identity();
  if (start.file != nullptr && !start.foreign && (same || trajectory.carry_optimizer)) {
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
