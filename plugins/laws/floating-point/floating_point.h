// Training in floating-point formats of few bits: Sun et al. 2025 (arXiv 2501.02423).
#ifndef QATLAS_PLUGINS_LAWS_FLOATING_POINT_FLOATING_POINT_H_
#define QATLAS_PLUGINS_LAWS_FLOATING_POINT_FLOATING_POINT_H_

#include "qatlas/component.h"
#include "qatlas/law_formula.h"

namespace qatlas_laws {

// loss = n/N^alpha + d/D^beta + epsilon + D^beta/N^alpha log2(G)/(gamma (E+1/2)^delta (M+1/2)^nu)
// for E exponent and M mantissa bits and G elements that share a scale. The error grows with data:
// beyond a critical D more tokens make the model worse. Rows without exponent bits are of full
// precision and have no error.
class FloatingPoint : public qatlas::LawFormula<FloatingPoint, 5, 8> {
 public:
  static constexpr qatlas::ComponentInfo kInfo = {
      "floating-point",
      "loss = n/N^alpha + d/D^beta + epsilon + "
      "D^beta/N^alpha * log2 G / (gamma * (E+1/2)^delta * (M+1/2)^nu)",
      "Sun et al. 2025, arXiv 2501.02423"};
  static qatlas::LawSpec MakeSpec();

  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [N, D, G, exponent, mantissa] = covariates;
    const auto [n, alpha, d, beta, epsilon, gamma, delta, nu] = parameters;
    const double log_exponent = qatlas::vector_math::Log(exponent.value + .5);
    const double log_mantissa = qatlas::vector_math::Log(mantissa.value + .5);
    const auto error =
        Exp(beta * D.log - alpha * N.log - delta * log_exponent - nu * log_mantissa - Log(gamma));
    return n * Pow(N, -alpha) + d * Pow(D, -beta) + epsilon +
           error * (G.log * qatlas::vector_math::kInverseLn2);
  }
};

}  // namespace qatlas_laws

#endif  // QATLAS_PLUGINS_LAWS_FLOATING_POINT_FLOATING_POINT_H_
