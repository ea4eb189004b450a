#include "sdk/conformance/torch/quantizer_plan.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "qatlas/conformance/create.h"
#include "sdk/conformance/torch/cases.h"
#include "sdk/conformance/torch/values.h"
#include "sdk/conformance/torch/variants.h"

namespace qatlas::conformance {
namespace {

constexpr const char* kAbilities[] = {"weight",     "input",    "linear",
                                      "idempotent", "stateful", "calibration", kFreesWeight};
constexpr const char* kLabels[] = {"bits:", "group:", "granularity:"};

void CheckAbilityNames(const qatlas_component& component, Probe& probe) {
  for (const char* const* one = component.abilities; one != nullptr && *one != nullptr; ++one) {
    bool known = false;
    for (const char* ability : kAbilities) known = known || std::string(ability) == *one;
    for (const char* label : kLabels) known = known || absl::StartsWith(*one, label);
    if (!known) {
      probe.Fail(
          absl::StrCat("the ability '", *one,
                       "' is unknown; there are weight, input, linear, idempotent, stateful, "
                       "calibration, frees-weight, bits:<n>, group:<n> and granularity:<name>"));
    }
  }
}

// Observations are labelled from the option of this name, else from the ability.
void CheckLabel(const QuantizerCase& one, const char* name, double actual, Probe& probe) {
  double labelled = 0;
  auto option = one.options.table().values.find(name);
  if (option != one.options.table().values.end()) {
    const int64_t* whole = std::get_if<int64_t>(&option->second);
    const double* real = std::get_if<double>(&option->second);
    if (whole == nullptr && real == nullptr) return;
    labelled = whole != nullptr ? static_cast<double>(*whole) : *real;
    // A granularity other than "group" makes the group 0.
    const auto granularity = one.options.table().values.find("granularity");
    if (std::string(name) == "group" && granularity != one.options.table().values.end() &&
        CanonicalText(granularity->second) != "\"group\"") {
      labelled = 0;
    }
  } else if (!absl::SimpleAtod(AbilityValue(*one.component, name), &labelled)) {
    return;
  }
  if (std::abs(labelled - actual) <= 1e-3 * std::max(1.0, std::abs(labelled))) return;
  probe.Fail(absl::StrCat("observations are labelled ", name, " = ", labelled,
                          " (option or ability), but the quantizer itself says ", actual));
}

}  // namespace

void CheckAbilities(const Subject& subject, Probe& probe) {
  const qatlas_component& component = *subject.component;
  probe.Trying(absl::StrCat("quantizer ", component.name, ", its list of abilities"));
  CheckAbilityNames(component, probe);
  bool state = false, calibration = false;
  ForEachInstance(subject, probe, [&](const QuantizerCase& one, const Instance& instance) {
    state = state || !StateOf(instance).empty();
    calibration = calibration || one.quantizer->Calibration(one.operand).tokens > 0;
    const double bits = one.quantizer->NominalBits();
    if (!(bits > 0 && bits <= 32)) probe.Fail(absl::StrCat("NominalBits() = ", bits));
    CheckLabel(one, "bits", bits, probe);
    CheckLabel(one, "group", static_cast<double>(one.quantizer->NominalGroup()), probe);
  });
  auto agree = [&](const char* ability, bool there, const char* what) {
    if (Can(component, ability) == there) return;
    probe.Fail(absl::StrCat("the ability \"", ability, "\" is ",
                            there ? "not declared" : "declared", ", but ", there ? "" : "no ",
                            what));
  };
  agree("stateful", state, "instances have parameters or buffers");
  agree("calibration", calibration, "operand asks for calibration tokens");
}

void CheckShapes(const Subject& subject, Probe& probe) {
  ForEachCase(subject, probe, [&](const QuantizerCase& found) {
    for (const int64_t in : {1, 2, 3, 7, 8, 13, 24, 33, 48, 64, 65, 96, 127, 128, 160, 192}) {
      for (const int64_t out : {1, 3, 8, 64}) {
        QuantizerCase one = found;
        one.in = in;
        one.out = out;
        probe.Trying(one.Words());
        absl::Status status = one.quantizer->Check(one.operand, in, out);
        if (status.ok() && one.owns_input) status = one.quantizer->Check(kInput, in, out);
        if (!status.ok()) {
          if (status.message().size() < 10)
            probe.Fail(absl::StrCat("Check refuses without saying why: '", status.message(), "'"));
          continue;
        }
        const absl::StatusOr<Instance> instance = Attach(one, one.Weight(probe.seed()).x);
        if (!instance.ok()) {
          probe.Fail(absl::StrCat("Check accepts the shape, but attaching fails: ",
                                  instance.status().message()));
          continue;
        }
        const at::NoGradGuard no_grad;
        const at::Tensor x = Normal(one.Shape(), probe.seed() + 139);
        try {
          const at::Tensor y = instance->Quantized(x);
          const std::vector<int64_t> want = one.whole ? std::vector<int64_t>{out, in} : one.Shape();
          if (y.sizes() != at::IntArrayRef(want)) {
            probe.Fail(absl::StrCat("Check accepts the shape; the result has shape ",
                                    ShapeText(y.sizes())));
          }
          const absl::StatusOr<Encoded> encoded = instance->Encode(x);
          if (!encoded.ok()) {
            probe.Fail(absl::StrCat("Check accepts the shape, but Encode fails: ",
                                    encoded.status().message()));
          }
        } catch (const std::exception& e) {
          const std::string what = e.what();
          probe.Fail(absl::StrCat("Check accepts the shape, but it threw: ",
                                  what.substr(0, what.find('\n'))));
        }
      }
    }
  });
}

void CheckMeta(const Subject& subject, Probe& probe) {
  ForEachInstance(subject, probe, [&](const QuantizerCase& one, const Instance& instance) {
    probe.Trying(absl::StrCat(one.Words(), ", on the meta device"));
    const absl::StatusOr<Instance> meta =
        Attach(one, at::empty({one.out, one.in}, at::TensorOptions(at::kFloat).device(at::kMeta)));
    if (!CouldAttach(meta, probe)) return;
    auto compare = [&](const std::string& name, const at::Tensor& got,
                       const std::string& wanted_name, const at::Tensor& want) {
      if (name != wanted_name || got.sizes() != want.sizes() ||
          got.scalar_type() != want.scalar_type()) {
        probe.Fail(absl::StrCat("'", name, "' ", ShapeText(got.sizes()), " ",
                                DtypeText(got.scalar_type()), " on meta is '", wanted_name, "' ",
                                ShapeText(want.sizes()), " ", DtypeText(want.scalar_type()),
                                " on the CPU"));
      } else if (!got.is_meta()) {
        probe.Fail(absl::StrCat(
            "'", name, "' is not on the meta device: planning a large model would allocate it"));
      }
    };
    const auto parameters = instance.state().Parameters(), on_meta = meta->state().Parameters();
    const auto buffers = instance.state().Buffers(), buffers_on_meta = meta->state().Buffers();
    if (parameters.size() != on_meta.size() || buffers.size() != buffers_on_meta.size()) {
      probe.Fail(absl::StrCat(on_meta.size(), " parameters and ", buffers_on_meta.size(),
                              " buffers on meta, ", parameters.size(), " and ", buffers.size(),
                              " on the CPU"));
      return;
    }
    for (size_t i = 0; i < parameters.size(); ++i) {
      compare(on_meta[i].name, on_meta[i].tensor, parameters[i].name, parameters[i].tensor);
    }
    for (size_t i = 0; i < buffers.size(); ++i) {
      compare(buffers_on_meta[i].name, buffers_on_meta[i].tensor, buffers[i].name,
              buffers[i].tensor);
    }
    const int64_t rows = one.Shape()[0];
    if (meta->Bits(rows, one.in) != instance.Bits(rows, one.in)) {
      probe.Fail(absl::StrCat(meta->Bits(rows, one.in), " bits an element on meta, ",
                              instance.Bits(rows, one.in), " on the CPU"));
    }
  });
}

void CheckEffectiveWeight(const Subject& subject, Probe& probe) {
  if (!Can(*subject.component, "linear")) {
    probe.Skip("the ability \"linear\" is not declared: the SDK composes the linear");
    return;
  }
  const at::NoGradGuard no_grad;
  bool compared = false;
  ForEachInstance(subject, probe, [&](const QuantizerCase& one, const Instance& instance) {
    const at::Tensor weight = instance.whole->EffectiveWeight();
    if (weight.sizes() != at::IntArrayRef({one.out, one.in}) ||
        weight.scalar_type() != at::kFloat) {
      probe.Fail(absl::StrCat("EffectiveWeight() has shape ", ShapeText(weight.sizes()),
                              " and dtype ", DtypeText(weight.scalar_type())));
      return;
    }
    if (one.owns_input) return;  // the outputs are of quantized inputs
    compared = true;
    const at::Tensor bias = Normal({one.out}, probe.seed() + 149);
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      for (const bool with_bias : {false, true}) {
        const Input input =
            NormalInput({QuantizerCase::kTokens, one.in}, probe.seed() + 151, dtype);
        probe.Trying(
            absl::StrCat(one.Words(), "; ", input.words, with_bias ? ", with a bias" : ""));
        const at::Tensor given = with_bias ? bias : at::Tensor();
        const at::Tensor y = instance.whole->Forward(input.x, given);
        at::Tensor want = at::matmul(input.x.to(at::kDouble), weight.to(at::kDouble).t());
        if (with_bias) want = want + bias.to(at::kDouble);
        const std::string difference = Difference(y, want, dtype == at::kFloat ? 1e-5 : 3e-2);
        if (!difference.empty()) {
          probe.Fail(absl::StrCat("Forward(x) and a linear with EffectiveWeight(): ", difference));
        }
      }
    }
  });
  if (!compared) probe.Skip("it owns the input under all options");
}

