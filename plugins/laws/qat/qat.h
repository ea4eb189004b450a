// The error of quantization-aware training, δ = loss of the quantized run minus its pair's, after
// Chen et al. 2025 (arXiv 2505.14302): the unified law and the two simpler forms of their ablation.
#ifndef QATLAS_PLUGINS_LAWS_QAT_QAT_H_
#define QATLAS_PLUGINS_LAWS_QAT_QAT_H_

#include <memory>

#include "absl/status/statusor.h"
#include "qatlas/component.h"
#include "qatlas/law_formula.h"
#include "qatlas/options.h"

namespace qatlas_laws {

// delta = k D^gammaD (log2 G)^gammaG / N^gammaN. G = 1 has no error: log2 G is 0, and so is the
// derivative by gammaG there.
class QatUnified : public qatlas::LawFormula<QatUnified, 3, 4> {
 public:
  static constexpr qatlas::ComponentInfo kInfo = {
      "qat-unified", "delta = k * D^gammaD * (log2 G)^gammaG / N^gammaN",
      "Chen et al. 2025, arXiv 2505.14302, eq. 4 and table 1"};
  static qatlas::LawSpec MakeSpec();

  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [N, D, G] = covariates;
    const auto [k, gammaN, gammaD, gammaG] = parameters;
    return k * Pow(N, -gammaN) * Pow(D, gammaD) * Pow(Log2(G), gammaG);
  }
};

// delta = k (log2 G)^gammaG / N^gammaN: data left out.
class QatNoData : public qatlas::LawFormula<QatNoData, 2, 3> {
 public:
  static constexpr qatlas::ComponentInfo kInfo = {
      "qat-no-data", "delta = k * (log2 G)^gammaG / N^gammaN: the unified law without data",
      "Chen et al. 2025, arXiv 2505.14302, ablation"};
  static qatlas::LawSpec MakeSpec();

  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [N, G] = covariates;
    const auto [k, gammaN, gammaG] = parameters;
    return k * Pow(N, -gammaN) * Pow(Log2(G), gammaG);
  }
};

// delta = k / N^gammaN with a curve of its own for every (D, G).
class QatSizeOnly : public qatlas::LawFormula<QatSizeOnly, 1, 2> {
 public:
  static constexpr qatlas_option kOptions[] = {
      qatlas::BoolOption("shared-exponent", "false",
                         "One gammaN for all curves instead of one for each (D, G)."),
  };
  static constexpr qatlas::ComponentInfo kInfo = {
      "qat-size-only",
      "delta = k / N^gammaN, one curve for each D and G",
      "Chen et al. 2025, arXiv 2505.14302, ablation",
      1,
      nullptr,
      kOptions,
      1};
  static absl::StatusOr<std::unique_ptr<qatlas::LawForm>> Create(const qatlas::Options& options);
  static qatlas::LawSpec MakeSpec(bool shared_exponent = false);
  explicit QatSizeOnly(bool shared_exponent = false);

  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [N] = covariates;
    const auto [k, gammaN] = parameters;
    return k * Pow(N, -gammaN);
  }
};

}  // namespace qatlas_laws

#endif  // QATLAS_PLUGINS_LAWS_QAT_QAT_H_
