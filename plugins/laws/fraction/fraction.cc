#include "fraction.h"

namespace qatlas_laws {

absl::StatusOr<std::unique_ptr<qatlas::LawForm>> OptimalFraction::Create(const qatlas::Options&) {
  return std::make_unique<OptimalFraction>();
}

qatlas::LawSpec OptimalFraction::MakeSpec() {
  qatlas::LawSpec spec;
  spec.target = qatlas::kTargetOptimalFraction;
  spec.formula = "exp(-a / ln(D / (N * weight_bits / 8)))";
  spec.covariates = {{"N", "parameters of the model", "parameters", 1},
                     {"D", "all training tokens", "tokens", 1},
                     {"weight_bits", "bits of the weights", "bits", 1}};
  qatlas::LawParameter a;
  a.name = "a";
  a.meaning = "how much data a share for quantized training takes";
  a.lower = 0;
  a.starts = {.5, 2, 6, 20};
  a.log = true;
  spec.parameters = {a};
  spec.presets = {{"dremov-2025",
                   "Dremov et al. 2025, arXiv 2509.22935",
                   {{"a", 6.7297}},
                   false,
                   "Taken from a summary; mean absolute error .091 there."}};
  return spec;
}

absl::StatusOr<std::unique_ptr<qatlas::LawForm>> FixedFraction::Create(const qatlas::Options&) {
  return std::make_unique<FixedFraction>();
}

qatlas::LawSpec FixedFraction::MakeSpec() {
  qatlas::LawSpec spec;
  spec.target = qatlas::kTargetOptimalFraction;
  spec.formula = "share";
  spec.covariates = {{"D", "all training tokens; it does not matter", "tokens", 1}};
  qatlas::LawParameter share;
  share.name = "share";
  share.meaning = "share of the tokens trained quantized";
  share.lower = 0;
  share.upper = 1;
  share.starts = {.05, .1, .3};
  share.linear = true;
  spec.parameters = {share};
  spec.presets = {{"ten-percent",
                   "earlier practice, as Dremov et al. 2025, arXiv 2509.22935, describe it",
                   {{"share", .1}},
                   true,
                   "A convention, not a fit."}};
  return spec;
}

}  // namespace qatlas_laws
