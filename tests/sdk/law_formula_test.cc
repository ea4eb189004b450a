#include "qatlas/law_formula.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace qatlas {
namespace {

// Every operation that formulas may use, over two covariates and four parameters.
class Everything : public LawFormula<Everything, 2, 4> {
 public:
  static LawSpec MakeSpec() {
    LawSpec spec;
    spec.target = kTargetLoss;
    spec.covariates = {{"N", "", "", 0}, {"G", "", "", 0}};
    for (const char* name : {"a", "b", "c", "d"}) {
      LawParameter parameter;
      parameter.name = name;
      parameter.starts = {1};
      spec.parameters.push_back(parameter);
    }
    return spec;
  }
  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [N, G] = covariates;
    const auto [a, b, c, d] = parameters;
    const auto first = (2.0 - a) * Pow(N, -b) / (1.0 + c * c) - 3.0 / (a + 4.0);
    const auto second = Exp(-d / 5.0) * Log(a + 2.0) + Pow(a * 2.0 + d, b) * N;
    return first + second - Pow(Log2(G), c) + Pow(d, 1.5) * Log(N) - (a - 1.0) * 0.5;
  }
  static double Plain(double N, double G, const std::vector<double>& p) {
    const double a = p[0], b = p[1], c = p[2], d = p[3];
    return (2 - a) * std::pow(N, -b) / (1 + c * c) - 3 / (a + 4) +
           std::exp(-d / 5) * std::log(a + 2) + std::pow(a * 2 + d, b) * N -
           std::pow(std::log2(G), c) + std::pow(d, 1.5) * std::log(N) - (a - 1) * .5;
  }
};

struct Result {
  std::vector<double> values, jacobian;
};

Result EvaluateAt(LawIsa isa, const LawPoints& points, const std::vector<double>& theta,
                  bool derivatives) {
  Result result;
  result.values.resize(points.size());
  result.jacobian.resize(derivatives ? 4 * points.size() : 0);
  Everything::EvaluateWith(isa, points.Batch(), theta.data(), result.values.data(),
                           derivatives ? result.jacobian.data() : nullptr, points.size());
  return result;
}

LawPoints SomePoints(int count) {
  std::vector<double> n, g;
  for (int i = 0; i < count; ++i) {
    n.push_back(1 + .37 * i);
    g.push_back(2 + i % 7);
  }
  return LawPoints({n, g});
}

TEST(LawFormula, ValuesAreThoseOfTheFormula) {
  const std::vector<double> theta = {.7, .3, .6, 2.5};
  // Counts that leave every kind of remainder after the vector loop.
  for (int count : {0, 1, 3, 4, 7, 8, 17}) {
    const LawPoints points = SomePoints(count);
    const Result result = EvaluateAt(HostLawIsa(), points, theta, false);
    for (int i = 0; i < count; ++i) {
      const double exact = Everything::Plain(points.columns()[0][i], points.columns()[1][i], theta);
      EXPECT_NEAR(result.values[i], exact, 1e-13 * (1 + std::abs(exact)));
    }
  }
}

TEST(LawFormula, JacobianMatchesDifferences) {
  const LawPoints points = SomePoints(9);
  const std::vector<double> theta = {.7, .3, .6, 2.5};
  const Result result = EvaluateAt(HostLawIsa(), points, theta, true);
  for (int p = 0; p < 4; ++p) {
    for (int i = 0; i < 9; ++i) {
      const double h = 1e-5;
      std::vector<double> up = theta, down = theta;
      up[p] += h;
      down[p] -= h;
      const double x = points.columns()[0][i], g = points.columns()[1][i];
      const double slope = (Everything::Plain(x, g, up) - Everything::Plain(x, g, down)) / (2 * h);
      EXPECT_NEAR(result.jacobian[p * 9 + i], slope, 1e-8 * (1 + std::abs(slope)));
    }
  }
}

TEST(LawFormula, InstructionSetsGiveTheSameBits) {
  const LawPoints points = SomePoints(101);
  const std::vector<double> theta = {.7, .3, .6, 2.5};
  const Result base = EvaluateAt(LawIsa::kBaseline, points, theta, true);
  for (int isa = 1; isa <= static_cast<int>(HostLawIsa()); ++isa) {
    const Result other = EvaluateAt(static_cast<LawIsa>(isa), points, theta, true);
    EXPECT_EQ(base.values, other.values);
    EXPECT_EQ(base.jacobian, other.jacobian);
    EXPECT_EQ(base.values, EvaluateAt(static_cast<LawIsa>(isa), points, theta, false).values);
  }
}

TEST(LawFormula, ZeroToAParameterHasNoDerivative) {
  // G = 1: log2 G is 0, and 0^c is 0 whatever c; 0^0 is 1.
  const LawPoints points({{2.0}, {1.0}});
  const Result result = EvaluateAt(HostLawIsa(), points, {.7, .3, .6, 2.5}, true);
  EXPECT_NEAR(result.values[0], Everything::Plain(2, 1, {.7, .3, .6, 2.5}), 1e-13);
  const double by_c = -(2 - .7) * std::pow(2.0, -.3) * 2 * .6 / std::pow(1 + .36, 2);
  EXPECT_NEAR(result.jacobian[2], by_c, 1e-13);
  const Result corner = EvaluateAt(HostLawIsa(), points, {.7, .3, 0, 2.5}, true);
  EXPECT_TRUE(std::isfinite(corner.values[0]));
  EXPECT_NEAR(corner.values[0], Everything::Plain(2, 1, {.7, .3, 0, 2.5}), 1e-13);
  EXPECT_EQ(corner.jacobian[2], 0);
}

TEST(LawFormula, StrideLeavesThePaddingAlone) {
  const LawPoints points = SomePoints(5);
  const std::vector<double> theta = {.7, .3, .6, 2.5};
  std::vector<double> values(5), jacobian(4 * 8, -7.0);
  Everything().Evaluate(points.Batch(), theta.data(), values.data(), jacobian.data(), 8);
  for (int p = 0; p < 4; ++p) {
    for (int i = 5; i < 8; ++i) EXPECT_EQ(jacobian[p * 8 + i], -7.0);
  }
}

}  // namespace
}  // namespace qatlas
