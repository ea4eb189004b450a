#include "framework/train/result_files.h"

#include <algorithm>
#include <cmath>

#include "framework/train/platform.h"

namespace qatlas::train {

nlohmann::ordered_json NumberOrNull(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

nlohmann::ordered_json CountsToJson(const ModelCounts& counts) {
  return {{"block_linears", counts.block_linears},
          {"total", counts.Total()},
          {"embedding", counts.embedding},
          {"head", counts.head},
          {"other", counts.other},
          {"forward_flops_per_token", counts.forward_flops_per_token},
          {"flops_per_token", kTrainingFlops * counts.forward_flops_per_token}};
}

nlohmann::ordered_json QuantizedSitesToJson(const Trainee& trainee,
                                            const recipe::Trajectory& trajectory) {
  nlohmann::ordered_json result = nlohmann::ordered_json::array();
  for (const AttachedSite& site : trainee.sites) {
    const Quantizer& quantizer = *trainee.quantizers[site.rule].quantizer;
    auto add = [&](const Site& where, double bits) {
      result.push_back({{"site", where.Name()},
                        {"quantizer", trajectory.rules[site.rule].quantizer.component},
                        {"bits", bits},
                        {"nominal_bits", quantizer.NominalBits()},
                        {"nominal_group", quantizer.NominalGroup()}});
    };
    const int64_t in = site.linear->in_features();
    if (site.whole != nullptr) {
      add(site.linear->WeightSite(), site.whole->BitsPerWeight());
      const double input = site.whole->BitsPerInput();
      if (input > 0) add(site.linear->InputSite(), input);
    } else {
      const bool weight = site.site.operand == kWeight;
      const int64_t rows = weight ? site.linear->out_features() : trajectory.sequence_length;
      add(site.site, site.operand->BitsPerElement(rows, in));
    }
  }
  return result;
}

nlohmann::ordered_json ResultJson(const recipe::SegmentSpec& spec, const Trainee& trainee,
                                  const LossTracker& losses,
                                  const std::optional<ValidationResult>& validation) {
  const recipe::Trajectory& trajectory = spec.trajectory;
  const int64_t tokens_per_step = trajectory.batch_sequences * trajectory.sequence_length;
  nlohmann::ordered_json result = {
      {"format", 1},
      {"id", spec.id},
      {"trajectory", trajectory.Identity()},
      {"end_step", spec.end_step},
      {"tokens", spec.end_step * tokens_per_step},
      {"tokens_per_step", tokens_per_step},
      {"train_loss_smoothed", NumberOrNull(losses.Smoothed())},
      {"train_losses", losses.Window()},
      {"validation", nullptr},
      {"counts", CountsToJson(trainee.builder->Counts(trajectory.sequence_length))},
      {"quantized_sites", QuantizedSitesToJson(trainee, trajectory)},
  };
  if (validation) {
    result["validation"] = {
        {"sequences", static_cast<int64_t>(validation->per_sequence.size())},
        {"loss", validation->loss},
        {"se", validation->standard_error},
        {"per_sequence", validation->per_sequence},
    };
  }
  return result;
}

nlohmann::ordered_json MachineJson(const recipe::SegmentSpec& spec, const Trainee& trainee,
                                   const Components& components, const Timings& timings) {
  const recipe::Trajectory& trajectory = spec.trajectory;
  nlohmann::ordered_json json = MachineFacts(trajectory);
  json["plugins"] = components.Provenance();
  json["begin_step"] = spec.begin_step;
  json["from_step"] = timings.from_step;
  json["steps"] = timings.steps;
  json["wall_seconds"] = timings.wall_seconds;
  json["cpu_seconds"] = CpuSeconds();
  json["train_seconds"] = timings.train_seconds;
  json["evaluate_seconds"] = timings.evaluate_seconds;
  json["peak_memory_bytes"] = PeakMemory();
  if (const auto peak = PeakDeviceMemory(trajectory.device)) {
    json["peak_device_memory_bytes"] = *peak;
  }
  json["tokens_per_second"] = nullptr;
  json["achieved_gflops"] = nullptr;
  json["gemm_gflops"] = nullptr;
  json["model_flop_utilization"] = nullptr;
  if (timings.steps > 0) {
    const double tokens = static_cast<double>(timings.steps * trajectory.batch_sequences *
                                              trajectory.sequence_length);
    const double flops =
        kTrainingFlops *
        trainee.builder->Counts(trajectory.sequence_length).forward_flops_per_token;
    const double rate = tokens / timings.train_seconds;
    // A segment may train for less than a second: the yardstick must not cost more than it says.
    const double gemm = MeasureGemm(trajectory.device, trajectory.precision,
                                    std::clamp(.01 * timings.train_seconds, .005, .04));
    json["tokens_per_second"] = rate;
    json["achieved_gflops"] = rate * flops / 1e9;
    json["gemm_gflops"] = gemm;
    json["model_flop_utilization"] = rate * flops / 1e9 / gemm;
  }
  return json;
}

}  // namespace qatlas::train
