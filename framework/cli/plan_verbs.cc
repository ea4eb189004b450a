// qatlas plan: answers from fitted or published laws.
#include <cmath>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "framework/cli/plan_inputs.h"
#include "framework/cli/session.h"
#include "framework/plan/choices.h"
#include "framework/plan/crossings.h"
#include "framework/report/figure.h"
#include "qatlas/law.h"

namespace qatlas::cli {
namespace {

struct VerbArguments : PlanArguments {
  std::string flops, loss_target, delta_target, bytes, other_bytes = "0", tokens, ratio;
  double overhead = 0, scale_bits = 16, bits = 0, cost = 0, compare_with = .1, tolerance = .01;
  std::string along;
};

absl::StatusOr<double> CountOr(const std::string& text, double otherwise) {
  if (text.empty()) return otherwise;
  return ReadCount(text);
}

absl::StatusOr<plan::Along> ReadAlong(const std::string& text, plan::Along along) {
  if (text.empty()) return along;
  if (text.find('=') == std::string::npos) {
    along.covariate = text;
    return along;
  }
  auto range = ReadRange(text);
  if (!range.ok()) return range.status();
  return plan::Along{range->first, range->second.low, range->second.high};
}

// Every law of δ (or law of the loss that knows precision) at every combination of the axes other
// than N and D.
absl::StatusOr<std::vector<plan::Choice>> Choices(const PlanLaws& laws,
                                                  const VerbArguments& arguments, PlanAxes axes,
                                                  bool with_full) {
  axes.numbers.erase("N");
  axes.numbers.erase("D");
  const plan::World world = laws.World();
  std::vector<plan::World> worlds;
  for (const plan::Law* delta : laws.Of(kTargetDelta)) {
    const bool total = world.loss != nullptr && plan::KnowsPrecision(*world.loss);
    worlds.push_back({total ? nullptr : world.loss, delta, {}});
  }
  if (world.loss != nullptr && plan::KnowsPrecision(*world.loss)) {
    worlds.push_back({world.loss, nullptr, {}});
  }
  std::vector<plan::Choice> choices;
  for (const plan::World& one : worlds) {
    const plan::Law& law = one.delta != nullptr ? *one.delta : *one.loss;
    for (const plan::Point& at : axes.Points()) {
      plan::Choice choice;
      choice.world = one;
      choice.at = at;
      choice.name = law.name;
      if (!at.numbers.empty() || !at.texts.empty()) {
        absl::StrAppend(&choice.name, ", ", plan::Show(at));
      }
      choice.scale_bits = arguments.scale_bits;
      if (const auto g = at.numbers.find("G"); g != at.numbers.end()) choice.group = g->second;
      choice.weight_bits = arguments.bits;
      if (const auto bits = at.numbers.find("weight_bits"); bits != at.numbers.end()) {
        choice.weight_bits = bits->second;
      } else if (arguments.bits == 0) {
        const auto precision = at.texts.find("precision");
        choice.weight_bits =
            plan::WeightBitsOf(precision == at.texts.end() ? law.name : precision->second)
                .value_or(0);
      }
      choices.push_back(std::move(choice));
    }
  }
  if (with_full && world.loss != nullptr && !plan::KnowsPrecision(*world.loss)) {
    plan::Choice full;
    full.name = "full precision";
    full.world = {world.loss, nullptr, {}};
    full.weight_bits = 16;
    full.full_precision = true;
    choices.push_back(std::move(full));
  }
  return choices;
}

absl::StatusOr<plan::Answer> Ask(const std::string& question, const PlanLaws& laws,
                                 const VerbArguments& a) {
  auto axes = ReadAxes(a.items);
  if (!axes.ok()) return axes.status();
  const plan::World world = laws.World();
  const std::vector<const plan::Law*> deltas = laws.Of(kTargetDelta);
  if (question == "at") return plan::LossAt(world, axes->Points(), a.Ask());
  if (question == "cheapest" || question == "memory") {
    auto choices = Choices(laws, a, *axes, question == "memory");
    if (!choices.ok()) return choices.status();
    if (question == "cheapest") {
      PlanAxes scale;
      for (const char* name : {"N", "D"}) {
        const auto found = axes->numbers.find(name);
        if (found != axes->numbers.end()) scale.numbers[name] = found->second;
      }
      auto at = scale.One();
      if (!at.ok()) return at.status();
      auto loss = CountOr(a.loss_target, 0), delta = CountOr(a.delta_target, 0);
      if (!loss.ok()) return loss.status();
      if (!delta.ok()) return delta.status();
      return plan::Cheapest(*choices, *at, {*loss, *delta}, a.Ask());
    }
    auto bytes = CountOr(a.bytes, 0), other = CountOr(a.other_bytes, 0),
         tokens = CountOr(a.tokens, 0), ratio = CountOr(a.ratio, 0), flops = CountOr(a.flops, 0);
    for (const auto* value : {&bytes, &other, &tokens, &ratio, &flops}) {
      if (!value->ok()) return value->status();
    }
    return plan::UnderMemory(*choices, *bytes, *other, {*tokens, *ratio, *flops}, a.Ask());
  }
  auto at = axes->One();
  if (!at.ok()) return at.status();
  if (question == "optimal") {
    auto flops = ReadCount(a.flops);
    if (!flops.ok()) return flops.status();
    return plan::ComputeOptimal(world, *at, *flops, {6, a.overhead}, a.Ask());
  }
  if (question == "split") {
    const auto fractions = laws.Of(kTargetOptimalFraction);
    if (fractions.empty() && world.loss == nullptr) {
      return absl::InvalidArgumentError(
          "a split needs a law of optimal_fraction (--preset optimal-fraction:dremov-2025) or one "
          "of the loss that reads the fraction");
    }
    return plan::QatSplit(fractions.empty() ? *world.loss : *fractions[0], *at, a.compare_with,
                          a.Ask());
  }
  if (question == "crossing" || question == "mixed") {
    if (deltas.size() != 2) {
      return absl::InvalidArgumentError(
          absl::StrCat("this question takes two laws of δ, not ", deltas.size(),
                       question == "mixed" ? ": the plain precision, then the finer one" : ""));
    }
    auto along = ReadAlong(a.along, {});
    if (!along.ok()) return along.status();
    if (question == "crossing") return plan::Crossing(*deltas[0], *deltas[1], *at, *along, a.Ask());
    return plan::MixedPays({world.loss, deltas[0], {}}, {world.loss, deltas[1], {}}, *at, a.cost,
                           *along, a.Ask());
  }
  plan::ParityOptions parity;
  parity.tolerance = a.tolerance;
  auto ratio = CountOr(a.ratio, 0);
  if (!ratio.ok()) return ratio.status();
  parity.ratio = *ratio;
  if (!a.along.empty()) {
    auto along = ReadAlong(a.along, {"N", parity.low, parity.high});
    if (!along.ok()) return along.status();
    parity.low = along->low;
    parity.high = along->high;
  }
  if (world.loss != nullptr) {
    auto choices = Choices(laws, a, *axes, false);
    if (choices.ok() && !choices->empty()) parity.bits = plan::BitsPerElement(choices->front());
  }
  return plan::Parity(world, *at, parity, a.Ask());
}

}  // namespace

void AddPlanVerb(CLI::App& app, Session& session) {
  static VerbArguments arguments;
  CLI::App* plan = app.add_subcommand(
      "plan", "Answer from laws, with intervals: losses, sizes, bits, group sizes, splits");
  plan->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, const char* items) {
    CLI::App* verb = plan->add_subcommand(name, help);
    AddPlanOptions(verb, arguments, items);
    verb->callback([&session, name] {
      session.verb = [&session, name] {
        auto laws = ReadPlanLaws(session, arguments, false);
        if (!laws.ok()) return session.Fail(CodeOfPlan(laws.status()), laws.status());
        auto answer = Ask(name, *laws, arguments);
        if (!answer.ok()) return session.Fail(CodeOfPlan(answer.status()), answer.status());
        return static_cast<int>(Show(session, *answer, laws->notes, arguments.level));
      };
    });
    return verb;
  };
  add("at", "Loss, δ and effective parameters at points", "N=7B D=1T,2T G=32,128 weight_bits=4");
  CLI::App* optimal = add(
      "optimal", "The N and D of least loss for a compute budget, with QAT in the loop", "G=128");
  optimal->add_option("--flops", arguments.flops, "Budget")->required();
  optimal->add_option("--overhead", arguments.overhead, "What QAT costs more, as a share (.3)")
      ->capture_default_str();
  CLI::App* cheapest = add("cheapest", "The fewest bits an element that meet a loss or δ",
                           "N=7B D=1T G=32,64,128 weight_bits=2,3,4");
  cheapest->add_option("--loss-target", arguments.loss_target, "Loss to reach, nats/token");
  cheapest->add_option("--delta", arguments.delta_target, "δ to stay below, nats/token");
  CLI::App* memory = add("memory", "The best bits and size that fit into a memory", "G=32,128");
  memory->add_option("--bytes", arguments.bytes, "Memory for the weights (8B)")->required();
  memory->add_option("--other-bytes", arguments.other_bytes, "Of it, for other tensors")
      ->capture_default_str();
  memory->add_option("--tokens", arguments.tokens, "Training tokens, the same for every size");
  memory->add_option("--ratio", arguments.ratio, "Or tokens a parameter");
  memory->add_option("--flops", arguments.flops, "Or FLOPs, 6 N D");
  for (CLI::App* verb : {cheapest, memory}) {
    verb->add_option("--scale-bits", arguments.scale_bits, "Bits of one scale")
        ->capture_default_str();
    verb->add_option("--bits", arguments.bits, "Bits of a weight, where the law's name tells none");
  }
  add("split", "Tokens in full precision and tokens quantized, for a token budget",
      "N=1B D=100B weight_bits=4")
      ->add_option("--compare-with", arguments.compare_with, "A fixed share to compare with")
      ->capture_default_str();
  CLI::App* mixed =
      add("mixed", "Whether a finer part (FC2's input at 8 bits) pays", "N=7B D=1T G=128");
  mixed->add_option("--cost", arguments.cost, "What it costs, as a share of the model's compute")
      ->capture_default_str();
  CLI::App* crossing =
      add("crossing", "Where the errors of two laws of δ are equal, such as D*", "N=7B G=128");
  for (CLI::App* verb : {mixed, crossing}) {
    verb->add_option("--along", arguments.along, "Axis, and its range (D or D=1e9:1e15)");
  }
  CLI::App* parity = add("parity", "At which size a precision equals full precision", "D=1T G=32");
  parity->add_option("--tolerance", arguments.tolerance, "δ that counts as equal, nats/token")
      ->capture_default_str();
  parity->add_option("--ratio", arguments.ratio, "Tokens a parameter, in place of D");
  parity->add_option("--along", arguments.along, "Sizes searched (N=1e6:1e13)");
  parity->add_option("--scale-bits", arguments.scale_bits, "Bits of one scale")
      ->capture_default_str();
  parity->add_option("--bits", arguments.bits, "Bits of a weight, where the law's name tells none");
}

}  // namespace qatlas::cli
