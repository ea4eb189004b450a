#include "framework/train/bench_step.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "framework/data/batches.h"
#include "framework/train/attach.h"
#include "framework/train/loop.h"
#include "framework/train/platform.h"
#include "framework/train/result_files.h"
#include "framework/train/tensor_memory.h"
#include "qatlas/check.h"

namespace qatlas::train {

absl::StatusOr<nlohmann::ordered_json> BenchSteps(const recipe::SegmentSpec& spec,
                                                  Components& components,
                                                  const data::TokenStore* train, int64_t steps) {
  using Clock = std::chrono::steady_clock;
  constexpr int64_t kWarmUp = 2;
  const recipe::Trajectory& trajectory = spec.trajectory;
  std::optional<data::TrainBatches> batches;
  int64_t vocabulary = 1;
  SequenceSource sequences;
  if (train != nullptr) {
    QATLAS_ASSIGN_OR_RETURN(
        batches, data::TrainBatches::Create(*train, trajectory.sequence_length, trajectory.seed));
    sequences = [&](int64_t i, int64_t* out) { batches->Fill(i, out); };
  } else {
    sequences = [&](int64_t sequence, int64_t* out) {
      for (int64_t t = 0; t <= trajectory.sequence_length; ++t) {
        const uint64_t draw = static_cast<uint64_t>(sequence * trajectory.sequence_length + t);
        out[t] = static_cast<int64_t>(SiteSeed(draw, "token") % static_cast<uint64_t>(vocabulary));
      }
    };
  }
  const TensorMemory memory;
  QATLAS_ASSIGN_OR_RETURN(std::unique_ptr<Trainee> trainee,
                          MakeTrainee(spec, components, Start(), sequences));
  const int64_t start_peak = TensorMemory::peak();
  const int64_t state = TensorMemory::live();
  TensorMemory::ResetPeak();
  vocabulary = trainee->builder->VocabularySize();
  Stepper stepper(*trainee, trajectory, sequences);
  std::vector<double> seconds;
  double total = 0;
  double loss = 0;
  for (int64_t i = 0; i < kWarmUp + steps; ++i) {
    const Clock::time_point start = Clock::now();
    loss = stepper.Step(trajectory.start_step + i).loss;
    if (i < kWarmUp) continue;
    seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
    total += seconds.back();
  }
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[seconds.size() / 2];
  const int64_t tokens = trajectory.batch_sequences * trajectory.sequence_length;
  const double rate = static_cast<double>(tokens) / median;
  const double flops =
      kTrainingFlops * trainee->builder->Counts(trajectory.sequence_length).forward_flops_per_token;
  return nlohmann::ordered_json{
      {"steps", steps},
      {"tokens_per_step", tokens},
      {"tokens_per_second", rate},
      {"ms_per_step", 1e3 * median},
      {"ms_per_step_mean", 1e3 * total / static_cast<double>(steps)},
      {"achieved_gflops", rate * flops / 1e9},
      {"gemm_gflops", MeasureGemm(trajectory.device, trajectory.precision, .04)},
      {"peak_memory_bytes", PeakMemory()},
      {"tensor_bytes",
       {{"start_peak", start_peak}, {"state", state}, {"step_peak", TensorMemory::peak()}}},
      {"threads", trajectory.threads},
      {"loss", loss}};
}

}  // namespace qatlas::train
