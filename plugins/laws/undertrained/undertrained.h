// What post-training quantization costs a model that saw much data: Ouyang et al. 2024 (arXiv
// 2411.17691).
#ifndef QATLAS_PLUGINS_LAWS_UNDERTRAINED_UNDERTRAINED_H_
#define QATLAS_PLUGINS_LAWS_UNDERTRAINED_UNDERTRAINED_H_

#include "qatlas/component.h"
#include "qatlas/law_formula.h"

namespace qatlas_laws {

// delta = k D^beta / (N^alpha P^gamma), P the bits of the weights.
class Undertrained : public qatlas::LawFormula<Undertrained, 3, 4> {
 public:
  static constexpr qatlas::ComponentInfo kInfo = {
      "undertrained", "delta = k * D^beta / (N^alpha * bits^gamma), after training",
      "Ouyang et al. 2024, arXiv 2411.17691"};
  static qatlas::LawSpec MakeSpec();

  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [N, D, bits] = covariates;
    const auto [k, alpha, beta, gamma] = parameters;
    return k * Pow(N, -alpha) * Pow(D, beta) * Pow(bits, -gamma);
  }
};

}  // namespace qatlas_laws

#endif  // QATLAS_PLUGINS_LAWS_UNDERTRAINED_UNDERTRAINED_H_
