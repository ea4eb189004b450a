#include "quartet.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace qatlas_laws {
namespace {

using qatlas::LawParameter;
using qatlas::LawPreset;

LawParameter Positive(const char* name, const char* meaning, double lower, double upper,
                      std::vector<double> starts) {
  LawParameter parameter;
  parameter.name = name;
  parameter.meaning = meaning;
  parameter.lower = lower;
  parameter.upper = upper;
  parameter.starts = std::move(starts);
  parameter.log = true;
  return parameter;
}
LawParameter Factor(const char* name, const char* meaning) {
  return Positive(name, meaning, 1e-10, 1e30, {std::exp(5.), std::exp(10.), std::exp(15.)});
}
LawParameter Exponent(const char* name, const char* meaning) {
  return Positive(name, meaning, .01, 3, {.2, .5, 1});
}
LawParameter Efficiency(const char* name, const char* meaning) {
  LawParameter parameter = Positive(name, meaning, 1e-4, 4, {.3, .8});
  parameter.per = {"precision"};
  // Full precision as observations label it: "fp" from runs of our own, often nothing elsewhere.
  parameter.pins = {{"fp", 1.0}, {"", 1.0}};
  return parameter;
}

LawPreset Published(const char* name, double eff_N, double eff_D, const char* note) {
  return {name,
          "Castro et al. 2025, arXiv 2505.14669",
          {{"A", 1.52e5},
           {"alpha", .589},
           {"B", 5.25e5},
           {"beta", .544},
           {"E", 1.35},
           {"gamma", .274},
           {"eff_N", eff_N},
           {"eff_D", eff_D}},
          true,
          note};
}

}  // namespace

absl::StatusOr<std::unique_ptr<qatlas::LawForm>> Quartet::Create(const qatlas::Options&) {
  return std::make_unique<Quartet>();
}

qatlas::LawSpec Quartet::MakeSpec() {
  qatlas::LawSpec spec;
  spec.target = qatlas::kTargetLoss;
  spec.formula = "(A/(N*eff_N)^alpha + B/(D*eff_D)^beta)^gamma + E";
  spec.covariates = {{"N", "parameters of the model", "parameters", 1},
                     {"D", "training tokens", "tokens", 1}};
  LawParameter floor =
      Positive("E", "loss that neither size nor data removes", 0, qatlas::kNoBound, {.4, 1, 2.5});
  floor.unit = "nats/token";
  floor.linear = true;
  spec.parameters = {
      Factor("A", "how much a small model loses"),
      Exponent("alpha", "exponent of size, before gamma"),
      Factor("B", "how much little data loses"),
      Exponent("beta", "exponent of data, before gamma"),
      floor,
      Positive("gamma", "exponent of both terms together", .02, 4, {.2, .5, 1}),
      Efficiency("eff_N", "size of the full-precision model of equal loss, as a share of N"),
      Efficiency("eff_D", "data of the full-precision run of equal loss, as a share of D")};
  spec.presets = {
      Published("full-precision", 1, 1, "The base fit; both efficiencies are 1 by definition."),
      Published("mxfp4-sr-absmax", .42, .88, "MXFP4, stochastic rounding, absolute maximum"),
      Published("mxfp4-rtn-absmax", .59, .93, "MXFP4, round to nearest, absolute maximum"),
      Published("mxfp4-quest", .64, .83, "MXFP4, QuEST"),
  };
  return spec;
}

}  // namespace qatlas_laws
