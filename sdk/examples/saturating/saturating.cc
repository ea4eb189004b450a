// saturating: δ of quantization-aware training that grows with data only so far.
//
// The unified law of Chen et al. 2025 (arXiv 2505.14302) has δ grow as a power of the training
// tokens D for ever. But the error of rounding is bounded by the grid's step, however long training
// lasts, so the growth must end. Here it is a share r / (r + h) of its limit, r = D/N the tokens
// per parameter, h the ratio at which half of the limit is reached:
//     δ = k · (log2 G)^g / N^a · r / (r + h)
// For r far below h this is a power of D with the exponent 1, and for r far above h `qat-no-data`.
#include "qatlas/component.h"
#include "qatlas/law_formula.h"
#include "qatlas/law_parts.h"

namespace {

class Saturating : public qatlas::LawFormula<Saturating, 3, 4> {
 public:
  static constexpr qatlas::ComponentInfo kInfo = {
      "saturating", "delta = k (log2 G)^g / N^a * r/(r + h), r = D/N", /*citation=*/""};

  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [N, D, G] = covariates;
    const auto [k, g, a, h] = parameters;
    const double r = D.value / N.value;
    return k * Pow(Log2(G), g) * Pow(N, -a) * (r / (r + h));
  }

  static qatlas::LawSpec MakeSpec() {
    using namespace qatlas::law_parts;
    qatlas::LawSpec spec;
    spec.target = qatlas::kTargetDelta;
    spec.formula = "k * (log2 G)^g / N^a * r/(r + h), r = D/N";
    spec.covariates = {
        Size(), Data(), {"G", "elements that share a scale", "elements", /*minimum=*/2}};
    spec.parameters = {
        Coefficient("k", "limit of delta at one parameter and G = 2", {.1, 1, 10, 100}),
        Exponent("g", "how the limit grows with the group", 0, 4, {.3, 1}),
        Exponent("a", "how the limit falls with size", 0, 2, {.1, .3}),
        Positive("h", "tokens per parameter at half of the limit", "tokens/parameter", 0,
                 qatlas::kNoBound, {1, 20, 400}),
    };
    return spec;
  }
};

}  // namespace

QATLAS_PLUGIN("saturating", "1.0.0", qatlas::Component<Saturating>())
