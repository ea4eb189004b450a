// A recipe after validation: every option set, every grid written out into runs.
#ifndef QATLAS_FRAMEWORK_RECIPE_RECIPE_H_
#define QATLAS_FRAMEWORK_RECIPE_RECIPE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "framework/forms/request.h"
#include "framework/recipe/observations_section.h"
#include "framework/recipe/segment.h"
#include "nlohmann/json.hpp"

namespace qatlas::recipe {

// [data]: the same fields as data::SourceSpec, which the room `runs` fills from it.
struct DataSettings {
  std::string kind;  // "text", "tokens", "synthetic"; written `source = "text"`
  // The rest of the table, validated and with every default filled in: keys are the fields of the
  // kind's struct and those of SourceSpec itself; lists of text are arrays even where one text was
  // written.
  nlohmann::json fields;
};

// [model.<name>]
struct ModelEntry {
  std::string name;
  ComponentUse use;
  std::optional<double> learning_rate;     // peak; else the training table's
  std::optional<int64_t> batch_sequences;  // else the training table's
};

// [training]
struct TrainingSettings {
  int64_t sequence_length = 256;
  int64_t batch_sequences = 8;
  int64_t micro_batch_sequences = 0;  // 0: batch_sequences
  double learning_rate = 1e-3;
  OptimizerSettings optimizer;
  std::map<std::string, GroupSettings> groups;
  std::string schedule = "wsd";           // "wsd" or "cosine" or "constant"
  int64_t warmup_tokens = 0;              // whole steps of them are used
  int64_t warmup_steps = 0;               // above 0: in place of warmup_tokens
  double final_fraction = .1;             // of the peak, at the end of cosine or cooldown
  double cooldown_fraction = .25;         // of D, under "wsd"
  std::string cooldown_shape = "linear";  // "linear", "cosine" or "one-minus-sqrt"
  std::string precision = "auto";         // "fp32", "bf16" or "auto"
  int threads = 1;                        // per worker
  bool allow_epochs = false;
  Evaluation evaluation;
  // Loss that δ is a difference of: "validation", or "training" (smoothed). Decides nothing that is
  // trained.
  std::string delta_of = "validation";
};

// One scheme with its options filled in: a cell of [scheme.<name>] and a grid's `options`.
struct SchemeVariant {
  std::string name;       // of the recipe's table, such as "w4a4"
  std::string component;  // that gave the rules; "" where they are written out
  std::string label;      // unique in the recipe, such as "w4a4 group=32"
  // Options that the variants of the scheme differ in and no other label tells: "clip=learned".
  std::string options;
  std::vector<ResolvedRule> rules;  // empty: full precision ("fp")
  // The scheme that quantizes, without training, before this one takes over; empty: none.
  std::vector<ResolvedRule> after;
  std::vector<std::string> frozen;  // optimizer groups that are not trained, sorted
  std::string part =
      "both";  // "none", "both", "weights", "inputs", "fc2-8bit", "only:<role>", "not:<role>"
  // Labels of the observations; absent where the operand is not quantized.
  std::optional<double> weight_bits;
  std::optional<double> input_bits;
  std::optional<double> fc2_input_bits;  // where it differs from input_bits
  std::optional<int64_t> group;  // of the weights, else of the inputs; 0: per channel or per token
  std::optional<int64_t> input_group;  // where it differs from group
  std::string quantizer;               // component names, "int" or "lsq+int"
  std::string
      granularity;  // "group", "channel" of weights, "token" of inputs, "channel+token", ...
};

// Where in a run quantization starts. Full-precision runs have the default value.
struct QatStart {
  enum class Kind { kScratch, kCooldown, kFraction, kExtra };
  Kind kind = Kind::kScratch;
  // Of D that is trained quantized, under kFraction: in [0, 1); 0 quantizes after training.
  double fraction = 1;
  bool carry_optimizer = true;
  // Under kExtra: tokens that are trained quantized after all of D, on a schedule of their own, and
  // its peak where it is not the run's.
  int64_t extra_tokens = 0;
  std::optional<double> learning_rate = std::nullopt;

  bool operator==(const QatStart&) const = default;
};

// One run asked for: a model trained on a budget under a scheme and a seed.
struct RunRequest {
  int model = 0;       // index into ResolvedRecipe::models
  int scheme = 0;      // index into ResolvedRecipe::schemes; schemes[0] is always full precision
  int64_t tokens = 0;  // D as asked; whole steps are trained
  uint64_t seed = 0;
  QatStart start;
  std::string grid;  // name of the [[grid]] it came from
};

// [[fit]]: what the laboratory does with the observations.
struct FitSettings {
  std::string target = "delta";   // "delta", "loss", or the column that a formula predicts
  std::vector<std::string> laws;  // their names in results
  std::vector<forms::LawRequest> requests;  // the same laws, in full
  std::string loss = "log-student-t";       // see framework/fit
  int bootstraps = 500;
  // Further validated keys: "name", "where", "full_precision", "non_positive", "likelihood",
  // "seed", "huber_delta", "search", "intervals", "sandwich", "resample", "exact_noise", "stages".
  nlohmann::json extra;
};

struct ResolvedRecipe {
  std::string name;
  std::string description;
  std::string file;  // where it came from, for messages
  DataSettings data;
  std::vector<ModelEntry> models;
  std::vector<SchemeVariant> schemes;  // [0] is "fp"
  TrainingSettings training;
  std::optional<std::string> start_checkpoint;  // a foreign checkpoint that every run starts from
  std::vector<RunRequest> runs;                 // without doubles; baselines included
  std::vector<FitSettings> fits;
  // Where the runs come from a table: nothing is trained, and models, schemes and runs are empty.
  std::optional<ObservationsSettings> observations;
  std::string report_title;
  std::string text;  // the resolved recipe as TOML, for the record

  // Sequences and tokens of one optimizer step of a model: its own batch size, else the training
  // table's.
  int64_t BatchSequences(int model) const;
  int64_t TokensPerStep(int model) const;
  // Peak learning rate of a model: its own, else the training table's.
  double PeakLearningRate(int model) const;
  // Whole steps of a run: floor(tokens / TokensPerStep(model)).
  int64_t Steps(const RunRequest& run) const;

  // Pieces of the schedule of a run of `steps` optimizer steps: warm-up, then by training.schedule.
  // They cover [0, steps) without a gap. Step s of a warm-up of w steps has (s + 1) / (w + 1) of
  // the peak.
  std::vector<SchedulePiece> Schedule(int64_t steps, int64_t tokens_per_step) const;
  // Steps of training after all of D (QatStart::Kind::kExtra); 0: none.
  int64_t ExtraSteps(const RunRequest& run) const;
  // Their schedule: from the peak in a line to training.final_fraction of it.
  std::vector<SchedulePiece> ExtraSchedule(int64_t steps, int64_t extra) const;
  // Step at which the cooldown starts; `steps` where the schedule has none.
  int64_t CooldownBegin(int64_t steps) const;
  // First step that is trained quantized: 0 from scratch, CooldownBegin() with the cooldown, steps
  // - round(fraction * steps) for a fraction, and `steps` for extra tokens.
  int64_t QuantizedFrom(const QatStart& start, int64_t steps) const;
};

}  // namespace qatlas::recipe

#endif  // QATLAS_FRAMEWORK_RECIPE_RECIPE_H_
