#include "sdk/conformance/torch/quantizer_state.h"

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "qatlas/conformance/create.h"
#include "sdk/conformance/torch/cases.h"
#include "sdk/conformance/torch/values.h"

namespace qatlas::conformance {
namespace {

constexpr int kSteps = 3;

// What an instance makes of x, without a gradient: the forward pass, and of operators the weight.
struct Outputs {
  at::Tensor forward, weight;
};
Outputs Run(const QuantizerCase& one, const Instance& instance, const at::Tensor& x) {
  const at::NoGradGuard no_grad;
  Outputs outputs;
  outputs.forward = instance.Forward(x).clone();
  if (one.whole) outputs.weight = instance.whole->EffectiveWeight().clone();
  return outputs;
}

// "" where the outputs have the same bits.
std::string OutputDifference(const Outputs& a, const Outputs& b) {
  const std::string difference = BitDifference(a.forward, b.forward);
  return difference.empty() ? BitDifference(a.weight, b.weight) : difference;
}

Input InputOf(const QuantizerCase& one, uint64_t seed) {
  return NormalInput(one.whole ? std::vector<int64_t>{QuantizerCase::kTokens, one.in} : one.Shape(),
                     seed);
}

// Copies saved values into an instance, as the host restores a checkpoint. "": done.
std::string CopyInto(const std::vector<NamedTensor>& saved, const Instance& instance) {
  const at::NoGradGuard no_grad;
  std::vector<NamedTensor> targets;
  for (const NamedParameter& p : instance.state().Parameters())
    targets.push_back({p.name, p.tensor});
  for (const NamedTensor& b : instance.state().Buffers()) targets.push_back(b);
  if (targets.size() != saved.size()) {
    return absl::StrCat(saved.size(), " tensors were saved, the restored instance has ",
                        targets.size());
  }
  for (size_t i = 0; i < saved.size(); ++i) {
    if (targets[i].name != saved[i].name || targets[i].tensor.sizes() != saved[i].tensor.sizes() ||
        targets[i].tensor.scalar_type() != saved[i].tensor.scalar_type()) {
      return absl::StrCat("saved '", saved[i].name, "' of shape ",
                          ShapeText(saved[i].tensor.sizes()), ", the restored instance has '",
                          targets[i].name, "' of shape ", ShapeText(targets[i].tensor.sizes()));
    }
    targets[i].tensor.copy_(saved[i].tensor);
  }
  return "";
}

bool SameState(const Instance& a, const Instance& b, const std::string& when, Probe& probe) {
  const std::vector<NamedTensor> left = StateOf(a), right = StateOf(b);
  for (size_t i = 0; i < left.size() && i < right.size(); ++i) {
    const std::string difference = BitDifference(left[i].tensor, right[i].tensor);
    if (difference.empty()) continue;
    probe.Fail(absl::StrCat("'", left[i].name,
                            "' of the restored and of the uninterrupted instance ", when, ": ",
                            difference));
    return false;
  }
  return true;
}

}  // namespace

void CheckParameters(const Subject& subject, Probe& probe) {
  ForEachInstance(subject, probe, [&](const QuantizerCase&, const Instance& instance) {
    std::set<std::string> names;
    for (const NamedParameter& parameter : instance.state().Parameters()) {
      const at::Tensor& tensor = parameter.tensor;
      if (parameter.name.empty() || !names.insert(parameter.name).second) {
        probe.Fail(absl::StrCat("the name '", parameter.name, "' is empty or stands twice"));
      }
      if (!tensor.defined() || tensor.scalar_type() != at::kFloat || !tensor.is_leaf() ||
          !tensor.requires_grad()) {
        probe.Fail(absl::StrCat("parameter ", parameter.name,
                                " must be a float32 leaf that requires a gradient"));
        continue;
      }
      if (!AllFinite(tensor))
        probe.Fail(
            absl::StrCat("parameter ", parameter.name, " starts with a value that is not finite"));
      if (parameter.group.empty()) {
        probe.Fail(absl::StrCat("parameter ", parameter.name, " has no optimizer group"));
      }
      if (parameter.learning_rate < 0) {
        probe.Fail(absl::StrCat("parameter ", parameter.name, " has the learning rate ",
                                parameter.learning_rate));
      }
    }
    for (const NamedTensor& buffer : instance.state().Buffers()) {
      if (buffer.name.empty() || !names.insert(buffer.name).second) {
        probe.Fail(absl::StrCat("the name '", buffer.name, "' is empty or stands twice"));
      }
      if (!buffer.tensor.defined() || buffer.tensor.requires_grad()) {
        probe.Fail(
            absl::StrCat("buffer ", buffer.name, " must be a defined tensor without a gradient"));
      }
    }
    // The host asks anew after each step: the tensors must be the same ones.
    const std::vector<NamedParameter> once = instance.state().Parameters();
    const std::vector<NamedParameter> again = instance.state().Parameters();
    for (size_t i = 0; i < once.size() && i < again.size(); ++i) {
      if (!once[i].tensor.is_same(again[i].tensor)) {
        probe.Fail(absl::StrCat("parameter ", once[i].name,
                                " is another tensor each time it is asked for"));
      }
    }
  });
}

void CheckRestore(const Subject& subject, Probe& probe) {
  ForEachInstance(subject, probe, [&](const QuantizerCase& one, const Instance& instance) {
    Train(one, instance, kSteps, 0, probe.seed() + 97);
    const std::vector<NamedTensor> saved = StateOf(instance);
    const Input input = InputOf(one, probe.seed() + 101);
    probe.Trying(absl::StrCat(one.Words(), "; trained ", kSteps,
                              " steps, saved, restored into an instance attached to weights of 0; ",
                              input.words));
    AttachSettings settings;
    settings.restoring = true;
    const absl::StatusOr<Instance> restored = Attach(one, at::zeros({one.out, one.in}), settings);
    if (!CouldAttach(restored, probe)) return;
    if (const std::string wrong = CopyInto(saved, *restored); !wrong.empty()) {
      probe.Fail(wrong);
      return;
    }
    if (const absl::Status status = restored->state().AfterRestore(); !status.ok()) {
      probe.Fail(absl::StrCat("AfterRestore failed: ", status.message()));
      return;
    }
    std::string difference =
        OutputDifference(Run(one, *restored, input.x), Run(one, instance, input.x));
    if (!difference.empty()) {
      probe.Fail(
          absl::StrCat("outputs of the restored and of the uninterrupted instance: ", difference));
      return;
    }
    Train(one, instance, kSteps, kSteps, probe.seed() + 97);
    Train(one, *restored, kSteps, kSteps, probe.seed() + 97);
    if (!SameState(*restored, instance, "after further steps", probe)) return;
    difference = OutputDifference(Run(one, *restored, input.x), Run(one, instance, input.x));
    if (!difference.empty()) {
      probe.Fail(absl::StrCat(
          "outputs of the restored and of the uninterrupted instance after further steps: ",
          difference));
    }
  });
}

void CheckMidTraining(const Subject& subject, Probe& probe) {
  ForEachCase(subject, probe, [&](const QuantizerCase& one) {
    const Input early = one.Weight(probe.seed());
    const Input late = NormalInput({one.out, one.in}, probe.seed() + 103);
    const Input input = InputOf(one, probe.seed() + 107);
    probe.Trying(absl::StrCat(one.Words(), "; attached to ", early.words,
                              ", trained, then anew to ", late.words, " times 3; ", input.words));
    const absl::StatusOr<Instance> first = Attach(one, early.x);
    if (!CouldAttach(first, probe)) return;
    Train(one, *first, kSteps, 0, probe.seed() + 109);
    const at::Tensor weight = (late.x * 3).requires_grad_();
    const at::Tensor kept = weight.detach().clone();
    const absl::StatusOr<Instance> second = Attach(one, weight);
    if (!CouldAttach(second, probe)) return;
    if (const std::string difference = BitDifference(weight, kept); !difference.empty()) {
      probe.Fail(absl::StrCat("attaching changed the weight: ", difference));
      return;
    }
    // A component that was never attached before.
    QuantizerCase fresh = one;
    auto made = Create<Quantizer>(*one.component, one.options);
    if (!made.ok()) return;
    fresh.quantizer = *std::move(made);
    const absl::StatusOr<Instance> third = Attach(fresh, kept);
    if (!CouldAttach(third, probe)) return;
    const std::string difference =
        OutputDifference(Run(one, *second, input.x), Run(one, *third, input.x));
    if (!difference.empty()) {
      probe.Fail(absl::StrCat(
          "outputs where the component was attached before and where it was not: ", difference));
    }
  });
}

void CheckIndependent(const Subject& subject, Probe& probe) {
  ForEachInstance(subject, probe, [&](const QuantizerCase& one, const Instance& instance) {
    const absl::StatusOr<Instance> other = Attach(one, one.Weight(probe.seed()).x);
    if (!CouldAttach(other, probe)) return;
    const Input input = InputOf(one, probe.seed() + 113);
    probe.Trying(absl::StrCat(
        one.Words(),
        "; two instances attached to the same weight, one of them trained on large values; ",
        input.words));
    const Outputs before = Run(one, instance, input.x);
    const std::vector<NamedTensor> state = StateOf(instance);
    Train(one, *other, kSteps, 0, probe.seed() + 127);
    Run(one, *other, input.x * 100);
    if (const std::string difference = OutputDifference(Run(one, instance, input.x), before);
        !difference.empty()) {
      probe.Fail(absl::StrCat("outputs of one instance before and after the other was used: ",
                              difference));
    }
    const std::vector<NamedTensor> after = StateOf(instance);
    for (size_t i = 0; i < state.size() && i < after.size(); ++i) {
      const std::string difference = BitDifference(after[i].tensor, state[i].tensor);
      if (!difference.empty()) {
        probe.Fail(
            absl::StrCat("'", state[i].name,
                         "' of one instance before and after the other was trained: ", difference));
      }
    }
  });
}

void CheckSteps(const Subject& subject, Probe& probe) {
  ForEachCase(subject, probe, [&](const QuantizerCase& one) {
    const Input weight = one.Weight(probe.seed());
    const Input input = InputOf(one, probe.seed() + 131);
    // Where an optimizer may push a parameter before AfterStep can act.
    struct Push {
      const char* words;
      double factor;
    };
    for (const Push& push : {Push{"as they are", 1}, Push{"set to 0", 0}, Push{"times -1", -1},
                             Push{"times -100", -100}}) {
      probe.Trying(absl::StrCat(one.Words(), ", attached to ", weight.words, "; parameters ",
                                push.words, ", then AfterStep; ", input.words));
      const absl::StatusOr<Instance> instance = Attach(one, weight.x);
      if (!CouldAttach(instance, probe)) return;
      if (instance->state().Parameters().empty() && push.factor != 1) return;
      Train(one, *instance, 1, 0, probe.seed() + 137);
      {
        const at::NoGradGuard no_grad;
        for (const NamedParameter& parameter : instance->state().Parameters()) {
          at::Tensor tensor = parameter.tensor;
          tensor.mul_(push.factor);
        }
      }
      // With and without a known end, and with gradients enabled as in a training loop.
      instance->state().AfterStep({1, 0, 1e-3});
      instance->state().AfterStep({2, 100, 0});
      for (const NamedParameter& parameter : instance->state().Parameters()) {
        if (!AllFinite(parameter.tensor)) {
          probe.Fail(absl::StrCat("parameter ", parameter.name, " is not finite after AfterStep"));
        }
      }
      const Outputs outputs = Run(one, *instance, input.x);
      if (!AllFinite(outputs.forward)) {
        probe.Fail(
            "the result is not finite; AfterStep must keep parameters where the arithmetic holds");
      }
      const at::Tensor penalty = instance->state().Penalty();
      if (!penalty.defined()) continue;
      if (penalty.dim() != 0 || penalty.scalar_type() != at::kFloat || !AllFinite(penalty)) {
        probe.Fail(absl::StrCat("Penalty() has shape ", ShapeText(penalty.sizes()), ", dtype ",
                                DtypeText(penalty.scalar_type()),
                                AllFinite(penalty) ? "" : " and is not finite",
                                "; it must be one finite float32"));
      }
    }
  });
}

}  // namespace qatlas::conformance
