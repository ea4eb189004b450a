#include "floating_point.h"

#include <cmath>
#include <utility>
#include <vector>

namespace qatlas_laws {
namespace {

using qatlas::LawCovariate;
using qatlas::LawParameter;

constexpr char kBits[] = "exponent_bits";

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
LawParameter Exponent(const char* name, const char* meaning, double upper,
                      std::vector<double> starts) {
  LawParameter parameter;
  parameter.name = name;
  parameter.meaning = meaning;
  parameter.lower = 0;
  parameter.upper = upper;
  parameter.starts = std::move(starts);
  return parameter;
}
LawParameter OfBits(LawParameter parameter) {
  parameter.only_with = kBits;
  return parameter;
}

}  // namespace

absl::StatusOr<std::unique_ptr<qatlas::LawForm>> FloatingPoint::Create(const qatlas::Options&) {
  return std::make_unique<FloatingPoint>();
}

qatlas::LawSpec FloatingPoint::MakeSpec() {
  qatlas::LawSpec spec;
  spec.target = qatlas::kTargetLoss;
  spec.formula =
      "n/N^alpha + d/D^beta + epsilon + "
      "D^beta/N^alpha * log2 G / (gamma * (exponent_bits+1/2)^delta * (mantissa_bits+1/2)^nu)";
  LawCovariate group = {"G", "elements that share a scale; per channel: features of the reduction",
                        "elements", 1};
  group.only_with = kBits;  // without bits G is 1, and log2 G = 0 leaves no error
  LawCovariate exponent = {kBits, "exponent bits of the format; missing: full precision", "bits",
                           0};
  exponent.missing = qatlas::kUnquantizedBits;
  LawCovariate mantissa = {"mantissa_bits", "mantissa bits of the format", "bits", 0};
  mantissa.only_with = kBits;
  spec.covariates = {{"N", "parameters of the model", "parameters", 1},
                     {"D", "training tokens", "tokens", 1},
                     group,
                     exponent,
                     mantissa};
  LawParameter gamma = OfBits(Factor("gamma", "how well a format does", {10, 1e3, 1e5}));
  gamma.unit = "";
  gamma.linear = false;
  spec.parameters = {
      Factor("n", "how much a small model loses", {std::exp(3.), std::exp(7.), std::exp(12.)}),
      Exponent("alpha", "exponent of size, in the error too", 3, {.2, .5, 1}),
      Factor("d", "how much little data loses", {std::exp(5.), std::exp(10.), std::exp(15.)}),
      Exponent("beta", "exponent of data, in the error too", 3, {.2, .5, 1}),
      Factor("epsilon", "loss that neither size nor data removes", {.4, 1, 2.5}),
      gamma,
      OfBits(Exponent("delta", "how fast exponent bits remove the error", 12, {1, 3})),
      OfBits(Exponent("nu", "how fast mantissa bits remove the error", 12, {1, 3}))};
  spec.presets = {{"sun-2025",
                   "Sun et al. 2025, arXiv 2501.02423",
                   {{"n", 69.2343},
                    {"alpha", .2368},
                    {"d", 68973.0621},
                    {"beta", .5162},
                    {"epsilon", 1.9061},
                    {"gamma", 11334.5197},
                    {"delta", 3.1926},
                    {"nu", 2.9543}},
                   false,
                   "A scale for each channel counts as log2 G = 13.1567. Not marked as read in the "
                   "paper."}};
  return spec;
}

}  // namespace qatlas_laws
