#include "framework/runs/legs.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "framework/observe/number.h"
#include "qatlas/check.h"

namespace qatlas::runs {
namespace {

using recipe::QatStart;
using recipe::SchedulePiece;

// A stretch of the schedule that trajectories follow whole.
struct Phase {
  std::vector<SchedulePiece> schedule;
  int64_t begin = 0;
  int64_t end = 0;
};

// Pieces of a trunk: the last one's value lasts for ever.
std::vector<SchedulePiece> Open(std::vector<SchedulePiece> pieces) {
  if (pieces.empty()) {
    pieces.push_back({SchedulePiece::Shape::kConstant, 0, kOpenEnd, 1, 1});
  } else if (pieces.back().shape == SchedulePiece::Shape::kConstant) {
    pieces.back().end = kOpenEnd;
  } else {
    const SchedulePiece& last = pieces.back();
    pieces.push_back({SchedulePiece::Shape::kConstant, last.end, kOpenEnd, last.to, last.to});
  }
  return pieces;
}

bool HasCooldown(const recipe::ResolvedRecipe& recipe, const std::vector<SchedulePiece>& pieces,
                 int64_t steps) {
  if (recipe.training.schedule != "wsd" || pieces.empty()) return false;
  const SchedulePiece& last = pieces.back();
  // A warm-up longer than the run leaves no room for the cooldown.
  return last.shape != SchedulePiece::Shape::kConstant && last.to <= last.from &&
         last.begin >= recipe.CooldownBegin(steps);
}

std::vector<Phase> Phases(const recipe::ResolvedRecipe& recipe, std::vector<SchedulePiece> pieces,
                          int64_t steps) {
  if (recipe.training.schedule == "cosine") return {{std::move(pieces), 0, steps}};
  if (!HasCooldown(recipe, pieces, steps)) return {{Open(std::move(pieces)), 0, steps}};
  const SchedulePiece cooldown = pieces.back();
  pieces.pop_back();
  std::vector<Phase> phases;
  if (cooldown.begin > 0) phases.push_back({Open(std::move(pieces)), 0, cooldown.begin});
  phases.push_back({{cooldown}, cooldown.begin, steps});
  return phases;
}

std::vector<SchedulePiece> From(const std::vector<SchedulePiece>& pieces, int64_t begin) {
  std::vector<SchedulePiece> kept;
  for (const SchedulePiece& piece : pieces) {
    if (piece.end > begin) kept.push_back(piece);
  }
  return kept;
}

std::string Where(const recipe::ResolvedRecipe& recipe, const recipe::RunRequest& run) {
  return absl::StrCat(recipe.file.empty() ? recipe.name : recipe.file, ": grid ", run.grid,
                      ", model ", recipe.models[run.model].name);
}

}  // namespace

std::string GroupsKey(const recipe::Trajectory& trajectory) {
  std::string key =
      absl::StrCat(trajectory.model.component, CanonicalText(trajectory.model.options));
  for (const recipe::ResolvedRule& rule : trajectory.rules) {
    absl::StrAppend(&key, "\n", rule.sites, " ", rule.quantizer.component,
                    CanonicalText(rule.quantizer.options));
  }
  return key;
}

absl::StatusOr<std::vector<Leg>> MakeLegs(const recipe::ResolvedRecipe& recipe,
                                          const recipe::RunRequest& run,
                                          const LegContext& context) {
  const recipe::TrainingSettings& training = recipe.training;
  const int64_t batch = recipe.BatchSequences(run.model);
  const int64_t steps = recipe.Steps(run);
  if (steps < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(Where(recipe, run), ": ", run.tokens, " tokens are less than one step of ",
                     recipe.TokensPerStep(run.model), " (", batch, " sequences of ",
                     training.sequence_length, ")"));
  }
  const int64_t micro =
      training.micro_batch_sequences == 0 ? batch : std::min(training.micro_batch_sequences, batch);
  if (batch % micro != 0) {
    return absl::InvalidArgumentError(absl::StrCat(Where(recipe, run),
                                                   ": micro_batch_sequences = ", micro,
                                                   " does not divide batch_sequences = ", batch));
  }
  const std::vector<SchedulePiece> pieces = recipe.Schedule(steps, recipe.TokensPerStep(run.model));
  const std::vector<Phase> phases = Phases(recipe, pieces, steps);

  const recipe::SchemeVariant& scheme = recipe.schemes[run.scheme];
  const std::vector<recipe::ResolvedRule>& rules = scheme.rules;
  int64_t switch_step = 0;
  if (!rules.empty()) {
    if (run.start.kind == QatStart::Kind::kCooldown) {
      if (!HasCooldown(recipe, pieces, steps)) {
        return absl::InvalidArgumentError(absl::StrCat(
            Where(recipe, run), ": quantization with the cooldown, but a run of ", steps,
            " steps has no cooldown; use schedule = \"wsd\" with cooldown_fraction above 0 and a "
            "shorter warm-up, or give the share of D to train quantized"));
      }
      switch_step = phases.back().begin;
    } else {
      switch_step = recipe.QuantizedFrom(run.start, steps);
    }
  }

