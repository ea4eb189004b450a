// rounding-noise: δ of quantization-aware training as the noise that rounding adds.
//
// Rounding to b bits moves a value by up to half a step, and a step is the group's range over 2^b:
// the noise has a variance in proportion to 4^(-b) and to the squared range. Weights and inputs are
// rounded independently, so their variances add. Small noise raises the loss by a half of its
// variance times a curvature, so δ should be a sum of two such variances:
//     δ = D^d / N^a · (log2 G)^g · (w · 2^(-c·weight_bits) + x · 2^(-c·input_bits)).
// By the argument c is 2. The largest of G Gaussian values has a square that grows as ln G, which
// would make g = 1. Both are fitted, so that runs can contradict it: `--fix c=2 --fix g=1` is the
// argument alone. How the curvature changes with size and data no such argument says; powers, as in
// the unified law of Chen et al. 2025 (arXiv 2505.14302). At one precision this law is that one,
// with k = w · 2^(-c·weight_bits) + x · 2^(-c·input_bits). What it adds is that one set of
// parameters speaks for all precisions, and predicts some that nobody has run.
#include "qatlas/component.h"
#include "qatlas/law_formula.h"
#include "qatlas/law_parts.h"

namespace {

class RoundingNoise : public qatlas::LawFormula<RoundingNoise, 5, 6> {
 public:
  static constexpr qatlas::ComponentInfo kInfo = {
      "rounding-noise",
      "delta = D^d / N^a * (log2 G)^g * (w * 2^(-c*weight_bits) + x * 2^(-c*input_bits))",
      /*citation=*/""};

  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [N, D, G, weight_bits, input_bits] = covariates;
    const auto [w, x, c, d, a, g] = parameters;
    // 2^(-c·b) = e^(-c·b·ln 2). An operand that is not quantized has kUnquantizedBits: its noise
    // is 0, and so is its derivative.
    using qatlas::vector_math::kLn2;
    const auto noise =
        w * Exp(-c * (kLn2 * weight_bits.value)) + x * Exp(-c * (kLn2 * input_bits.value));
    return Pow(D, d) * Pow(N, -a) * Pow(Log2(G), g) * noise;
  }

  static qatlas::LawSpec MakeSpec() {
    using namespace qatlas::law_parts;
    qatlas::LawSpec spec;
    spec.target = qatlas::kTargetDelta;
    spec.formula = "D^d / N^a * (log2 G)^g * (w * 2^(-c*weight_bits) + x * 2^(-c*input_bits))";
    spec.covariates = {
        Size("parameters of the blocks' linears"),
        Data(),
        {"G", "elements that share a scale", "elements", /*minimum=*/2},
        {.name = "weight_bits",
         .meaning = "bits of a weight's code",
         .unit = "bits",
         .missing = qatlas::kUnquantizedBits},
        {.name = "input_bits",
         .meaning = "bits of an input's code",
         .unit = "bits",
         .missing = qatlas::kUnquantizedBits},
    };
    // Of runs that quantize weights alone nothing can be learned of inputs: x is then left out.
    spec.parameters = {
        OnlyWith("weight_bits", Coefficient("w",
                                            "noise of weights at 0 bits, one parameter and "
                                            "token, G = 2",
                                            {.01, 1, 100})),
        OnlyWith("input_bits", Coefficient("x", "noise of inputs there", {.01, 1, 100})),
        Exponent("c", "halvings of the noise for each bit; 2 for steps that halve", .25, 4, {1, 2}),
        Exponent("d", "how the noise's cost grows with data", 0, 2, {.03, .3}),
        Exponent("a", "how it falls with size", 0, 2, {.1, .4}),
        Exponent("g", "how it grows with the group; 1 for Gaussian values", 0, 4, {.3, 1}),
    };
    // No presets: the form is new, so nobody published constants. Those of `qat-unified` for single
    // precisions have exponents of their own for weights and for inputs, which this form does not.
    return spec;
  }
};

}  // namespace

QATLAS_PLUGIN("rounding-noise", "1.0.0", qatlas::Component<RoundingNoise>())
