#include "two_phase.h"

#include "qatlas/law_parts.h"

namespace qatlas_laws {
namespace {

using qatlas::LawCovariate;
using qatlas::LawParameter;
using qatlas::law_parts::Coefficient;

constexpr char kBits[] = "weight_bits";

LawParameter Power(const char* name, const char* meaning) {
  return qatlas::law_parts::Exponent(name, meaning, 0, 3, {.2, .5});
}
// How fast bits remove a term; above 0, so that full precision removes it altogether.
LawParameter OfBits(const char* name, const char* meaning) {
  return qatlas::law_parts::Positive(name, meaning, "1/bits", .01, 10, {.5, 1.5});
}

}  // namespace

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
  spec.covariates = {qatlas::law_parts::Size(), qatlas::law_parts::Data("all training tokens"),
                     fraction, bits};
  spec.parameters = {Coefficient("alpha", "loss that neither size nor data removes", {.5, 1.8}),
                     Coefficient("beta", "how much little data loses", {30, 3e3}),
                     Power("gamma", "exponent of data"),
                     Coefficient("zeta", "how much a small model loses", {30, 3e3}),
                     Power("eta", "exponent of size"),
                     Coefficient("theta", "error that no training removes", {.1, 3}),
                     OfBits("kappa", "how fast bits remove it"),
                     Coefficient("phi", "error of too little quantized training", {.1, 10}),
                     OfBits("chi", "how fast bits remove it"),
                     Power("psi", "how fast size removes it"),
                     Power("omega", "how fast quantized tokens remove it"),
                     Coefficient("lambda", "error of both phases together", {.1, 10}),
                     OfBits("mu", "how fast bits remove it"),
                     Power("nu", "how fast size removes it"),
                     Power("xi", "how fast full-precision tokens remove it"),
                     Power("rho", "how fast quantized tokens remove it")};
  for (size_t p = 5; p < spec.parameters.size(); ++p) spec.parameters[p].only_with = kBits;
  return spec;
}

}  // namespace qatlas_laws
