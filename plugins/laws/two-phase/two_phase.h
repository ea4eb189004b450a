// Full-precision training followed by quantization-aware training: Dremov et al. 2025 (arXiv
// 2509.22935).
#ifndef QATLAS_PLUGINS_LAWS_TWO_PHASE_TWO_PHASE_H_
#define QATLAS_PLUGINS_LAWS_TWO_PHASE_TWO_PHASE_H_

#include "qatlas/component.h"
#include "qatlas/law_formula.h"

namespace qatlas_laws {

// loss = alpha + beta/D^gamma + zeta/N^eta                              full precision
//      + theta 2^(-kappa B)                                            what no training removes
//      + phi 2^(-chi B) / (N^psi S_qat^omega)                           too little quantized
//      training
//      + lambda 2^(-mu B) / (N^nu S_fp^xi S_qat^rho)                    both phases together
// B bits of the weights, S_x = D_x/(N B/8) tokens of a phase for each byte of weights, D_qat = f D
// and D_fp = (1 - f) D. Both phases must have tokens. Rows without bits are of full precision: the
// first line alone.
class TwoPhase : public qatlas::LawFormula<TwoPhase, 4, 16> {
 public:
  static constexpr qatlas::ComponentInfo kInfo = {
      "two-phase",
      "loss = alpha + beta/D^gamma + zeta/N^eta + theta*2^(-kappa*B) + "
      "phi*2^(-chi*B)/(N^psi*S_qat^omega) + lambda*2^(-mu*B)/(N^nu*S_fp^xi*S_qat^rho)",
      "Dremov et al. 2025, arXiv 2509.22935"};
  static qatlas::LawSpec MakeSpec();

  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [N, D, fraction, bits] = covariates;
    const auto [alpha, beta, gamma, zeta, eta, theta, kappa, phi, chi, psi, omega, lambda, mu, nu,
                xi, rho] = parameters;
    using qatlas::vector_math::kLn2;
    const double nats = bits.value * kLn2;
    // ln S of a phase; bits/8 = bytes.
    const double log_s = D.log - N.log - bits.log + 3 * kLn2;
    const double log_qat = log_s + fraction.log;
    const double log_fp = log_s + qatlas::vector_math::Log(1.0 - fraction.value);
    return alpha + beta * Pow(D, -gamma) + zeta * Pow(N, -eta) + theta * Exp(kappa * -nats) +
           phi * Exp(chi * -nats - psi * N.log - omega * log_qat) +
           lambda * Exp(mu * -nats - nu * N.log - xi * log_fp - rho * log_qat);
  }
};

}  // namespace qatlas_laws

#endif  // QATLAS_PLUGINS_LAWS_TWO_PHASE_TWO_PHASE_H_
