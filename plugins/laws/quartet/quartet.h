// Quantized training as a loss of parameters and of data: Castro et al. 2025 (arXiv 2505.14669).
#ifndef QATLAS_PLUGINS_LAWS_QUARTET_QUARTET_H_
#define QATLAS_PLUGINS_LAWS_QUARTET_QUARTET_H_

#include "qatlas/component.h"
#include "qatlas/law_formula.h"

namespace qatlas_laws {

// loss = (A/(N eff_N)^alpha + B/(D eff_D)^beta)^gamma + E. What the forward pass in low precision
// costs counts as parameters, what the backward pass costs as tokens; full precision has both at 1,
// so one fit takes quantized and full-precision runs together.
class Quartet : public qatlas::LawFormula<Quartet, 2, 8> {
 public:
  static constexpr qatlas::ComponentInfo kInfo = {
      "quartet", "loss = (A/(N*eff_N)^alpha + B/(D*eff_D)^beta)^gamma + E",
      "Castro et al. 2025, arXiv 2505.14669"};
  static qatlas::LawSpec MakeSpec();

  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [N, D] = covariates;
    const auto [A, alpha, B, beta, E, gamma, eff_N, eff_D] = parameters;
    // In logarithms, the larger term taken out: the powers themselves leave the range of doubles.
    const auto size = Log(A) - alpha * (Log(eff_N) + N.log);
    const auto data = Log(B) - beta * (Log(eff_D) + D.log);
    const double larger =
        qatlas::vector_math::Select(size.value > data.value, size.value, data.value);
    return Exp(gamma * (Log(Exp(size - larger) + Exp(data - larger)) + larger)) + E;
  }
};

}  // namespace qatlas_laws

#endif  // QATLAS_PLUGINS_LAWS_QUARTET_QUARTET_H_
