#include "representation.h"

#include "qatlas/law_parts.h"

namespace qatlas_laws {
namespace {

using qatlas::LawCovariate;
using qatlas::law_parts::Coefficient;
using qatlas::law_parts::Exponent;
using qatlas::law_parts::Exponentials;
using qatlas::law_parts::Positive;

LawCovariate Error(const char* name, const char* meaning) {
  LawCovariate gmse = {name, meaning, "", 0};
  gmse.maximum = .9999;  // at 1 nothing of the tensor is left, and rho is 0
  gmse.missing = 0;
  return gmse;
}

}  // namespace

qatlas::LawSpec Representation::MakeSpec() {
  qatlas::LawSpec spec;
  spec.target = qatlas::kTargetLoss;
  spec.formula =
      "A/(N*rho)^alpha + B/D^beta + E, rho = L*tanh(F*log_{1/4} weight_gmse)^C * "
      "L*tanh(F*log_{1/4} input_gmse)^C";
  spec.covariates = {
      qatlas::law_parts::Size(), qatlas::law_parts::Data(),
      Error("weight_gmse",
            "mean squared error of the weights' representation on unit Gaussians; "
            "missing: not compressed"),
      Error("input_gmse", "the same of the linears' inputs; missing: not compressed")};
  spec.parameters = {
      Coefficient("A", "how much a small model loses", Exponentials({5, 10, 15})),
      Exponent("alpha", "exponent of size", .01, 3, {.2, .5, 1}),
      Coefficient("B", "how much little data loses", Exponentials({5, 10, 15})),
      Exponent("beta", "exponent of data", 0, 3, {.2, .5, 1}),
      Coefficient("E", "loss that neither size nor data removes", {.4, 1, 2.5}),
      Positive("L", "capacity of a compressed tensor without error", "", .05, 2, {.9}),
      Positive("F", "how fast a finer representation gains capacity", "", .05, 10, {.2, .7}),
      Positive("C", "how steeply capacity falls where the error is large", "", .05, 4, {.5, 1.5})};
  return spec;
}

}  // namespace qatlas_laws
