#include "sdk/conformance/torch/cases.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "qatlas/conformance/create.h"
#include "qatlas/int_format.h"
#include "sdk/conformance/torch/threads.h"
#include "sdk/conformance/torch/variants.h"

namespace qatlas::conformance {
namespace {

constexpr int64_t kCalibrationTokens = 64;

// What the host measures of a linear's inputs, from standard normal ones.
CalibrationStatistics Calibrate(const CalibrationNeeds& needs, int64_t features, uint64_t seed,
                                at::Device device) {
  const at::Tensor inputs = Normal({kCalibrationTokens, features}, seed).to(device);
  CalibrationStatistics statistics;
  statistics.tokens = kCalibrationTokens;
  if (needs.sample_rows > 0) {
    statistics.samples = inputs.narrow(0, 0, std::min(needs.sample_rows, kCalibrationTokens));
  }
  if (needs.hessian) {
    statistics.hessian = at::matmul(inputs.t(), inputs) * (2.0 / kCalibrationTokens);
  }
  statistics.mean_abs = inputs.abs().mean();
  statistics.feature_mean_abs = inputs.abs().mean(0);
  statistics.max_abs = inputs.abs().amax(0);
  return statistics;
}

// Features with several groups, the last one short where that is allowed.
std::vector<int64_t> FeatureChoices(int64_t group) {
  std::vector<int64_t> choices;
  if (group > 0) {
    const int64_t whole = std::max<int64_t>(2, (24 + group - 1) / group) * group;
    choices = {whole + std::max<int64_t>(group / 2, 1), whole};
  }
  for (int64_t features : {40, 64, 128, 256, 512, 1024, 2048, 4096}) choices.push_back(features);
  return choices;
}

// Sets in and out to a shape that the quantizer accepts for its operand (for both where it owns the
// input too).
bool FindShape(QuantizerCase* one) {
  for (const int64_t in : FeatureChoices(one->quantizer->NominalGroup())) {
    for (const int64_t out : {6, 16, 64, 128, 256}) {
      if (!one->quantizer->Check(one->operand, in, out).ok()) continue;
      if (one->owns_input && !one->quantizer->Check(kInput, in, out).ok()) continue;
      one->in = in;
      one->out = out;
      return true;
    }
  }
  return false;
}

// A quantizer that owns both operands may refuse to own one (QuEST).
bool RefusesHalf(const QuantizerCase& one) {
  if (!one.whole || one.owns_input || !Can(*one.component, kInput)) return false;
  try {
    return !Attach(one, one.Weight(0).x).ok();
  } catch (const std::exception&) {
    return false;  // the checks will say so
  }
}

struct Place {
  const char* operand;
  bool whole;
  bool owns_input;
};

std::vector<Place> Places(const qatlas_component& component) {
  std::vector<Place> places;
  const bool whole = Can(component, "linear");
  if (Can(component, kWeight)) places.push_back({kWeight, whole, false});
  if (Can(component, kInput)) {
    places.push_back(whole ? Place{kWeight, true, true} : Place{kInput, false, false});
  }
  return places;
}

// What a parent segment that rounded to the nearest code leaves of this weight, in the bits and
// groups of the quantizer that takes it up.
Encoded ParentOf(const Quantizer& quantizer, const at::Tensor& weight) {
  const at::NoGradGuard no_grad;
  IntFormat format;
  format.bits = static_cast<int>(std::clamp(std::ceil(quantizer.NominalBits()), 2.0, 8.0));
  format.granularity = quantizer.NominalGroup() > 0 ? Granularity::kGroup : Granularity::kChannel;
  format.group = quantizer.NominalGroup();
  format.short_last_group = true;
  const int64_t rows = weight.size(0), features = weight.size(1);
  const int64_t group = format.GroupSize(features), groups = format.Groups(features);
  const at::Tensor wide = weight.to(at::kFloat);
  const at::Tensor padded = at::constant_pad_nd(wide, {0, groups * group - features});
  const at::Tensor scales =
      padded.view({rows, groups, group}).abs().amax(2).div(format.q_max()).clamp_min(1e-8);
  const at::Tensor steps = scales.repeat_interleave(group, 1).narrow(1, 0, features);
  const at::Tensor codes = (wide / steps).round().clamp(format.q_min(), format.q_max());
  return MakeIntEncoded(format, codes.nan_to_num().to(at::kChar), scales, at::kFloat);
}

}  // namespace

std::string QuantizerCase::Words() const {
  return absl::StrCat("quantizer ", component->name, " ", Text(options), ", ",
                      whole ? (owns_input ? "owning weight and input" : "owning the weight")
                            : absl::StrCat("operand ", operand),
                      " of a linear with ", in, " input and ", out, " output features");
}

absl::StatusOr<Instance> Attach(const QuantizerCase& one, const at::Tensor& weight,
                                const AttachSettings& settings) {
  AttachContext context;
  context.role = "fc1";
  context.in_features = weight.size(1);
  context.out_features = weight.size(0);
  context.weight = weight.detach();
  context.restoring = settings.restoring;
  context.seed = settings.seed;
  context.total_steps = 100;
  const CalibrationNeeds needs = one.quantizer->Calibration(one.operand);
  CalibrationStatistics statistics;
  if (needs.tokens > 0 && !settings.restoring && !weight.is_meta()) {
    statistics = Calibrate(needs, weight.size(1), settings.seed + 17, weight.device());
    context.calibration = &statistics;
  }
  if (one.operand == kWeight && !settings.restoring) {
    context.parent = [&]() -> absl::StatusOr<Encoded> {
      return ParentOf(*one.quantizer, context.weight);
    };
  }
  Instance instance;
  if (one.whole) {
    QATLAS_ASSIGN_OR_RETURN(instance.whole, one.quantizer->AttachLinear(context, one.owns_input));
  } else {
    QATLAS_ASSIGN_OR_RETURN(instance.operand, one.quantizer->AttachOperand(one.operand, context));
  }
  if (instance.operand == nullptr && instance.whole == nullptr) {
    return absl::InternalError("attaching returned OK and no instance");
  }
  return instance;
}

absl::StatusOr<Instance> AttachFor(const QuantizerCase& one, const at::Tensor& x,
                                   const Probe& probe, const AttachSettings& settings) {
  return Attach(one, one.whole ? x : one.Weight(probe.seed()).x, settings);
}

std::vector<QuantizerCase> Cases(const Subject& subject) {
  std::vector<QuantizerCase> cases;
  const qatlas_component& component = *subject.component;
  for (const Variant& variant : AllVariants(component)) {
    absl::StatusOr<Options> options = CompleteOptions(component, variant.given);
    if (!options.ok()) continue;
    auto made = Create<Quantizer>(component, *options);
    if (!made.ok()) continue;
    const std::shared_ptr<Quantizer> quantizer = *std::move(made);
    for (const Place& place : Places(component)) {
      QuantizerCase one;
      one.component = &component;
      one.given = variant.given;
      one.options = *options;
      one.quantizer = quantizer;
      one.operand = place.operand;
      one.whole = place.whole;
      one.owns_input = place.owns_input;
      if (FindShape(&one) && !RefusesHalf(one)) cases.push_back(std::move(one));
    }
  }
  return cases;
}

void ForEachCase(const Subject& subject, Probe& probe,
                 const std::function<void(const QuantizerCase&)>& body) {
  const ThreadsGuard one_thread(1);
  probe.Trying(absl::StrCat("quantizer ", subject.component->name));
  const std::vector<QuantizerCase> cases = Cases(subject);
  if (cases.empty()) {
    probe.Fail(
        "no option and no shape that was tried can be attached: the abilities must name an operand "
        "(\"weight\", \"input\"), and the default options must suit some linear of 24 to 4096 "
        "input "
        "features");
  }
  for (const QuantizerCase& one : cases) {
    probe.Trying(one.Words());
    try {
      body(one);
    } catch (const std::exception& e) {
      const std::string what = e.what();
      probe.Fail(absl::StrCat("threw: ", what.substr(0, what.find('\n'))));
    }
  }
}

bool CouldAttach(const absl::StatusOr<Instance>& instance, Probe& probe) {
  if (instance.ok()) return true;
  probe.Fail(absl::StrCat("could not be attached: ", instance.status().message()));
  return false;
}

void ForEachInstance(const Subject& subject, Probe& probe,
                     const std::function<void(const QuantizerCase&, const Instance&)>& body) {
  ForEachCase(subject, probe, [&](const QuantizerCase& one) {
    const Input weight = one.Weight(probe.seed());
    probe.Trying(absl::StrCat(one.Words(), ", attached to ", weight.words));
    const absl::StatusOr<Instance> instance = Attach(one, weight.x);
    if (CouldAttach(instance, probe)) body(one, *instance);
  });
}

void Train(const QuantizerCase& one, const Instance& instance, int steps, int first_step,
           uint64_t seed) {
  constexpr double kRate = 0.01;
  for (int step = 0; step < steps; ++step) {
    const uint64_t salt = seed + 2 * static_cast<uint64_t>(first_step + step);
    at::Tensor x =
        Normal(one.whole ? std::vector<int64_t>{QuantizerCase::kTokens, one.in} : one.Shape(), salt)
            .requires_grad_();
    const at::Tensor y = instance.Forward(x);
    at::Tensor loss = Loss(y, Normal(y.sizes(), salt + 1)) + (y * y).mean();
    if (const at::Tensor penalty = instance.state().Penalty(); penalty.defined()) {
      loss = loss + penalty;
    }
    loss.backward();
    for (const NamedParameter& parameter : instance.state().Parameters()) {
      const at::NoGradGuard no_grad;
      at::Tensor tensor = parameter.tensor;
      const at::Tensor gradient = tensor.grad();
      if (!gradient.defined()) continue;
      const double largest = LargestMagnitude(gradient);
      const double size = std::max(LargestMagnitude(tensor), 0.1);
      if (largest > 0) tensor.sub_(gradient * (kRate * size / largest));
      tensor.mutable_grad().reset();
    }
    instance.state().AfterStep({first_step + step, 100, kRate});
  }
}

void ClearGradients(const Instance& instance) {
  for (const NamedParameter& parameter : instance.state().Parameters()) {
    at::Tensor tensor = parameter.tensor;
    tensor.mutable_grad().reset();
  }
}

Pass RunPass(const Instance& instance, const at::Tensor& x) {
  at::Tensor leaf = x.detach().requires_grad_();
  ClearGradients(instance);
  Pass pass;
  pass.y = instance.Forward(leaf);
  pass.y.backward(at::ones_like(pass.y));
  pass.y = pass.y.detach();
  pass.gradient = leaf.grad();
  for (const NamedParameter& parameter : instance.state().Parameters()) {
    pass.parameters.push_back({parameter.name, parameter.tensor.grad()});
  }
  ClearGradients(instance);
  return pass;
}

std::vector<NamedTensor> StateOf(const Instance& instance) {
  const at::NoGradGuard no_grad;
  std::vector<NamedTensor> state;
  for (const NamedParameter& parameter : instance.state().Parameters()) {
    state.push_back({parameter.name, parameter.tensor.detach().clone()});
  }
  for (const NamedTensor& buffer : instance.state().Buffers()) {
    state.push_back({buffer.name, buffer.tensor.detach().clone()});
  }
  return state;
}

}  // namespace qatlas::conformance
