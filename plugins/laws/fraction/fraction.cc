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
                   "Taken from a summary; mean absolute error .091 there.",
                   {{{{"N", 86e6}, {"D", 2.3e9}, {"weight_bits", 4}}, .1843, 5e-5}}}};
  // At 8 bits a parameter is a byte: S = D/N.
  for (const auto& [tokens_per_byte, share] :
       {std::pair{10.0, .0538}, {100.0, .2319}, {1e3, .3775}, {1e4, .4816}, {1e5, .5574}}) {
    spec.presets[0].figures.push_back(
        {{{"N", 1e6}, {"D", tokens_per_byte * 1e6}, {"weight_bits", 8}}, share, 5e-5});
  }
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
                   "A convention, not a fit.",
                   {{{{"D", 1e9}}, .1, 1e-15}}}};
  return spec;
}

}  // namespace qatlas_laws
