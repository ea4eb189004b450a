// The least law that says something: loss = a + b D/1e9.
#include "qatlas/component.h"
#include "qatlas/law_formula.h"

namespace {

class StraightLine : public qatlas::LawFormula<StraightLine, 1, 2> {
 public:
  static constexpr qatlas::ComponentInfo kInfo = {"straight-line", "loss = a + b D/1e9", ""};

  static qatlas::LawSpec MakeSpec() {
    qatlas::LawSpec spec;
    spec.target = qatlas::kTargetLoss;
    spec.formula = "a + b D/1e9";
    spec.covariates = {{"D", "training tokens", "tokens", 1.0}};
    spec.parameters = {{.name = "a", .meaning = "loss without data", .unit = "nats", .starts = {0, 5}, .linear = true},
                       {.name = "b", .meaning = "slope", .unit = "nats", .starts = {0, 1}, .linear = true}};
    return spec;
  }

  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [D] = covariates;
    const auto [a, b] = parameters;
    return a + b * (D.value * 1e-9);
  }
};

}  // namespace

QATLAS_PLUGIN("straight-line", "1.0.0", qatlas::Component<StraightLine>())
