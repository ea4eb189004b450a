// Loss of the full-precision model after Kaplan et al. 2020 (arXiv 2001.08361).
#ifndef QATLAS_PLUGINS_LAWS_KAPLAN_KAPLAN_H_
#define QATLAS_PLUGINS_LAWS_KAPLAN_KAPLAN_H_

#include "qatlas/component.h"
#include "qatlas/law_formula.h"

namespace qatlas_laws {

// loss = [(N_c/N)^(alpha_N/alpha_D) + D_c/D]^alpha_D. No floor: the loss goes to 0.
class Kaplan : public qatlas::LawFormula<Kaplan, 2, 4> {
 public:
  static constexpr qatlas::ComponentInfo kInfo = {"kaplan",
                                                  "loss = ((Nc/N)^(alphaN/alphaD) + Dc/D)^alphaD",
                                                  "Kaplan et al. 2020, arXiv 2001.08361, eq. 1.5"};
  static qatlas::LawSpec MakeSpec();

  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [N, D] = covariates;
    const auto [Nc, alphaN, Dc, alphaD] = parameters;
    // In logarithms, the larger term taken out: the powers themselves leave the range of doubles.
    const auto size = alphaN / alphaD * (Log(Nc) - N.log);
    const auto data = Log(Dc) - D.log;
    const double larger =
        qatlas::vector_math::Select(size.value > data.value, size.value, data.value);
    return Exp(alphaD * (Log(Exp(size - larger) + Exp(data - larger)) + larger));
  }
};

}  // namespace qatlas_laws

#endif  // QATLAS_PLUGINS_LAWS_KAPLAN_KAPLAN_H_
