// Figures that follow from the published constants (arXiv 2505.14302, 2203.15556, 2502.16440).
#include <gtest/gtest.h>

#include <cmath>

#include "tests/plugins/laws/laws.h"

namespace qatlas::testing {
namespace {

constexpr double kN74 = 74.32e6, kN595 = 594.54e6;

double Delta(const std::string& preset, double n, double d, double g) {
  static const auto form = Law("qat-unified");
  return ValueAt(*form, Preset(*form, preset), {n, d, g});
}

TEST(Published, DeltaOfW4A4AtFourGroupSizes) {
  EXPECT_NEAR(Delta("w4a4", kN595, 100e9, 32), .0441, 5e-5);
  EXPECT_NEAR(Delta("w4a4", kN595, 100e9, 64), .0508, 5e-5);
  EXPECT_NEAR(Delta("w4a4", kN595, 100e9, 128), .0573, 5e-5);
  EXPECT_NEAR(Delta("w4a4", kN595, 100e9, 256), .0636, 5e-5);
  EXPECT_EQ(Delta("w4a4", kN595, 100e9, 1), 0);
}

TEST(Published, FullPrecisionLossOfChen) {
  const auto form = Law("chinchilla-tied");
  const auto theta = Preset(*form, "chen-2025");
  EXPECT_NEAR(ValueAt(*form, theta, {kN595, 100e9}), 2.7408, 5e-5);
  EXPECT_NEAR(ValueAt(*form, theta, {kN74, 10e9}), 3.4887, 5e-5);
}

TEST(Published, SizeRemovesAndDataAddError) {
  const auto by_size = [](const char* preset) {
    return 1 - Delta(preset, kN595, 50e9, 64) / Delta(preset, kN74, 50e9, 64);
  };
  EXPECT_NEAR(by_size("w4a4"), .365, 5e-4);
  EXPECT_NEAR(by_size("w4a16"), .526, 5e-4);
  EXPECT_NEAR(by_size("w16a4"), .315, 5e-4);
  const auto by_data = [](const char* preset) {
    return Delta(preset, kN74, 100e9, 64) / Delta(preset, kN74, 10e9, 64) - 1;
  };
  EXPECT_NEAR(by_data("w4a4"), .187, 5e-4);
  EXPECT_NEAR(by_data("w4a16"), .449, 5e-4);
  EXPECT_NEAR(by_data("w16a4"), .079, 5e-4);
}

TEST(Published, PartsAreNearlyAdditive) {
  double low = 10, high = 0, sum = 0;
  int cells = 0;
  for (double n : {74.32e6, 144.70e6, 297.27e6, 594.54e6}) {
    for (double d : {10e9, 20e9, 50e9, 100e9}) {
      for (double g : {32.0, 64.0, 128.0, 256.0}) {
        const double ratio =
            Delta("w4a4", n, d, g) / (Delta("w4a16", n, d, g) + Delta("w16a4", n, d, g));
        low = std::min(low, ratio);
        high = std::max(high, ratio);
        sum += ratio;
        ++cells;
      }
    }
  }
  EXPECT_NEAR(low, .855, 5e-4);
  EXPECT_NEAR(high, .941, 5e-4);
  // The mean depends on how the fifth, per-channel group size is counted; it is left out here.
  EXPECT_NEAR(sum / cells, .914, 2e-3);
}

// The data size at which weights and inputs err alike.
double Crossing(const std::string& inputs, double n, double g) {
  const auto form = Law("qat-unified");
  const auto w = Preset(*form, "w4a16");
  const auto a = Preset(*form, inputs);
  return std::pow(a[0] / w[0] * std::pow(std::log2(g), a[3] - w[3]) * std::pow(n, w[1] - a[1]),
                  1 / (w[2] - a[2]));
}

TEST(Published, WeightsOvertakeInputsAtTheCrossing) {
  struct Case {
    const char* inputs;
    double n, tokens;
  };
  for (const Case& c : {Case{"w16a4", kN74, 1.6e11}, Case{"w16a4-fc2-8bit", kN74, 3.5e9},
                        Case{"w16a4", kN595, 2.9e12}, Case{"w16a4-fc2-8bit", kN595, 9.6e10}}) {
    const double d = Crossing(c.inputs, c.n, 32);
    EXPECT_NEAR(d / c.tokens, 1, .05) << c.inputs;
    EXPECT_NEAR(Delta("w4a16", c.n, d, 32) / Delta(c.inputs, c.n, d, 32), 1, 1e-9);
    EXPECT_LT(Delta("w4a16", c.n, d / 2, 32), Delta(c.inputs, c.n, d / 2, 32));
    EXPECT_GT(Delta("w4a16", c.n, d * 2, 32), Delta(c.inputs, c.n, d * 2, 32));
  }
}

TEST(Published, UnifiedLawAsEffectiveParameters) {
  const auto loss = Law("chinchilla-tied");
  const auto chen = Preset(*loss, "chen-2025");
  const double a = chen[1], alpha = chen[2];
  const double n = 70e9, d = 15e12;
  const auto difference = Law("effective-parameter-delta");
  const auto whole = Law("effective-parameter");
  for (const auto& [g, expected] : {std::pair{32.0, .578}, std::pair{256.0, .466}}) {
    const double delta = Delta("w4a4", n, d, g);
    const double eff = std::pow(a / (a + delta * std::pow(n, alpha)), 1 / alpha);
    EXPECT_NEAR(eff, expected, 5e-4);
    // The difference form gives that δ back, and so do two losses of the whole form.
    EXPECT_NEAR(ValueAt(*difference, {a, alpha, eff}, {n}), delta, 1e-12);
    const auto at = [&](double e) {
      return ValueAt(*whole, {chen[0], a, alpha, chen[3], alpha, e}, {n, d});
    };
    EXPECT_NEAR(at(eff) - at(1), delta, 1e-12);
  }
}

TEST(Published, ExactConstantsRoundToThePrintedOnes) {
  const auto form = Law("chinchilla");
  const auto printed = Preset(*form, "hoffmann-2022");
  const auto exact = Preset(*form, "hoffmann-2022-exact");
  EXPECT_NEAR(exact[0], printed[0], .005);
  EXPECT_NEAR(exact[1], printed[1], .1);
  EXPECT_NEAR(exact[2], printed[2], .005);
  EXPECT_NEAR(exact[3], printed[3], .1);
  EXPECT_NEAR(exact[4], printed[4], .005);
}

TEST(Published, OptimalFractionOfDremov) {
  const auto form = Law("optimal-fraction");
  const auto theta = Preset(*form, "dremov-2025");
  // At 8 bits a parameter is a byte: S = D/N.
  for (const auto& [s, share] :
       {std::pair{10.0, .0538}, std::pair{100.0, .2319}, std::pair{1000.0, .3775},
        std::pair{1e4, .4816}, std::pair{1e5, .5574}}) {
    EXPECT_NEAR(ValueAt(*form, theta, {1e6, s * 1e6, 8}), share, 5e-5);
  }
  EXPECT_NEAR(ValueAt(*form, theta, {86e6, 2.3e9, 4}), .1843, 5e-5);
  EXPECT_EQ(ValueAt(*form, theta, {1e6, 1e5, 8}), 0);
  EXPECT_EQ(ValueAt(*Law("fixed-fraction"), {.1}, {1e9}), .1);
  EXPECT_FALSE(form->Spec().presets[0].verified);
}

TEST(Published, KaplanMatchesItsFormula) {
  const auto form = Law("kaplan");
  const auto theta = Preset(*form, "kaplan-2020");
  const double plain = std::pow(std::pow(6.4e13 / 1e9, .076 / .103) + 1.8e13 / 2e10, .103);
  EXPECT_NEAR(ValueAt(*form, theta, {1e9, 2e10}), plain, 1e-12);
  EXPECT_FALSE(form->Spec().presets[0].verified);
}

TEST(Published, UndertrainedMatchesItsFormula) {
  const auto form = Law("undertrained");
  const auto theta = Preset(*form, "ouyang-2024");
  const double plain =
      .017 * std::pow(1e11, .5251) / (std::pow(1e9, .2261) * std::pow(4.0, 5.4967));
  EXPECT_NEAR(ValueAt(*form, theta, {1e9, 1e11, 4}) / plain, 1, 1e-12);
}

TEST(Published, SecondHandConstantsAreMarked) {
  const auto form = Law("effective-parameter");
  for (const LawPreset& preset : form->Spec().presets) {
    EXPECT_FALSE(preset.verified) << preset.name;
  }
  EXPECT_TRUE(Law("qat-unified")->Spec().FindPreset("w4a4")->verified);
}

TEST(Published, SizeOnlySharesItsExponentWhenAsked) {
  EXPECT_EQ(Law("qat-size-only")->Spec().parameters[1].per.size(), 2);
  OptionTable options;
  options.values["shared-exponent"] = true;
  EXPECT_TRUE(Law("qat-size-only", options)->Spec().parameters[1].per.empty());
}

}  // namespace
}  // namespace qatlas::testing
