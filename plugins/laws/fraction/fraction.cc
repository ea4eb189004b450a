#include "fraction.h"

#include "qatlas/law_parts.h"

namespace qatlas_laws {

qatlas::LawSpec OptimalFraction::MakeSpec() {
  qatlas::LawSpec spec;
  spec.target = qatlas::kTargetOptimalFraction;
  spec.formula = "exp(-a / ln(D / (N * weight_bits / 8)))";
  spec.covariates = {qatlas::law_parts::Size(),
                     qatlas::law_parts::Data("all training tokens"),
                     {"weight_bits", "bits of the weights", "bits", 1}};
  spec.parameters = {
      qatlas::law_parts::Positive("a", "how much data a share for quantized training takes", "", 0,
                                  qatlas::kNoBound, {.5, 2, 6, 20})};
  spec.presets = {{"dremov-2025",
                   "Dremov et al. 2025, arXiv 2509.22935",
                   {{"a", 6.7297}},
                   false,
                   "Taken from a summary; mean absolute error .091 there."}};
  return spec;
}

qatlas::LawSpec FixedFraction::MakeSpec() {
  qatlas::LawSpec spec;
  spec.target = qatlas::kTargetOptimalFraction;
  spec.formula = "share";
  spec.covariates = {qatlas::law_parts::Data("all training tokens; it does not matter")};
  qatlas::LawParameter share = qatlas::law_parts::Exponent(
      "share", "share of the tokens trained quantized", 0, 1, {.05, .1, .3});
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
