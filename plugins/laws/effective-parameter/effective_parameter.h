// A quantized model as a smaller one in full precision: L = E + A/(N·eff)^alpha + B/D^beta, after
// Frantar et al. 2025 (arXiv 2502.16440) and Kumar et al. 2024 (arXiv 2411.04330).
#ifndef QATLAS_PLUGINS_LAWS_EFFECTIVE_PARAMETER_EFFECTIVE_PARAMETER_H_
#define QATLAS_PLUGINS_LAWS_EFFECTIVE_PARAMETER_EFFECTIVE_PARAMETER_H_

#include "qatlas/component.h"
#include "qatlas/law_formula.h"

namespace qatlas_laws {

// loss = E + A/(N eff)^alpha + B/D^beta with one eff for each precision; full precision has eff =
// 1, so one fit takes quantized and full-precision runs together.
class EffectiveParameter : public qatlas::LawFormula<EffectiveParameter, 2, 6> {
 public:
  static constexpr qatlas::ComponentInfo kInfo = {
      "effective-parameter",
      "loss = E + A/(N*eff)^alpha + B/D^beta, eff constant for each precision",
      "Frantar et al. 2025, arXiv 2502.16440; Kumar et al. 2024, arXiv 2411.04330"};
  static qatlas::LawSpec MakeSpec();

  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [N, D] = covariates;
    const auto [E, A, alpha, B, beta, eff] = parameters;
    return E + A * Pow(N, -alpha) * Pow(eff, -alpha) + B * Pow(D, -beta);
  }
};

// The same as δ: L(N·eff) − L(N) = A N^-alpha (eff^-alpha − 1). Data and E cancel: under this law
// the cost of quantization does not depend on D. A and eff cannot be told apart from δ alone; hold
// A and alpha at the values of a full-precision law.
class EffectiveParameterDelta : public qatlas::LawFormula<EffectiveParameterDelta, 1, 3> {
 public:
  static constexpr qatlas::ComponentInfo kInfo = {
      "effective-parameter-delta",
      "delta = A/N^alpha * (eff^-alpha - 1): the effective-parameter law as a difference",
      "derived from Frantar et al. 2025, arXiv 2502.16440"};
  static qatlas::LawSpec MakeSpec();

  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [N] = covariates;
    const auto [A, alpha, eff] = parameters;
    return A * Pow(N, -alpha) * (Pow(eff, -alpha) - 1.0);
  }
};

}  // namespace qatlas_laws

#endif  // QATLAS_PLUGINS_LAWS_EFFECTIVE_PARAMETER_EFFECTIVE_PARAMETER_H_
