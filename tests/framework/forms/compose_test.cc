#include "framework/forms/compose.h"

#include <cmath>
#include <limits>
#include <memory>
#include <string>
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
    spec.covariates[0].maximum = 1e12;
    spec.presets = {{"one", "paper", {{"E", 1}, {"a", .3}}, true, ""}};
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
    spec.covariates = {{"G", "", "", 1}, {"N", "", "", 10}};
    spec.parameters[0].name = "k";
    spec.presets = {{"other", "book", {{"k", 1}, {"a", .2}}, false, ""}};
    return spec;
  }
  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [G, N] = covariates;
    const auto [k, a] = parameters;
    return k * Pow(N, -a) * Log2(G);
  }
};

TEST(Compose, UnitesCovariatesParametersAndNames) {
  const auto sum = Compose(std::make_shared<FloorForm>(), std::make_shared<ErrorForm>());
  ASSERT_TRUE(sum.ok()) << sum.status();
  const LawSpec& spec = (*sum)->Spec();
  EXPECT_EQ(spec.target, kTargetLoss);
  std::vector<std::string> names;
  for (const LawCovariate& covariate : spec.covariates) names.push_back(covariate.name);
  EXPECT_EQ(names, (std::vector<std::string>{"N", "D", kQuantized, "G"}));
  EXPECT_EQ(spec.covariates[0].minimum, 10);  // the narrower of both
  EXPECT_EQ(spec.covariates[0].maximum, 1e12);
  EXPECT_EQ(spec.covariates[0].only_with, "");
  EXPECT_EQ(spec.covariates[3].only_with, kQuantized);
  names.clear();
  for (const LawParameter& parameter : spec.parameters) names.push_back(parameter.name);
  EXPECT_EQ(names, (std::vector<std::string>{"E", "a", "k", "delta_a"}));
  EXPECT_EQ(spec.parameters[1].only_with, "");
  EXPECT_EQ(spec.parameters[3].only_with, kQuantized);
  EXPECT_TRUE(spec.parameters[2].linear);
}

TEST(Compose, PairsPresets) {
  const auto sum = Compose(std::make_shared<FloorForm>(), std::make_shared<ErrorForm>());
  const LawPreset* preset = (*sum)->Spec().FindPreset("one+other");
  ASSERT_NE(preset, nullptr);
  EXPECT_EQ(preset->Value("a"), .3);
  EXPECT_EQ(preset->Value("delta_a"), .2);
  EXPECT_EQ(preset->citation, "paper; book");
  EXPECT_FALSE(preset->verified);
}

// More points than are evaluated at a time, every third of full precision.
TEST(Compose, AddsDeltaToQuantizedPointsAlone) {
  const auto base = std::make_shared<FloorForm>();
  const auto error = std::make_shared<ErrorForm>();
  const auto sum = Compose(base, error);
  const int64_t size = 1500;
  std::vector<double> n, d, g, quantized;
  for (int64_t i = 0; i < size; ++i) {
    n.push_back(1e3 + 7.0 * static_cast<double>(i));
    d.push_back(1e6 + static_cast<double>(i));
    g.push_back(static_cast<double>(2 + i % 60));
    quantized.push_back(i % 3 == 0 ? 0 : 1);
  }
  const LawPoints all({n, d, quantized, g}), of_base({n, d}), of_error({g, n});
  const std::vector<double> theta = {1.5, .3, .7, .2};
  const int64_t stride = size + 5;
  std::vector<double> values(size), jacobian(4 * stride), whole(4 * stride);
  std::vector<double> expected(size), added(size);
  (*sum)->Evaluate(all.Batch(), theta.data(), values.data(), jacobian.data(), stride);
  base->Evaluate(of_base.Batch(), theta.data(), expected.data(), whole.data(), stride);
  error->Evaluate(of_error.Batch(), theta.data() + 2, added.data(), whole.data() + 2 * stride,
                  stride);
  for (int64_t i = 0; i < size; ++i) {
    EXPECT_DOUBLE_EQ(values[i], expected[i] + quantized[i] * added[i]);
    for (int64_t p = 0; p < 4; ++p) {
      const double share = p < 2 ? 1 : quantized[i];
      EXPECT_EQ(jacobian[p * stride + i], share * whole[p * stride + i]);
    }
  }
  std::vector<double> plain(size);
  (*sum)->Evaluate(all.Batch(), theta.data(), plain.data(), nullptr, 0);
  EXPECT_EQ(plain, values);
}

// An infinite δ of a row that has none does not show.
TEST(Compose, FullPrecisionIsFiniteWhateverDeltaIs) {
  const auto sum = Compose(std::make_shared<FloorForm>(), std::make_shared<ErrorForm>());
  const LawPoints points({{1e3}, {1e6}, {0}, {4}});
  const std::vector<double> theta = {1.5, .3, std::numeric_limits<double>::infinity(), .2};
  double value = 0;
  std::vector<double> jacobian(4);
  (*sum)->Evaluate(points.Batch(), theta.data(), &value, jacobian.data(), 1);
  EXPECT_TRUE(std::isfinite(value));
  for (double slope : jacobian) EXPECT_TRUE(std::isfinite(slope));
}

TEST(Compose, RefusesOtherTargets) {
  const auto base = std::make_shared<FloorForm>();
  const auto error = std::make_shared<ErrorForm>();
  EXPECT_FALSE(Compose(error, base).ok());
  EXPECT_FALSE(Compose(base, base).ok());
}

}  // namespace
}  // namespace qatlas::forms
