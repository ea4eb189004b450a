#include "framework/forms/compose.h"

#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "qatlas/law_formula.h"

namespace qatlas::forms {
namespace {

class FloorForm : public LawFormula<FloorForm, 2, 2> {
 public:
  static LawSpec MakeSpec() {
    LawSpec spec;
    spec.target = kTargetLoss;
    spec.formula = "E + 1/N^a";
    spec.covariates = {{"N", "", "", 1}, {"D", "", "", 1}};
    LawParameter e, a;
    e.name = "E";
    a.name = "a";
    e.starts = a.starts = {1};
    e.linear = true;
    spec.parameters = {e, a};
    return spec;
  }
  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [N, D] = covariates;
    const auto [E, a] = parameters;
    return E + Pow(N, -a) + 0.0 * Log(D);
  }
};

class ErrorForm : public LawFormula<ErrorForm, 2, 2> {
 public:
  static LawSpec MakeSpec() {
    LawSpec spec = FloorForm::MakeSpec();
    spec.target = kTargetDelta;
    spec.formula = "k/N^a";
    spec.covariates = {{"G", "", "", 1}, {"N", "", "", 1}};
    spec.parameters[0].name = "k";
    return spec;
  }
  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [G, N] = covariates;
    const auto [k, a] = parameters;
    return k * Pow(N, -a) * Log2(G);
  }
};

TEST(Compose, AddsValuesAndStacksJacobians) {
  const auto base = std::make_shared<FloorForm>();
  const auto error = std::make_shared<ErrorForm>();
  const auto sum = Compose(base, error);
  ASSERT_TRUE(sum.ok()) << sum.status();
  const LawSpec& spec = (*sum)->Spec();
  ASSERT_EQ(spec.covariates.size(), 3u);
  EXPECT_EQ(spec.covariates[2].name, "G");
  ASSERT_EQ(spec.parameters.size(), 4u);
  EXPECT_EQ(spec.parameters[2].name, "k");
  EXPECT_EQ(spec.parameters[3].name, "delta.a");

  const std::vector<double> n = {1e3, 1e4, 1e5}, d = {1e6, 1e6, 1e7}, g = {2, 32, 1};
  const LawPoints all({n, d, g}), of_base({n, d}), of_error({g, n});
  const std::vector<double> theta = {1.5, .3, .7, .2};
  std::vector<double> values(3), jacobian(12), expected(3), added(3), expected_jacobian(12);
  (*sum)->Evaluate(all.Batch(), theta.data(), values.data(), jacobian.data(), 3);
  base->Evaluate(of_base.Batch(), theta.data(), expected.data(), expected_jacobian.data(), 3);
  error->Evaluate(of_error.Batch(), theta.data() + 2, added.data(), expected_jacobian.data() + 6,
                  3);
  for (int i = 0; i < 3; ++i) EXPECT_DOUBLE_EQ(values[i], expected[i] + added[i]);
  EXPECT_EQ(jacobian, expected_jacobian);
}

TEST(Compose, RefusesOtherTargets) {
  const auto base = std::make_shared<FloorForm>();
  const auto error = std::make_shared<ErrorForm>();
  EXPECT_FALSE(Compose(error, base).ok());
  EXPECT_FALSE(Compose(base, base).ok());
}

}  // namespace
}  // namespace qatlas::forms
