#include "sdk/conformance/torch/model_cases.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <iterator>
#include <optional>
#include <random>
#include <utility>

#include "ATen/CPUGeneratorImpl.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "qatlas/conformance/create.h"
#include "sdk/conformance/torch/threads.h"
#include "sdk/conformance/torch/values.h"
#include "sdk/conformance/torch/variants.h"

namespace qatlas::conformance {
namespace {

constexpr int64_t kMostParameters = 4'000'000;
constexpr int kTries = 400;

// What an option probably means, by a part of its name; the first that fits counts.
struct Meaning {
  const char* part;
  int64_t value;
};
constexpr Meaning kMeanings[] = {
    {"kv", 0},       {"vocab", 61},    {"layer", 2},   {"depth", 2},  {"block", 2},
    {"head", 2},     {"ffn", 24},      {"mlp", 24},    {"inner", 24}, {"hidden", 16},
    {"width", 16},   {"dim", 16},      {"embd", 16},   {"embed", 16}, {"position", 64},
    {"context", 64}, {"sequence", 64}, {"length", 64}, {"expert", 2},
};
constexpr const char* kDepth[] = {"layer", "depth", "block"};

const Meaning* MeaningOf(const qatlas_option& option) {
  if (option.type != QATLAS_OPTION_INT) return nullptr;
  for (const Meaning& meaning : kMeanings) {
    if (absl::StrContains(option.name, meaning.part)) {
      return meaning.value == 0 ? nullptr : &meaning;
    }
  }
  return nullptr;
}

int64_t Clamp(const qatlas_option& option, int64_t value) {
  if (!std::isnan(option.minimum)) value = std::max(value, static_cast<int64_t>(option.minimum));
  if (!std::isnan(option.maximum)) value = std::min(value, static_cast<int64_t>(option.maximum));
  return value;
}

std::optional<ModelCase> Make(const qatlas_component& component, const OptionTable& given) {
  ModelCase one;
  one.component = &component;
  absl::StatusOr<Options> options = CompleteOptions(component, given);
  if (!options.ok()) return std::nullopt;
  one.options = *std::move(options);
  auto builder = Create<ModelBuilder>(component, one.options);
  if (!builder.ok()) return std::nullopt;
  one.builder = *std::move(builder);
  if (one.builder->Counts(kTime).Total() > kMostParameters) return std::nullopt;
  return one;
}

// Options of a small model.
std::optional<OptionTable> SmallOptions(const qatlas_component& component, uint64_t seed) {
  OptionTable base;
  std::vector<const qatlas_option*> sizes;
  for (uint64_t i = 0; i < component.option_count; ++i) {
    const qatlas_option& option = component.options[i];
    const Meaning* meaning = MeaningOf(option);
    if (meaning != nullptr) base.values[option.name] = Clamp(option, meaning->value);
    if (option.type == QATLAS_OPTION_INT &&
        (meaning != nullptr || option.default_value == nullptr)) {
      sizes.push_back(&option);
    }
  }
  if (Make(component, base).has_value()) return base;
  std::minstd_rand random(static_cast<unsigned>(seed + 1));
  constexpr int64_t kSizes[] = {1, 2, 3, 4, 8, 16, 24, 32, 64};
  for (int attempt = 0; attempt < kTries; ++attempt) {
    for (const qatlas_option* option : sizes) {
      base.values[option->name] = Clamp(*option, kSizes[random() % std::size(kSizes)]);
    }
    if (Make(component, base).has_value()) return base;
  }
  return std::nullopt;
}

// The same model with one block more, where an option tells its depth.
std::optional<ModelCase> Deeper(const qatlas_component& component, OptionTable base) {
  for (auto& [name, value] : base.values) {
    for (const char* depth : kDepth) {
      int64_t* layers = std::get_if<int64_t>(&value);
      if (layers == nullptr || !absl::StrContains(name, depth)) continue;
      *layers += 1;
      return Make(component, base);
    }
  }
  return std::nullopt;
}

}  // namespace

std::string ModelCase::Words() const {
  return absl::StrCat("model ", component->name, " ", Text(options));
}

std::vector<ModelCase> ModelCases(const Subject& subject, uint64_t seed) {
  const qatlas_component& component = *subject.component;
  const std::optional<OptionTable> base = SmallOptions(component, seed);
  if (!base.has_value()) return {};
  std::vector<ModelCase> cases;
  for (const Variant& variant : AllVariants(component)) {
    OptionTable given = *base;
    bool resized = false;
    for (const auto& [name, value] : variant.given.values) {
      resized = resized || given.values.count(name) != 0;
      given.values[name] = value;
    }
    if (resized) continue;
    std::optional<ModelCase> one = Make(component, given);
    if (!one.has_value()) continue;
    one->extreme = variant.extreme;
    cases.push_back(*std::move(one));
  }
  if (std::optional<ModelCase> deeper = Deeper(component, *base); deeper.has_value()) {
    cases.push_back(*std::move(deeper));
  }
  return cases;
}

void ForEachModel(const Subject& subject, Probe& probe, Which which,
                  const std::function<void(const ModelCase&)>& body) {
  const ThreadsGuard one_thread(1);
  probe.Trying(absl::StrCat("model ", subject.component->name));
  const std::vector<ModelCase> cases = ModelCases(subject, probe.seed());
  if (cases.empty()) {
    probe.Fail(absl::StrCat("no options were found that make a model of at most ", kMostParameters,
                            " parameters; options named layers, width, ffn, heads and vocabulary "
                            "are understood"));
  }
  for (const ModelCase& one : cases) {
    if (which == Which::kSensible && one.extreme) continue;
    probe.Trying(one.Words());
    try {
      body(one);
    } catch (const std::exception& e) {
      const std::string what = e.what();
      probe.Fail(absl::StrCat("threw: ", what.substr(0, what.find('\n'))));
    }
  }
}

std::unique_ptr<Model> BuildModel(const ModelCase& one, Probe& probe,
                                  const BuildSettings& settings) {
  BuildContext context;
  context.seed = settings.seed;
  context.device = settings.device;
  context.compute = settings.compute;
  context.sequence_length = kTime;
  absl::StatusOr<std::unique_ptr<Model>> model = one.builder->Build(context);
  if (!model.ok()) {
    probe.Fail(absl::StrCat("Build failed: ", model.status().message()));
    return nullptr;
  }
  if (*model == nullptr) probe.Fail("Build returned OK and no model");
  return *std::move(model);
}

Tokens RandomTokens(int64_t batch, int64_t time, int64_t below, uint64_t seed) {
  at::Generator generator = at::detail::createCPUGenerator(seed & 0xffffffffu);
  return {at::randint(below, {batch, time}, generator, at::TensorOptions(at::kLong)),
          absl::StrCat("tokens = torch.randint(", below, ", ", ShapeText({batch, time}),
                       ") of seed ", seed & 0xffffffffu)};
}

Adam::Adam(std::vector<NamedParameter> parameters, double rate)
    : parameters_(std::move(parameters)), rate_(rate) {
  for (const NamedParameter& parameter : parameters_) {
    first_.push_back(at::zeros_like(parameter.tensor.detach()));
    second_.push_back(at::zeros_like(parameter.tensor.detach()));
  }
}

void Adam::Step() {
  const at::NoGradGuard no_grad;
  ++steps_;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    at::Tensor tensor = parameters_[i].tensor;
    const at::Tensor gradient = tensor.grad();
    if (!gradient.defined()) continue;
    first_[i].mul_(.9).add_(gradient, .1);
    second_[i].mul_(.99).addcmul_(gradient, gradient, .01);
    const at::Tensor mean = first_[i] / (1 - std::pow(.9, steps_));
    const at::Tensor size = (second_[i] / (1 - std::pow(.99, steps_))).sqrt_().add_(1e-8);
    tensor.addcdiv_(mean, size, -rate_);
    tensor.mutable_grad().reset();
  }
}

}  // namespace qatlas::conformance
