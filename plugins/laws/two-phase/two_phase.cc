#include "two_phase.h"

#include <utility>
#include <vector>

namespace qatlas_laws {
namespace {

using qatlas::LawCovariate;
using qatlas::LawParameter;

constexpr char kBits[] = "weight_bits";

LawParameter Factor(const char* name, const char* meaning, std::vector<double> starts) {
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
LawParameter Exponent(const char* name, const char* meaning) {
  LawParameter parameter;
  parameter.name = name;
  parameter.meaning = meaning;
  parameter.lower = 0;
  parameter.upper = 3;
  parameter.starts = {.2, .5};
  return parameter;
}
// How fast bits remove a term; above 0, so that full precision removes it altogether.
LawParameter OfBits(const char* name, const char* meaning) {
  LawParameter parameter;
  parameter.name = name;
  parameter.meaning = meaning;
  parameter.unit = "1/bits";
  parameter.lower = .01;
  parameter.upper = 10;
  parameter.starts = {.5, 1.5};
  parameter.log = true;
  return parameter;
}

}  // namespace

absl::StatusOr<std::unique_ptr<qatlas::LawForm>> TwoPhase::Create(const qatlas::Options&) {
  return std::make_unique<TwoPhase>();
}

qatlas::LawSpec TwoPhase::MakeSpec() {
  qatlas::LawSpec spec;
  spec.target = qatlas::kTargetLoss;
  spec.formula =
      "alpha + beta/D^gamma + zeta/N^eta + theta*2^(-kappa*B) + "
      "phi*2^(-chi*B)/(N^psi*S_qat^omega) + lambda*2^(-mu*B)/(N^nu*S_fp^xi*S_qat^rho), "
      "B = weight_bits, S_qat = qat_fraction*D/(N*B/8), S_fp = (1-qat_fraction)*D/(N*B/8)";
  LawCovariate fraction = {"qat_fraction",
                           "share of D trained quantized, after the rest in full precision", "",
                           1e-6, .999999};
  fraction.only_with = kBits;
  LawCovariate bits = {kBits, "bits of the weights; missing: full precision", "bits", .5};
  bits.missing = qatlas::kUnquantizedBits;
  spec.covariates = {{"N", "parameters of the model", "parameters", 1},
                     {"D", "all training tokens", "tokens", 1},
                     fraction,
                     bits};
  spec.parameters = {Factor("alpha", "loss that neither size nor data removes", {.5, 1.8}),
                     Factor("beta", "how much little data loses", {30, 3e3}),
                     Exponent("gamma", "exponent of data"),
                     Factor("zeta", "how much a small model loses", {30, 3e3}),
                     Exponent("eta", "exponent of size"),
                     Factor("theta", "error that no training removes", {.1, 3}),
                     OfBits("kappa", "how fast bits remove it"),
                     Factor("phi", "error of too little quantized training", {.1, 10}),
                     OfBits("chi", "how fast bits remove it"),
                     Exponent("psi", "how fast size removes it"),
                     Exponent("omega", "how fast quantized tokens remove it"),
                     Factor("lambda", "error of both phases together", {.1, 10}),
                     OfBits("mu", "how fast bits remove it"),
                     Exponent("nu", "how fast size removes it"),
                     Exponent("xi", "how fast full-precision tokens remove it"),
                     Exponent("rho", "how fast quantized tokens remove it")};
  for (size_t p = 5; p < spec.parameters.size(); ++p) spec.parameters[p].only_with = kBits;
  return spec;
}

}  // namespace qatlas_laws
