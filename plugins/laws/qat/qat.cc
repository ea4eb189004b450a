#include "qat.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "qatlas/law_parts.h"

namespace qatlas_laws {
namespace {

using qatlas::LawCovariate;
using qatlas::LawParameter;
using qatlas::LawPreset;
using qatlas::LawSpec;
using qatlas::law_parts::Data;

LawCovariate Size() { return qatlas::law_parts::Size("parameters of the blocks' linears"); }
// The paper gives no number for per-token and per-channel quantization; there G is the features of
// the reduction.
LawCovariate Group() {
  return {"G", "elements that share a scale; per token or channel: features of the reduction",
          "elements", 1};
}

LawParameter Factor() {
  return qatlas::law_parts::Coefficient("k", "size of the error", {1e-3, 1e-2, .1, 1, 10, 100});
}
LawParameter Power(const char* name, const char* meaning) {
  return qatlas::law_parts::Exponent(name, meaning, -1, 3, {0, .2, .4, .8});
}
LawParameter SizeExponent() { return Power("gammaN", "how fast size removes the error"); }
LawParameter DataExponent() { return Power("gammaD", "how fast data add to the error"); }
LawParameter GroupExponent() {
  LawParameter gamma = Power("gammaG", "how the error grows with log2 of the group size");
  // Below 0 the error would be infinite at G = 1, where there is none.
  gamma.lower = 0;
  gamma.starts = {.2, .6, 1, 1.5};
  return gamma;
}

LawPreset Table1(const char* name, double k, double gammaN, double gammaD, double gammaG,
                 const char* note) {
  return {name,
          "Chen et al. 2025, arXiv 2505.14302, table 1",
          {{"k", k}, {"gammaN", gammaN}, {"gammaD", gammaD}, {"gammaG", gammaG}},
          true,
          note};
}

// How the error changes from the paper's smallest model to its largest, and from its least data to
// its most, as it says for the three precisions.
LawPreset WithChanges(LawPreset preset, double by_size, double by_data) {
  preset.figures.push_back({{{"N", 594.54e6}, {"D", 50e9}, {"G", 64}},
                            1 + by_size,
                            5e-4,
                            {{"N", 74.32e6}, {"D", 50e9}, {"G", 64}}});
  preset.figures.push_back({{{"N", 74.32e6}, {"D", 100e9}, {"G", 64}},
                            1 + by_data,
                            5e-4,
                            {{"N", 74.32e6}, {"D", 10e9}, {"G", 64}}});
  return preset;
}

// Weights and inputs at 4 bits: what the constants give at four group sizes.
LawPreset W4A4() {
  LawPreset preset = WithChanges(
      Table1("w4a4", .1582, .2186, .0745, .7779, "weights and inputs at 4 bits"), -.365, .187);
  for (const auto& [group, delta] :
       {std::pair{32.0, .0441}, {64.0, .0508}, {128.0, .0573}, {256.0, .0636}}) {
    preset.figures.push_back({{{"N", 594.54e6}, {"D", 100e9}, {"G", group}}, delta, 5e-5});
  }
  preset.figures.push_back({{{"N", 594.54e6}, {"D", 100e9}, {"G", 1}}, 0, 1e-300});
  return preset;
}

}  // namespace

LawSpec QatUnified::MakeSpec() {
  LawSpec spec;
  spec.target = qatlas::kTargetDelta;
  spec.formula = "k * D^gammaD * (log2 G)^gammaG / N^gammaN";
  spec.covariates = {Size(), Data(), Group()};
  spec.parameters = {Factor(), SizeExponent(), DataExponent(), GroupExponent()};
  spec.presets = {
      W4A4(),
      WithChanges(Table1("w4a16", .2522, .3589, .1610, .3533, "weights alone at 4 bits"), -.526,
                  .449),
      WithChanges(Table1("w16a4", .1004, .1816, .0331, .9812, "inputs alone at 4 bits"), -.315,
                  .079),
      Table1("w4a4-fc2-8bit", .3519, .2637, .0964, .3407,
             "weights and inputs at 4 bits, the input of FC2 at 8"),
      Table1("w16a4-fc2-8bit", .1273, .2347, .0827, .4491,
             "inputs alone at 4 bits, the input of FC2 at 8"),
  };
  return spec;
}

LawSpec QatNoData::MakeSpec() {
  LawSpec spec;
  spec.target = qatlas::kTargetDelta;
  spec.formula = "k * (log2 G)^gammaG / N^gammaN";
  spec.covariates = {Size(), Group()};
  spec.parameters = {Factor(), SizeExponent(), GroupExponent()};
  return spec;
}

QatSizeOnly::QatSizeOnly(bool shared_exponent) : LawFormula(MakeSpec(shared_exponent)) {}

absl::StatusOr<std::unique_ptr<qatlas::LawForm>> QatSizeOnly::Create(
    const qatlas::Options& options) {
  return std::make_unique<QatSizeOnly>(options.Bool("shared-exponent"));
}

LawSpec QatSizeOnly::MakeSpec(bool shared_exponent) {
  LawSpec spec;
  spec.target = qatlas::kTargetDelta;
  spec.formula = "k / N^gammaN";
  spec.covariates = {Size()};
  spec.parameters = {Factor(), SizeExponent()};
  spec.parameters[0].per = {"D", "G"};
  if (!shared_exponent) spec.parameters[1].per = {"D", "G"};
  return spec;
}

}  // namespace qatlas_laws
