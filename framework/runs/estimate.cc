#include "framework/runs/estimate.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "framework/runs/files.h"
#include "framework/runs/machine.h"
#include "qatlas/check.h"

namespace qatlas::runs {
namespace {

// Segments of one key run at one speed.
std::string Key(const recipe::Trajectory& trajectory, bool quantized) {
  return absl::StrCat(trajectory.model.component, CanonicalText(trajectory.model.options), "|",
                      trajectory.sequence_length, "|", trajectory.micro_batch_sequences, "|",
                      trajectory.precision, "|", trajectory.threads, "|", trajectory.device, "|",
                      trajectory.isa, "|", quantized ? "quantized" : "fp");
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

absl::StatusOr<Estimator> Estimator::Create(const Store& store,
                                            const std::vector<SegmentRecord>& records) {
  Estimator estimator;
  for (const SegmentRecord& record : records) {
    const std::filesystem::path folder = store.SegmentFolder(record.id);
    absl::StatusOr<nlohmann::json> machine = ReadJson(folder / kMachineFile);
    if (!machine.ok() || !machine->is_object() || !machine->contains("tokens_per_second") ||
        !(*machine)["tokens_per_second"].is_number()) {
      continue;
    }
    const double rate = (*machine)["tokens_per_second"];
    if (!(rate > 0)) continue;
    QATLAS_ASSIGN_OR_RETURN(const nlohmann::json json, ReadJson(folder / kSpecFile));
    QATLAS_ASSIGN_OR_RETURN(const recipe::SegmentSpec spec, recipe::SegmentSpec::FromJson(json));
    estimator.rates_[Key(spec.trajectory, !spec.trajectory.rules.empty())].push_back(rate);
  }
  return estimator;
}

double Estimator::Seconds(const recipe::SegmentSpec& spec, const Description& description) {
  const recipe::Trajectory& trajectory = spec.trajectory;
  const bool quantized = !trajectory.rules.empty();
  double rate = 0;
  if (auto found = rates_.find(Key(trajectory, quantized)); found != rates_.end()) {
    rate = Median(found->second);
    ++measured_;
  } else if (found = rates_.find(Key(trajectory, !quantized)); found != rates_.end()) {
    rate = Median(found->second);
    ++borrowed_;
  } else if (description.flops_per_token > 0) {
    const double flops = trajectory.device == "cuda"
                             ? kDefaultGpuFlops
                             : kDefaultCpuFlopsPerThread * std::max(1, trajectory.threads);
    rate = flops / description.flops_per_token;
    ++assumed_;
  } else {
    return 0;
  }
  const double trained = static_cast<double>(
      (spec.end_step - spec.begin_step) * trajectory.batch_sequences * trajectory.sequence_length);
  const double evaluated =
      spec.evaluate
          ? static_cast<double>(spec.evaluation.validation_sequences * trajectory.sequence_length)
          : 0;
  return kSecondsPerWorker + (trained + evaluated / 3) / rate;
}

std::vector<std::string> Estimator::Notes() const {
  std::vector<std::string> notes;
  if (measured_ > 0) {
    notes.push_back(absl::StrCat(
        "time of ", measured_,
        " segments: from the tokens per second of finished segments of the same model"));
  }
  if (borrowed_ > 0) {
    notes.push_back(absl::StrCat("time of ", borrowed_,
                                 " segments: from finished segments of the same model that differ "
                                 "in whether they were quantized"));
  }
  if (assumed_ > 0) {
    notes.push_back(absl::StrCat("time of ", assumed_,
                                 " segments: nothing was measured yet; assumed ",
                                 ShowCount(kDefaultCpuFlopsPerThread), "FLOP/s a thread on a CPU, ",
                                 ShowCount(kDefaultGpuFlops), "FLOP/s on a GPU"));
  }
  return notes;
}

}  // namespace qatlas::runs
