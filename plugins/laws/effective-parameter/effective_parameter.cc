#include "effective_parameter.h"

#include <cmath>
#include <string>
#include <vector>

namespace qatlas_laws {
namespace {

using qatlas::LawParameter;
using qatlas::LawPreset;
using qatlas::LawSpec;

LawParameter Positive(const char* name, const char* meaning, std::vector<double> starts) {
  LawParameter parameter;
  parameter.name = name;
  parameter.meaning = meaning;
  parameter.unit = "nats/token";
  parameter.lower = 0;
  parameter.starts = std::move(starts);
  parameter.linear = true;
  parameter.log = true;
  return parameter;
}
LawParameter Size() {
  return Positive("A", "how much a small model loses",
                  {1, std::exp(5.), std::exp(10.), std::exp(15.), std::exp(20.)});
}
LawParameter Exponent(const char* name, const char* meaning, double lower) {
  LawParameter parameter;
  parameter.name = name;
  parameter.meaning = meaning;
  parameter.lower = lower;
  parameter.upper = 3;
  parameter.starts = {.1, .3, .5, 1, 1.5};
  return parameter;
}
LawParameter Efficiency() {
  LawParameter parameter;
  parameter.name = "eff";
  parameter.meaning = "size of the full-precision model of equal loss, as a share of N";
  // QuEST reports 1.02 at 8 bits: above 1 is allowed.
  parameter.lower = 1e-4;
  parameter.upper = 4;
  parameter.starts = {.05, .3, .8};
  parameter.log = true;
  parameter.per = {"precision"};
  // Full precision as observations label it: "fp" from runs of our own, often nothing elsewhere.
  parameter.pins = {{"fp", 1.0}, {"", 1.0}};
  return parameter;
}
qatlas::LawCovariate Parameters() {
  return {"N", "parameters of the model, as the full-precision law counts them", "parameters", 1};
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

absl::StatusOr<std::unique_ptr<qatlas::LawForm>> EffectiveParameter::Create(
    const qatlas::Options&) {
  return std::make_unique<EffectiveParameter>();
}

LawSpec EffectiveParameter::MakeSpec() {
  LawSpec spec;
  spec.target = qatlas::kTargetLoss;
  spec.formula = "E + A/(N*eff)^alpha + B/D^beta";
  spec.covariates = {Parameters(), {"D", "training tokens", "tokens", 1}};
  spec.parameters = {
      Positive("E", "loss that neither size nor data removes", {.4, 1, 2.5}),
      Size(),
      Exponent("alpha", "exponent of size", .01),
      Positive("B", "how much little data loses",
               {1, std::exp(5.), std::exp(10.), std::exp(15.), std::exp(20.)}),
      Exponent("beta", "exponent of data", 0),
      Efficiency(),
  };
  spec.presets = Published();
  return spec;
}

absl::StatusOr<std::unique_ptr<qatlas::LawForm>> EffectiveParameterDelta::Create(
    const qatlas::Options&) {
  return std::make_unique<EffectiveParameterDelta>();
}

LawSpec EffectiveParameterDelta::MakeSpec() {
  LawSpec spec;
  spec.target = qatlas::kTargetDelta;
  spec.formula = "A/N^alpha * (eff^-alpha - 1)";
  spec.covariates = {Parameters()};
  spec.parameters = {Size(), Exponent("alpha", "exponent of size", .01), Efficiency()};
  spec.presets = Published();
  return spec;
}

}  // namespace qatlas_laws
