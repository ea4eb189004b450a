#include "quartet.h"

#include "qatlas/law_parts.h"

namespace qatlas_laws {
namespace {

using qatlas::LawParameter;
using qatlas::LawPreset;
using qatlas::law_parts::Coefficient;
using qatlas::law_parts::Efficiency;
using qatlas::law_parts::Exponentials;
using qatlas::law_parts::Positive;

LawParameter Scale(const char* name, const char* meaning) {
  return Positive(name, meaning, "", 1e-10, 1e30, Exponentials({5, 10, 15}));
}
LawParameter Power(const char* name, const char* meaning) {
  return Positive(name, meaning, "", .01, 3, {.2, .5, 1});
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

qatlas::LawSpec Quartet::MakeSpec() {
  qatlas::LawSpec spec;
  spec.target = qatlas::kTargetLoss;
  spec.formula = "(A/(N*eff_N)^alpha + B/(D*eff_D)^beta)^gamma + E";
  spec.covariates = {qatlas::law_parts::Size(), qatlas::law_parts::Data()};
  spec.parameters = {
      Scale("A", "how much a small model loses"),
      Power("alpha", "exponent of size, before gamma"),
      Scale("B", "how much little data loses"),
      Power("beta", "exponent of data, before gamma"),
      Coefficient("E", "loss that neither size nor data removes", {.4, 1, 2.5}),
      Positive("gamma", "exponent of both terms together", "", .02, 4, {.2, .5, 1}),
      Efficiency("eff_N", "size of the full-precision model of equal loss, as a share of N",
                 {.3, .8}),
      Efficiency("eff_D", "data of the full-precision run of equal loss, as a share of D",
                 {.3, .8})};
  spec.presets = {
      Published("full-precision", 1, 1, "The base fit; both efficiencies are 1 by definition."),
      Published("mxfp4-sr-absmax", .42, .88, "MXFP4, stochastic rounding, absolute maximum"),
      Published("mxfp4-rtn-absmax", .59, .93, "MXFP4, round to nearest, absolute maximum"),
      Published("mxfp4-quest", .64, .83, "MXFP4, QuEST"),
  };
  return spec;
}

}  // namespace qatlas_laws
