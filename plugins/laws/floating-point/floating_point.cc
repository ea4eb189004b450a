#include "floating_point.h"

#include "qatlas/law_parts.h"

namespace qatlas_laws {
namespace {

using qatlas::LawCovariate;
using qatlas::law_parts::Coefficient;
using qatlas::law_parts::Exponent;
using qatlas::law_parts::Exponentials;
using qatlas::law_parts::OnlyWith;
using qatlas::law_parts::Positive;

constexpr char kBits[] = "exponent_bits";

}  // namespace

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
  spec.covariates = {qatlas::law_parts::Size(), qatlas::law_parts::Data(), group, exponent,
                     mantissa};
  spec.parameters = {
      Coefficient("n", "how much a small model loses", Exponentials({3, 7, 12})),
      Exponent("alpha", "exponent of size, in the error too", 0, 3, {.2, .5, 1}),
      Coefficient("d", "how much little data loses", Exponentials({5, 10, 15})),
      Exponent("beta", "exponent of data, in the error too", 0, 3, {.2, .5, 1}),
      Coefficient("epsilon", "loss that neither size nor data removes", {.4, 1, 2.5}),
      OnlyWith(kBits, Positive("gamma", "how well a format does", "", 0, qatlas::kNoBound,
                               {10, 1e3, 1e5})),
      OnlyWith(kBits, Exponent("delta", "how fast exponent bits remove the error", 0, 12, {1, 3})),
      OnlyWith(kBits, Exponent("nu", "how fast mantissa bits remove the error", 0, 12, {1, 3}))};
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
