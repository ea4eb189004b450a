#include <algorithm>
#include <cmath>
#include <numbers>

#include <qatlas/check.h>
#include "framework/recipe/recipe.h"

namespace qatlas::recipe {
namespace {

// The share of the way from `from` to `to` that is done at t in [0, 1).
double Progress(SchedulePiece::Shape shape, double t) {
  switch (shape) {
    case SchedulePiece::Shape::kConstant:
      return 0;
    case SchedulePiece::Shape::kLinear:
      return t;
    case SchedulePiece::Shape::kCosine:
      return .5 * (1 - std::cos(std::numbers::pi * t));
    case SchedulePiece::Shape::kOneMinusSqrt:
      return std::sqrt(t);
  }
  QATLAS_CHECK(false, "a shape without a formula");
  return 0;
}

SchedulePiece::Shape CooldownShape(const std::string& name) {
  if (name == "linear") return SchedulePiece::Shape::kLinear;
  if (name == "cosine") return SchedulePiece::Shape::kCosine;
  QATLAS_CHECK(name == "one-minus-sqrt", "a cooldown shape that the schema does not know");
  return SchedulePiece::Shape::kOneMinusSqrt;
}

}  // namespace

double ScheduleAt(const std::vector<SchedulePiece>& pieces, int64_t step) {
  if (pieces.empty()) return 1;
  double value = pieces.front().from;
  for (const SchedulePiece& piece : pieces) {
    if (step < piece.begin) return value;
    if (step < piece.end) {
      const double t =
          static_cast<double>(step - piece.begin) / static_cast<double>(piece.end - piece.begin);
      return piece.from + (piece.to - piece.from) * Progress(piece.shape, t);
    }
    value = piece.to;
  }
  return value;
}

int64_t ResolvedRecipe::BatchSequences(int model) const {
  return models[model].batch_sequences.value_or(training.batch_sequences);
}

int64_t ResolvedRecipe::TokensPerStep(int model) const {
  return BatchSequences(model) * training.sequence_length;
}

double ResolvedRecipe::PeakLearningRate(int model) const {
  return models[model].learning_rate.value_or(training.learning_rate);
}

int64_t ResolvedRecipe::Steps(const RunRequest& run) const {
  return run.tokens / TokensPerStep(run.model);
}

int64_t ResolvedRecipe::ExtraSteps(const RunRequest& run) const {
  return run.start.kind == QatStart::Kind::kExtra
             ? run.start.extra_tokens / TokensPerStep(run.model)
             : 0;
}

std::vector<SchedulePiece> ResolvedRecipe::ExtraSchedule(int64_t steps, int64_t extra) const {
  return {{SchedulePiece::Shape::kLinear, steps, steps + extra, 1, training.final_fraction}};
}

int64_t ResolvedRecipe::CooldownBegin(int64_t steps) const {
  if (training.schedule != "wsd") return steps;
  const int64_t cooldown = std::llround(training.cooldown_fraction * static_cast<double>(steps));
  return steps - std::clamp<int64_t>(cooldown, training.cooldown_fraction > 0 ? 1 : 0, steps);
}

int64_t ResolvedRecipe::QuantizedFrom(const QatStart& start, int64_t steps) const {
  switch (start.kind) {
    case QatStart::Kind::kScratch:
      return 0;
    case QatStart::Kind::kCooldown:
      return CooldownBegin(steps);
    case QatStart::Kind::kExtra:
      return steps;
    case QatStart::Kind::kFraction:
      return steps - std::clamp<int64_t>(std::llround(start.fraction * static_cast<double>(steps)),
                                         0, steps);
  }
  QATLAS_CHECK(false, "an unknown start of quantization");
  return 0;
}

std::vector<SchedulePiece> ResolvedRecipe::Schedule(int64_t steps, int64_t tokens_per_step) const {
  using Shape = SchedulePiece::Shape;
  std::vector<SchedulePiece> pieces;
  const int64_t wanted =
      training.warmup_steps > 0 ? training.warmup_steps : training.warmup_tokens / tokens_per_step;
  const int64_t warmup = std::min(wanted, steps);
  if (warmup > 0) {
    // No step is lost at a rate of zero, and the peak is reached where the next piece begins.
    pieces.push_back({Shape::kLinear, 0, warmup, 1 / static_cast<double>(warmup + 1), 1});
  }
  if (training.schedule == "cosine") {
    if (warmup < steps) {
      pieces.push_back({Shape::kCosine, warmup, steps, 1, training.final_fraction});
    }
    return pieces;
  }
  const int64_t cooldown = std::max(CooldownBegin(steps), warmup);
  if (warmup < cooldown) pieces.push_back({Shape::kConstant, warmup, cooldown, 1, 1});
  if (cooldown < steps) {
    pieces.push_back(
        {CooldownShape(training.cooldown_shape), cooldown, steps, 1, training.final_fraction});
  }
  return pieces;
}

}  // namespace qatlas::recipe
