// A compressed model as a smaller one whose size follows from the error of its representation:
// Panferov et al. 2025 (arXiv 2506.01863).
#ifndef QATLAS_PLUGINS_LAWS_REPRESENTATION_REPRESENTATION_H_
#define QATLAS_PLUGINS_LAWS_REPRESENTATION_REPRESENTATION_H_

#include "qatlas/component.h"
#include "qatlas/law_formula.h"

namespace qatlas_laws {

// loss = A/(N rho)^alpha + B/D^beta + E, rho = Π L tanh(F log_{1/4} GMSE)^C over weights and
// inputs. GMSE is the mean squared error of the representation on Gaussian numbers of unit
// variance; a tensor without one is not compressed, and its factor is 1.
class Representation : public qatlas::LawFormula<Representation, 4, 8> {
 public:
  static constexpr qatlas::ComponentInfo kInfo = {
      "representation",
      "loss = A/(N*rho)^alpha + B/D^beta + E, rho = prod(L * tanh(F * log_{1/4} GMSE)^C)",
      "Panferov et al. 2025, arXiv 2506.01863"};
  static qatlas::LawSpec MakeSpec();

  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [N, D, weights, inputs] = covariates;
    const auto [A, alpha, B, beta, E, L, F, C] = parameters;
    const auto rho = LogCapacity(weights, L, F, C) + LogCapacity(inputs, L, F, C);
    return A * Exp(-alpha * (rho + N.log)) + B * Pow(D, -beta) + E;
  }

 private:
  // ln(L tanh(F b)^C), b = log_{1/4} GMSE; 0 where GMSE is.
  template <typename TL, typename TF, typename TC>
  static QATLAS_INLINE auto LogCapacity(const qatlas::formula::Covariate& gmse, const TL& L,
                                        const TF& F, const TC& C) {
    using qatlas::vector_math::kInverseLn2;
    const double there = qatlas::vector_math::Select(gmse.value == 0.0, 0.0, 1.0);
    const double bits = gmse.log * (-.5 * kInverseLn2) * there;
    // Where there is no error, any place keeps the logarithm finite.
    const auto decay = Exp(F * (-2.0 * qatlas::vector_math::Select(there == 0.0, 1.0, bits)));
    return (Log(L) + C * (Log(1.0 - decay) - Log(1.0 + decay))) * there;
  }
};

}  // namespace qatlas_laws

#endif  // QATLAS_PLUGINS_LAWS_REPRESENTATION_REPRESENTATION_H_