void CheckFreedWeight(const Subject& subject, Probe& probe) {
  if (!Can(*subject.component, "linear")) {
    probe.Skip("the ability \"linear\" is not declared: the master weight stays");
    return;
  }
  const at::NoGradGuard no_grad;
  bool freed = false;
  ForEachCase(subject, probe, [&](const QuantizerCase& one) {
    const Input weight = one.Weight(probe.seed());
    probe.Trying(absl::StrCat(one.Words(), ", attached to ", weight.words,
                              ", which is then filled with NaN"));
    const at::Tensor master = weight.x.clone();
    const absl::StatusOr<Instance> instance = Attach(one, master);
    if (!CouldAttach(instance, probe) || instance->whole->KeepsMasterWeight()) return;
    freed = true;
    const at::Tensor before = instance->whole->EffectiveWeight().clone();
    master.fill_(std::numeric_limits<double>::quiet_NaN());
    const std::string difference = BitDifference(instance->whole->EffectiveWeight(), before);
    if (!difference.empty()) {
      probe.Fail(absl::StrCat(
          "KeepsMasterWeight() is false, but the weight changes with the master weight: ",
          difference));
    }
    if (master.use_count() > 1 || master.storage().use_count() > 1) {
      probe.Fail(
          "KeepsMasterWeight() is false, but the instance holds on to the master weight, so that "
          "its memory is not freed");
    }
  });
  if (!freed && !probe.failed()) probe.Skip("KeepsMasterWeight() is true under all options");
}

}  // namespace qatlas::conformance
