// Training and quantizing in low precision: Kumar et al. 2024 (arXiv 2411.04330).
#ifndef QATLAS_PLUGINS_LAWS_PRECISION_PRECISION_H_
#define QATLAS_PLUGINS_LAWS_PRECISION_PRECISION_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "qatlas/component.h"
#include "qatlas/law_formula.h"
#include "qatlas/options.h"

namespace qatlas_laws {

// loss = A/N_eff^alpha + B/D^beta + E, N_eff = N Π (1 - e^(-P/gamma)) over the bits P of weights,
// inputs and key-value cache in training. An operand without bits is not quantized: its factor
// is 1.
class Precision : public qatlas::LawFormula<Precision, 5, 8> {
 public:
  static constexpr qatlas::ComponentInfo kInfo = {
      "precision", "loss = A/N_eff^alpha + B/D^beta + E, N_eff = N * prod(1 - e^(-bits/gamma))",
      "Kumar et al. 2024, arXiv 2411.04330"};
  static qatlas::LawSpec MakeSpec();

  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [N, D, weights, inputs, kv] = covariates;
    const auto [A, alpha, B, beta, E, gamma_w, gamma_i, gamma_kv] = parameters;
    const auto share =
        Log(Kept(weights, gamma_w)) + Log(Kept(inputs, gamma_i)) + Log(Kept(kv, gamma_kv));
    return A * Exp(-alpha * (share + N.log)) + B * Pow(D, -beta) + E;
  }

 private:
  // The share of the parameters that counts.
  template <typename G>
  static QATLAS_INLINE auto Kept(const qatlas::formula::Covariate& bits, const G& gamma) {
    return 1.0 - Exp(-bits.value / gamma);
  }
};

// delta = C D^gammaD / N^gammaN e^(-P/gamma_post): what quantizing the weights to P bits after
// training costs.
class PrecisionPtq : public qatlas::LawFormula<PrecisionPtq, 3, 4> {
 public:
  static constexpr qatlas_option kOptions[] = {
      qatlas::StringOption("bits", "weight_bits", "Column of the bits after training."),
  };
  static constexpr qatlas::ComponentInfo kInfo = {
      "precision-ptq",
      "delta = C * D^gammaD / N^gammaN * e^(-bits/gamma_post), after training",
      "Kumar et al. 2024, arXiv 2411.04330",
      1,
      nullptr,
      kOptions,
      1};
  static absl::StatusOr<std::unique_ptr<qatlas::LawForm>> Create(const qatlas::Options& options);
  static qatlas::LawSpec MakeSpec(const std::string& bits = "weight_bits");
  explicit PrecisionPtq(const std::string& bits = "weight_bits") : LawFormula(MakeSpec(bits)) {}

  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [N, D, bits] = covariates;
    const auto [C, gammaN, gammaD, gamma_post] = parameters;
    return C * Pow(D, gammaD) * Pow(N, -gammaN) * Exp(-bits.value / gamma_post);
  }
};

}  // namespace qatlas_laws

#endif  // QATLAS_PLUGINS_LAWS_PRECISION_PRECISION_H_
