// Figures that follow from the published constants of forms for quantized models, and what their
// papers derive from them.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/plugins/laws/laws.h"

namespace qatlas::testing {
namespace {

constexpr double kNone = kUnquantizedBits;

TEST(Quartet, MatchesItsFormula) {
  const auto form = Law("quartet");
  const auto theta = Preset(*form, "mxfp4-quest");
  const double n = 3e8, d = 3e10;
  const double plain =
      std::pow(1.52e5 / std::pow(n * .64, .589) + 5.25e5 / std::pow(d * .83, .544), .274) + 1.35;
  EXPECT_NEAR(ValueAt(*form, theta, {n, d}), plain, 1e-12);
  EXPECT_TRUE(form->Spec().FindPreset("mxfp4-quest")->verified);
}

TEST(Quartet, QuantizedRunIsOneOfFewerParametersAndTokens) {
  const auto form = Law("quartet");
  const auto full = Preset(*form, "full-precision");
  for (const auto& [preset, size, data] :
       {std::tuple{"mxfp4-sr-absmax", .42, .88}, std::tuple{"mxfp4-rtn-absmax", .59, .93}}) {
    EXPECT_NEAR(ValueAt(*form, Preset(*form, preset), {1e9, 1e11}),
                ValueAt(*form, full, {size * 1e9, data * 1e11}), 1e-12);
  }
}

TEST(Quartet, IsChinchillaWhereGammaIsOne) {
  const auto chinchilla = Law("chinchilla");
  EXPECT_NEAR(ValueAt(*Law("quartet"), {482, .35, 2085, .37, 1.8, 1, 1, 1}, {1e9, 2e10}),
              ValueAt(*chinchilla, {1.8, 482, .35, 2085, .37}, {1e9, 2e10}), 1e-12);
}

TEST(Precision, MatchesItsFormula) {
  const auto form = Law("precision");
  const auto theta = Preset(*form, "kumar-2024");
  const double n = 2e8, d = 1e10;
  const auto share = [](double bits, double gamma) { return 1 - std::exp(-bits / gamma); };
  const double effective = n * share(4, 2.6745) * share(6, 2.2102) * share(3, .9578);
  const double plain =
      4.299e3 * std::pow(effective, -.4965) + 1.806e4 * std::pow(d, -.4965) + 2.7648;
  EXPECT_NEAR(ValueAt(*form, theta, {n, d, 4, 6, 3}), plain, 1e-12);
  EXPECT_FALSE(form->Spec().FindPreset("kumar-2024")->verified);
}

TEST(Precision, OperandWithoutBitsCountsInFull) {
  const auto form = Law("precision");
  const auto theta = Preset(*form, "kumar-2024");
  const auto chinchilla = Law("chinchilla");
  EXPECT_DOUBLE_EQ(ValueAt(*form, theta, {2e8, 1e10, kNone, kNone, kNone}),
                   ValueAt(*chinchilla, {2.7648, 4.299e3, .4965, 1.806e4, .4965}, {2e8, 1e10}));
  // 16 bits of weights that are given count as .9975 of N.
  EXPECT_DOUBLE_EQ(
      ValueAt(*form, theta, {2e8, 1e10, 16, kNone, kNone}),
      ValueAt(*form, theta, {2e8 * (1 - std::exp(-16 / 2.6745)), 1e10, kNone, kNone, kNone}));
}

TEST(Precision, ErrorAfterTrainingMatchesItsFormula) {
  const auto form = Law("precision-ptq");
  const auto theta = Preset(*form, "kumar-2024");
  const double plain = .0598 * std::pow(1e11, .5068) / std::pow(1e9, .3439) * std::exp(-4 / .5907);
  EXPECT_NEAR(ValueAt(*form, theta, {1e9, 1e11, 4}) / plain, 1, 1e-12);
  EXPECT_EQ(ValueAt(*form, theta, {1e9, 1e11, kNone}), 0);
  OptionTable options;
  options.values["bits"] = std::string("ptq_bits");
  const auto other = Law("precision-ptq", options);
  EXPECT_EQ(other->Spec().covariates[2].name, "ptq_bits");
  EXPECT_EQ(other->Spec().parameters[3].only_with, "ptq_bits");
}

double SunLoss(double n, double d, double group, double exponent, double mantissa) {
  const auto form = Law("floating-point");
  return ValueAt(*form, Preset(*form, "sun-2025"), {n, d, group, exponent, mantissa});
}

TEST(FloatingPoint, MatchesItsFormula) {
  const double n = 1e9, d = 5e10;
  const double plain = 69.2343 / std::pow(n, .2368) + 68973.0621 / std::pow(d, .5162) + 1.9061 +
                       std::pow(d, .5162) / std::pow(n, .2368) * 7 /
                           (11334.5197 * std::pow(2.5, 3.1926) * std::pow(1.5, 2.9543));
  EXPECT_NEAR(SunLoss(n, d, 128, 2, 1), plain, 1e-12);
  // Without bits the row is of full precision.
  EXPECT_EQ(SunLoss(n, d, 1, kNone, 0),
            ValueAt(*Law("chinchilla"), {1.9061, 69.2343, .2368, 68973.0621, .5162}, {n, d}));
}

TEST(FloatingPoint, LossIsLeastAtTheCriticalDataSize) {
  for (double n : {1e9, 7e10}) {
    for (double group : {32.0, std::exp2(13.1567)}) {
      const double critical =
          std::pow(68973.0621 * 11334.5197 * std::pow(n, .2368) * std::pow(2.5, 3.1926) *
                       std::pow(1.5, 2.9543) / std::log2(group),
                   1 / (2 * .5162));
      const double least = SunLoss(n, critical, group, 2, 1);
      EXPECT_LT(least, SunLoss(n, critical * 1.01, group, 2, 1));
      EXPECT_LT(least, SunLoss(n, critical / 1.01, group, 2, 1));
      // Both terms of data are equal there, so the slope vanishes.
      const double slope = (SunLoss(n, critical * 1.0001, group, 2, 1) -
                            SunLoss(n, critical / 1.0001, group, 2, 1)) /
                           2e-4;
      EXPECT_NEAR(slope, 0, 1e-9);
    }
  }
}

TEST(Representation, MatchesItsFormulaAndMultiplies) {
  const auto form = Law("representation");
  const double A = 300, alpha = .33, B = 900, beta = .36, E = 1.7, L = .97, F = .6, C = 1.3;
  const std::vector<double> theta = {A, alpha, B, beta, E, L, F, C};
  const double n = 1e9, d = 2e10;
  const auto rho = [&](double gmse) {
    return L * std::pow(std::tanh(F * std::log(gmse) / std::log(.25)), C);
  };
  const auto loss = [&](double share) {
    return A / std::pow(n * share, alpha) + B / std::pow(d, beta) + E;
  };
  EXPECT_NEAR(ValueAt(*form, theta, {n, d, .01, 0}), loss(rho(.01)), 1e-12);
  EXPECT_NEAR(ValueAt(*form, theta, {n, d, 0, .05}), loss(rho(.05)), 1e-12);
  EXPECT_NEAR(ValueAt(*form, theta, {n, d, .01, .05}), loss(rho(.01) * rho(.05)), 1e-12);
  EXPECT_NEAR(ValueAt(*form, theta, {n, d, 0, 0}), loss(1), 1e-12);
  EXPECT_TRUE(form->Spec().presets.empty());
}

TEST(Representation, PublishedCapacitiesNearlyMultiply) {
  const auto form = Law("effective-parameter");
  const auto eff = [&](const char* preset) {
    return form->Spec().FindPreset(preset)->Value("eff");
  };
  EXPECT_NEAR(eff("panferov-w4a16") * eff("panferov-w16a4"), .82, .005);
  EXPECT_NEAR(eff("panferov-w4a4"), .85, 1e-12);
}

TEST(MixedPtq, MatchesItsFormula) {
  const auto form = Law("mixed-ptq");
  const double plain = .7 * std::exp(2.5 * .6) * std::pow(3e8, -.4) * std::pow(64 + 12.0, .3);
  EXPECT_NEAR(ValueAt(*form, {.7, 2.5, .4, 12, .3}, {3e8, .6, 64}), plain, 1e-15);
  EXPECT_TRUE(form->Spec().presets.empty());
}

// Constants of our own making, in the range that the paper's figures show.
struct TwoPhaseTruth {
  double alpha = 1.8, beta = 900, gamma = .35, zeta = 300, eta = .34, theta = .4, kappa = 1.1,
         phi = 40, chi = .6, psi = .2, omega = .35, lambda = 15, mu = .5, nu = .15, xi = .5,
         rho = .12;
  std::vector<double> Values() const {
    return {alpha, beta, gamma, zeta,   eta, theta, kappa, phi,
            chi,   psi,  omega, lambda, mu,  nu,    xi,    rho};
  }
};

TEST(TwoPhase, MatchesItsFormula) {
  const auto form = Law("two-phase");
  const TwoPhaseTruth t;
  const double n = 2e8, d = 1e10, f = .3, bits = 4;
  const double qat = f * d / (n * bits / 8), full = (1 - f) * d / (n * bits / 8);
  const double bracket = t.alpha + t.beta / std::pow(d, t.gamma) + t.zeta / std::pow(n, t.eta);
  const double plain =
      bracket + t.theta * std::exp2(-t.kappa * bits) +
      t.phi * std::exp2(-t.chi * bits) / (std::pow(n, t.psi) * std::pow(qat, t.omega)) +
      t.lambda * std::exp2(-t.mu * bits) /
          (std::pow(n, t.nu) * std::pow(full, t.xi) * std::pow(qat, t.rho));
  EXPECT_NEAR(ValueAt(*form, t.Values(), {n, d, f, bits}), plain, 1e-12);
  EXPECT_EQ(form->Spec().parameters.size(), 16u);
  EXPECT_DOUBLE_EQ(ValueAt(*form, t.Values(), {n, d, 1e-6, kNone}),
                   ValueAt(*Law("chinchilla"), {t.alpha, t.zeta, t.eta, t.beta, t.gamma}, {n, d}));
}

TEST(TwoPhase, BestFractionMeetsItsRelation) {
  const auto form = Law("two-phase");
  const TwoPhaseTruth t;
  for (double n : {1e8, 1e9}) {
    for (double ratio : {20.0, 200.0}) {
      for (double bits : {2.0, 4.0}) {
        const double d = ratio * n;
        const double s = d / (n * bits / 8);
        const auto loss = [&](double f) { return ValueAt(*form, t.Values(), {n, d, f, bits}); };
        // Golden section: the loss rises without limit towards both ends.
        double low = 1e-4, high = 1 - 1e-4;
        const double golden = (std::sqrt(5.0) - 1) / 2;
        for (int i = 0; i < 80; ++i) {
          const double a = high - golden * (high - low), b = low + golden * (high - low);
          (loss(a) < loss(b) ? high : low) = loss(a) < loss(b) ? b : a;
        }
        const double f = (low + high) / 2;
        ASSERT_GT(f, .01);
        ASSERT_LT(f, .99);
        const double p = t.phi * std::exp2(-t.chi * bits) * std::pow(n, -t.psi);
        const double q = t.lambda * std::exp2(-t.mu * bits) * std::pow(n, -t.nu);
        const double left = t.xi * f - t.rho * (1 - f);
        const double right = t.omega * (p / q) * std::pow(s, t.xi + t.rho - t.omega) *
                             std::pow(f, t.rho - t.omega) * std::pow(1 - f, t.xi + 1);
        EXPECT_NEAR(left, right, 1e-5) << n << " " << ratio << " " << bits;
        EXPECT_GT(f, t.rho / (t.xi + t.rho));
      }
    }
  }
}

}  // namespace
}  // namespace qatlas::testing
