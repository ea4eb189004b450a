#include "representation.h"

#include <cmath>
#include <utility>
#include <vector>

namespace qatlas_laws {
namespace {

using qatlas::LawCovariate;
using qatlas::LawParameter;

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
LawParameter Exponent(const char* name, const char* meaning, double lower) {
  LawParameter parameter;
  parameter.name = name;
  parameter.meaning = meaning;
  parameter.lower = lower;
  parameter.upper = 3;
  parameter.starts = {.2, .5, 1};
  return parameter;
}
LawParameter Shape(const char* name, const char* meaning, double lower, double upper,
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
LawCovariate Error(const char* name, const char* meaning) {
  LawCovariate gmse = {name, meaning, "", 0};
  gmse.maximum = .9999;  // at 1 nothing of the tensor is left, and rho is 0
  gmse.missing = 0;
  return gmse;
}

}  // namespace

absl::StatusOr<std::unique_ptr<qatlas::LawForm>> Representation::Create(const qatlas::Options&) {
  return std::make_unique<Representation>();
}

qatlas::LawSpec Representation::MakeSpec() {
  qatlas::LawSpec spec;
  spec.target = qatlas::kTargetLoss;
  spec.formula =
      "A/(N*rho)^alpha + B/D^beta + E, rho = L*tanh(F*log_{1/4} weight_gmse)^C * "
      "L*tanh(F*log_{1/4} input_gmse)^C";
  spec.covariates = {
      {"N", "parameters of the model", "parameters", 1},
      {"D", "training tokens", "tokens", 1},
      Error("weight_gmse",
            "mean squared error of the weights' representation on unit Gaussians; "
            "missing: not compressed"),
      Error("input_gmse", "the same of the linears' inputs; missing: not compressed")};
  spec.parameters = {
      Factor("A", "how much a small model loses", {std::exp(5.), std::exp(10.), std::exp(15.)}),
      Exponent("alpha", "exponent of size", .01),
      Factor("B", "how much little data loses", {std::exp(5.), std::exp(10.), std::exp(15.)}),
      Exponent("beta", "exponent of data", 0),
      Factor("E", "loss that neither size nor data removes", {.4, 1, 2.5}),
      Shape("L", "capacity of a compressed tensor without error", .05, 2, {.9}),
      Shape("F", "how fast a finer representation gains capacity", .05, 10, {.2, .7}),
      Shape("C", "how steeply capacity falls where the error is large", .05, 4, {.5, 1.5})};
  return spec;
}

}  // namespace qatlas_laws