  std::vector<Leg> legs;
  // What follows from the rest of the last leg.
  auto finish = [&] {
    recipe::Trajectory& trajectory = legs.back().trajectory;
    trajectory.groups = training.groups;
    if (const auto has = context.groups.find(GroupsKey(trajectory)); has != context.groups.end()) {
      std::erase_if(trajectory.groups,
                    [&](const auto& group) { return has->second.count(group.first) == 0; });
    }
    legs.back().identity = trajectory.Identity();
  };
  auto add = [&](const Phase& phase, int64_t begin, int64_t end) {
    const bool quantized = !rules.empty() && begin >= switch_step;
    Leg leg;
    leg.begin = begin;
    leg.end = end;
    recipe::Trajectory& trajectory = leg.trajectory;
    trajectory.model = recipe.models[run.model].use;
    if (quantized) {
      trajectory.rules = rules;
      trajectory.frozen = scheme.frozen;
    }
    trajectory.data = context.data;
    trajectory.sequence_length = training.sequence_length;
    trajectory.batch_sequences = batch;
    trajectory.micro_batch_sequences = micro;
    trajectory.allow_epochs = training.allow_epochs;
    trajectory.peak_learning_rate = recipe.PeakLearningRate(run.model);
    // Nothing is trained on an empty leg: its schedule decides nothing.
    if (begin < end) trajectory.schedule = From(phase.schedule, begin);
    trajectory.optimizer = training.optimizer;
    trajectory.seed = run.seed;
    trajectory.precision = context.machine.precision;
    trajectory.threads = training.threads;
    trajectory.device = context.machine.device;
    trajectory.isa = context.machine.isa;
    trajectory.libtorch = context.machine.libtorch;
    trajectory.start_step = begin;
    if (!legs.empty()) {
      trajectory.start = recipe::StateIdentity(legs.back().trajectory, legs.back().end);
      // Between two legs of one scheme everything carries over.
      trajectory.carry_optimizer =
          quantized && begin == switch_step ? run.start.carry_optimizer : true;
    } else if (!context.start_checkpoint.empty()) {
      trajectory.start = absl::StrCat("file:", context.start_checkpoint);
    }
    legs.push_back(std::move(leg));
    finish();
  };
  // The first leg under the scheme, behind one without a step under the scheme that it starts
  // after.
  auto add_first = [&](const Phase& phase, int64_t begin, int64_t end) {
    if (!scheme.after.empty()) {
      add(phase, begin, begin);
      legs.back().trajectory.rules = scheme.after;
      legs.back().trajectory.frozen.clear();
      finish();
    }
    add(phase, begin, end);
  };
  for (const Phase& phase : phases) {
    if (rules.empty() || switch_step < phase.begin || switch_step >= phase.end) {
      add(phase, phase.begin, phase.end);
      continue;
    }
    if (switch_step > phase.begin) add(phase, phase.begin, switch_step);
    add_first(phase, switch_step, phase.end);
  }
  if (!rules.empty() && switch_step == steps) {
    const int64_t extra = recipe.ExtraSteps(run);
    const Phase tuning = {recipe.ExtraSchedule(steps, extra), steps, steps + extra};
    add_first(extra > 0 ? tuning : phases.back(), steps, steps + extra);
    if (extra > 0 && run.start.learning_rate.has_value()) {
      legs.back().trajectory.peak_learning_rate = *run.start.learning_rate;
      finish();
    }
  }
  return legs;
}

std::string RunName(const recipe::ResolvedRecipe& recipe, const recipe::RunRequest& run) {
  const recipe::SchemeVariant& scheme = recipe.schemes[run.scheme];
  std::string name = absl::StrCat(recipe.models[run.model].name, "-", run.tokens, "-",
                                  absl::StrReplaceAll(scheme.label, {{" ", "_"}}));
  if (!scheme.rules.empty()) {
    switch (run.start.kind) {
      case QatStart::Kind::kScratch:
        absl::StrAppend(&name, "-scratch");
        break;
      case QatStart::Kind::kCooldown:
        absl::StrAppend(&name, "-cooldown");
        break;
      case QatStart::Kind::kFraction:
        absl::StrAppend(&name, "-qat", observe::FormatNumber(run.start.fraction));
        break;
      case QatStart::Kind::kExtra:
        absl::StrAppend(&name, "-extra", run.start.extra_tokens);
        if (run.start.learning_rate.has_value()) {
          absl::StrAppend(&name, "-lr", observe::FormatNumber(*run.start.learning_rate));
        }
        break;
    }
    if (!run.start.carry_optimizer && run.start.kind != QatStart::Kind::kScratch) {
      absl::StrAppend(&name, "-fresh");
    }
  }
  return absl::StrCat(name, "-s", run.seed);
}

}  // namespace qatlas::runs
