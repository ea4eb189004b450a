// What quantizing a part of a model after training costs: Cao et al. 2024 (arXiv 2410.06722).
#ifndef QATLAS_PLUGINS_LAWS_MIXED_PTQ_MIXED_PTQ_H_
#define QATLAS_PLUGINS_LAWS_MIXED_PTQ_MIXED_PTQ_H_

#include "qatlas/component.h"
#include "qatlas/law_formula.h"

namespace qatlas_laws {

// delta = C e^(A Q_r) N^-gammaN (Q_b + d)^gammaC, Q_r the share of the parameters that is quantized
// and Q_b the elements of a block.
class MixedPtq : public qatlas::LawFormula<MixedPtq, 3, 5> {
 public:
  static constexpr qatlas::ComponentInfo kInfo = {
      "mixed-ptq", "delta = C * e^(A*quantized_ratio) / N^gammaN * (G + d)^gammaC, after training",
      "Cao et al. 2024, arXiv 2410.06722"};
  static qatlas::LawSpec MakeSpec();

  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [N, ratio, G] = covariates;
    const auto [C, A, gammaN, d, gammaC] = parameters;
    return C * Exp(A * ratio.value - gammaN * N.log + gammaC * Log(G.value + d));
  }
};

}  // namespace qatlas_laws

#endif  // QATLAS_PLUGINS_LAWS_MIXED_PTQ_MIXED_PTQ_H_
