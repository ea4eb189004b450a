// SegmentSpec: all that a worker must know to train one segment, and nothing else.
//
// A segment is a stretch of training under one scheme and one piece of the schedule. The program
// `qatlas` writes it as JSON into the segment's folder; `qatlas-train` reads it there. Steps are
// optimizer steps counted from the start of the run, so that a segment that continues another
// begins where that one ended.
#ifndef QATLAS_FRAMEWORK_RECIPE_SEGMENT_H_
#define QATLAS_FRAMEWORK_RECIPE_SEGMENT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <qatlas/options.h>
#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace qatlas::recipe {

// Raised when the worker's own arithmetic changes (kernels, optimizer, order of tokens, initial
// values): what was trained before is then trained again. Components have numbers of their own.
inline constexpr int kTrainingNumerics = 1;

// A component with every one of its options set.
struct ComponentUse {
  std::string component;  // name, such as "llama"
  OptionTable options;
  uint32_t numerics = 0;  // the component's numerics version, part of the identity
};

// One rule of a scheme, resolved. "none" leaves the sites in full precision.
struct ResolvedRule {
  std::string sites;
  ComponentUse quantizer;
  std::string where = "";  // place in the recipe, for messages; decides nothing, is not written
};

// A piece of the learning-rate schedule on [begin, end) steps: the multiple of the peak goes from
// `from` to `to` along the shape. Pieces of one run do not overlap.
struct SchedulePiece {
  enum class Shape { kConstant, kLinear, kCosine, kOneMinusSqrt };
  Shape shape = Shape::kConstant;
  int64_t begin = 0;
  int64_t end = 0;
  double from = 1;
  double to = 1;
};

// The multiple of the peak learning rate at a step. A piece has exactly `from` at step `begin` and
// would reach `to` at step `end`, where the next piece takes over. Steps before the first piece
// have its `from`, steps after the last (or between two) the `to` of the one before; without pieces
// it is 1.
double ScheduleAt(const std::vector<SchedulePiece>& pieces, int64_t step);

struct OptimizerSettings {  // AdamW, decoupled weight decay
  double beta1 = .9;
  double beta2 = .95;
  double epsilon = 1e-8;
  double weight_decay = .1;
  double clip = 1.0;  // global gradient norm; 0: no clipping
};

// What a recipe sets for an optimizer group by name (`[training.groups.clip]`).
struct GroupSettings {
  std::optional<double> learning_rate;  // peak
  std::optional<bool> weight_decay;
};

// What decides the numbers of a segment. Two segments whose trajectories are equal in every field
// here and in the state they start from pass through the same states, however they are cut into
// pieces.
struct Trajectory {
  ComponentUse model;
  std::vector<ResolvedRule> rules;    // empty: full precision
  std::string data;                   // identity of the prepared data
  int64_t sequence_length = 256;      // tokens
  int64_t batch_sequences = 8;        // sequences of one optimizer step, accumulation included
  int64_t micro_batch_sequences = 8;  // sequences of one forward pass; divides batch_sequences
  bool allow_epochs = false;  // whether it may be trained, not what comes out: no part of identity
  double peak_learning_rate = 1e-3;
  std::vector<SchedulePiece> schedule;
  OptimizerSettings optimizer;
  std::map<std::string, GroupSettings> groups;
  std::vector<std::string> frozen;  // optimizer groups that are not trained; sorted
  uint64_t seed = 0;                // of initial values, token order and quantizers
  std::string precision = "fp32";   // compute dtype: "fp32" or "bf16" ("auto" is resolved before)
  int threads = 1;                  // of the worker
  std::string device = "cpu";       // "cpu" or "cuda"
  std::string isa;                  // "avx512", "avx2", "portable", or the GPU's architecture
  std::string libtorch;             // its version: matrix products and their sums are LibTorch's
  // Where the state at `start_step` comes from: "" for initial values; the identity of a parent
  // state; or "file:<sha256>" for a foreign checkpoint.
  std::string start;
  int64_t start_step = 0;       // step at which this trajectory leaves its parent
  bool carry_optimizer = true;  // moments are taken over from the parent

  nlohmann::json ToJson() const;
  static absl::StatusOr<Trajectory> FromJson(const nlohmann::json& json);
  // SHA-256 over a canonical text of kTrainingNumerics and all fields but allow_epochs, 16 bytes as
  // hex.
  std::string Identity() const;
};

// How results are measured; part of a result's identity but not of a state's.
struct Evaluation {
  int64_t validation_sequences = 512;
  int64_t site_statistics_every =
      0;                             // steps between records of site statistics; 0: at the end only
  int64_t smoothing_tokens = 65536;  // the smoothed training loss is the mean over the last so many
};

struct SegmentSpec {
  Trajectory trajectory;
  Evaluation evaluation;
  int64_t begin_step = 0;  // of the checkpoint that it starts from, on this trajectory
  int64_t end_step = 0;    // the state it must reach; equal to begin_step: attach and evaluate only
  // Results (validation loss, site statistics) are wanted at end_step. False for pieces of a trunk
  // that serve only as the start of others.
  bool evaluate = true;
  // Identity of the state that it reaches: hash of (trajectory, end_step, evaluation where wanted).
  std::string id;

  // Places; they decide nothing.
  std::string start_checkpoint;   // file; "" for initial values
  bool start_is_foreign = false;  // a safetensors file of somebody else's
  std::string data_folder;        // prepared data
  std::vector<std::string> plugin_path;
  int64_t checkpoint_every_seconds = 60;  // for resuming after a kill

  nlohmann::json ToJson() const;
  static absl::StatusOr<SegmentSpec> FromJson(const nlohmann::json& json);
};

// SegmentSpec::id for the other fields: hash of (trajectory, end_step) and, where results are
// wanted, of the evaluation.
std::string SegmentIdentity(const SegmentSpec& segment);

// Identity of the state at a step of a trajectory.
std::string StateIdentity(const Trajectory& trajectory, int64_t step);

// Options as JSON and back; integers stay integers.
nlohmann::json OptionsToJson(const OptionTable& table);
absl::StatusOr<OptionTable> OptionsFromJson(const nlohmann::json& json);

}  // namespace qatlas::recipe

#endif  // QATLAS_FRAMEWORK_RECIPE_SEGMENT_H_
