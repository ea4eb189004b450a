#include "effective_parameter.h"

#include <vector>

#include "qatlas/law_parts.h"

namespace qatlas_laws {
namespace {

using qatlas::LawParameter;
using qatlas::LawPreset;
using qatlas::LawSpec;
using qatlas::law_parts::Coefficient;
using qatlas::law_parts::Exponentials;

LawParameter OfSize() {
  return Coefficient("A", "how much a small model loses", Exponentials({0, 5, 10, 15, 20}));
}
LawParameter Power(const char* name, const char* meaning, double lower) {
  return qatlas::law_parts::Exponent(name, meaning, lower, 3, {.1, .3, .5, 1, 1.5});
}
LawParameter Share() {
  return qatlas::law_parts::Efficiency(
      "eff", "size of the full-precision model of equal loss, as a share of N", {.05, .3, .8});
}
qatlas::LawCovariate Parameters() {
  return qatlas::law_parts::Size("parameters of the model, as the full-precision law counts them");
}

std::vector<LawPreset> Published() {
  const char* frantar = "Frantar et al. 2025, arXiv 2502.16440";
  const char* quest = "Panferov et al. 2025 (QuEST), arXiv 2502.05003";
  const char* panferov = "Panferov et al. 2025, arXiv 2506.01863";
  // None is marked as read in the paper itself.
  const auto only = [](const char* name, const char* citation, double eff, const char* note) {
    return LawPreset{name, citation, {{"eff", eff}}, false, note};
  };
  return {
      only("frantar-w4", frantar, .923, "weights at 4 bits; the other constants differ by study"),
      only("frantar-w4a4", frantar, .747, "weights and inputs at 4 bits"),
      only("frantar-1bit", frantar, .067, "1 bit; whether of weights alone or of both is unclear"),
      only("quest-1bit", quest, .02, "weights and inputs at 1 bit"),
      only("quest-2bit", quest, .16, "weights and inputs at 2 bits"),
      only("quest-3bit", quest, .43, "weights and inputs at 3 bits"),
      only("quest-4bit", quest, .70, "weights and inputs at 4 bits"),
      only("quest-8bit", quest, 1.02, "weights and inputs at 8 bits"),
      only("panferov-w4a16", panferov, .91, "weights at 4 bits"),
      only("panferov-w16a4", panferov, .90, "inputs at 4 bits"),
      only("panferov-w4a4", panferov, .85,
           "weights and inputs at 4 bits; the product of the two is .82"),
  };
}

}  // namespace

LawSpec EffectiveParameter::MakeSpec() {
  LawSpec spec;
  spec.target = qatlas::kTargetLoss;
  spec.formula = "E + A/(N*eff)^alpha + B/D^beta";
  spec.covariates = {Parameters(), qatlas::law_parts::Data()};
  spec.parameters = {
      Coefficient("E", "loss that neither size nor data removes", {.4, 1, 2.5}),
      OfSize(),
      Power("alpha", "exponent of size", .01),
      Coefficient("B", "how much little data loses", Exponentials({0, 5, 10, 15, 20})),
      Power("beta", "exponent of data", 0),
      Share(),
  };
  spec.presets = Published();
  return spec;
}

LawSpec EffectiveParameterDelta::MakeSpec() {
  LawSpec spec;
  spec.target = qatlas::kTargetDelta;
  spec.formula = "A/N^alpha * (eff^-alpha - 1)";
  spec.covariates = {Parameters()};
  spec.parameters = {OfSize(), Power("alpha", "exponent of size", .01), Share()};
  spec.presets = Published();
  return spec;
}

}  // namespace qatlas_laws
