// Loss of the full-precision model after Hoffmann et al. 2022 (arXiv 2203.15556), and the form with
// one exponent for both terms that Chen et al. 2025 (arXiv 2505.14302) use.
#ifndef QATLAS_PLUGINS_LAWS_CHINCHILLA_CHINCHILLA_H_
#define QATLAS_PLUGINS_LAWS_CHINCHILLA_CHINCHILLA_H_

#include "qatlas/component.h"
#include "qatlas/law_formula.h"

namespace qatlas_laws {

// L = E + A/N^alpha + B/D^beta.
class Chinchilla : public qatlas::LawFormula<Chinchilla, 2, 5> {
 public:
  static constexpr qatlas::ComponentInfo kInfo = {"chinchilla", "loss = E + A/N^alpha + B/D^beta",
                                                  "Hoffmann et al. 2022, arXiv 2203.15556, eq. 10"};
  static qatlas::LawSpec MakeSpec();

  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [N, D] = covariates;
    const auto [E, A, alpha, B, beta] = parameters;
    return E + A * Pow(N, -alpha) + B * Pow(D, -beta);
  }
};

// L = E + A/N^alpha + B/D^alpha.
class ChinchillaTied : public qatlas::LawFormula<ChinchillaTied, 2, 4> {
 public:
  static constexpr qatlas::ComponentInfo kInfo = {
      "chinchilla-tied", "loss = E + A/N^alpha + B/D^alpha: one exponent for size and data",
      "Chen et al. 2025, arXiv 2505.14302"};
  static qatlas::LawSpec MakeSpec();

  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [N, D] = covariates;
    const auto [E, A, alpha, B] = parameters;
    return E + A * Pow(N, -alpha) + B * Pow(D, -alpha);
  }
};

}  // namespace qatlas_laws

#endif  // QATLAS_PLUGINS_LAWS_CHINCHILLA_CHINCHILLA_H_
