// @plugin@: @target@ = @formula@
#include <cmath>

#include "qatlas/component.h"
#include "qatlas/law_formula.h"
#include "qatlas/law_parts.h"

namespace {

class @type@ : public qatlas::LawFormula<@type@, @covariate_count@, @parameter_count@> {
 public:
  static constexpr qatlas::ComponentInfo kInfo = {"@plugin@", @summary_text@, /*citation=*/""};

  // Written once: values and derivatives follow from it.
  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [@covariates@] = covariates;
    const auto [@parameters@] = parameters;
    return @expression@;
  }

  // Say what covariates and parameters mean: reports show it. Bounds and start values were guessed
  // from the formula's structure, or are what was said of them. Rows that lack WeightBits() or
  // InputBits() do not quantize that operand; OnlyWith() such bits a parameter matters.
  static qatlas::LawSpec MakeSpec() {
    using namespace qatlas::law_parts;
    qatlas::LawSpec spec;
    spec.target = @target_text@;
    spec.formula = @formula_text@;
    spec.covariates = {
        @covariate_specs@};
    spec.parameters = {
        @parameter_specs@};
    return spec;
  }
};

}  // namespace

QATLAS_PLUGIN("@plugin@", "1.0.0", qatlas::Component<@type@>())
