// Which share of the tokens to train quantized: Dremov et al. 2025 (arXiv 2509.22935), and the
// constant share that they argue against.
#ifndef QATLAS_PLUGINS_LAWS_FRACTION_FRACTION_H_
#define QATLAS_PLUGINS_LAWS_FRACTION_FRACTION_H_

#include "qatlas/component.h"
#include "qatlas/law_formula.h"

namespace qatlas_laws {

// f* = exp(-a / ln S), S = D / (N bits/8) tokens for each byte of weights. S <= 1 has no optimum
// above 0.
class OptimalFraction : public qatlas::LawFormula<OptimalFraction, 3, 1> {
 public:
  static constexpr qatlas::ComponentInfo kInfo = {
      "optimal-fraction", "optimal_fraction = exp(-a / ln S), S = D/(N*bits/8)",
      "Dremov et al. 2025, arXiv 2509.22935"};
  static qatlas::LawSpec MakeSpec();

  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [N, D, bits] = covariates;
    const auto [a] = parameters;
    // ln S from the logarithms; from S = 1 down the share is 0, which a logarithm of 1e-4 gives as
    // well.
    const double log_bytes = N.log + bits.log - 3 * qatlas::vector_math::kLn2;
    const double log_s = D.log - log_bytes;
    const double positive = qatlas::vector_math::Select(log_s > 1e-4, log_s, 1e-4);
    return Exp(-a / positive);
  }
};

// f* = share, whatever the run.
class FixedFraction : public qatlas::LawFormula<FixedFraction, 1, 1> {
 public:
  static constexpr qatlas::ComponentInfo kInfo = {
      "fixed-fraction", "optimal_fraction = share: the same for every run",
      "earlier practice, as Dremov et al. 2025, arXiv 2509.22935, describe it"};
  static qatlas::LawSpec MakeSpec();

  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X&, const P& parameters) {
    const auto [share] = parameters;
    return share * 1.0;
  }
};

}  // namespace qatlas_laws

#endif  // QATLAS_PLUGINS_LAWS_FRACTION_FRACTION_H_
