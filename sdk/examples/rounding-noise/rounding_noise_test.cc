// Every conformance check that applies, and values worked out by hand.
#include <utility>
#include <vector>

#include "qatlas/conformance/gtest.h"
#include "qatlas/conformance/load.h"
#include "qatlas/law.h"

QATLAS_CONFORMANCE_PLUGIN(RoundingNoise, qatlas::LawForm, QATLAS_PLUGIN_FILE);

namespace {

using qatlas::kUnquantizedBits;

// The law at points given as columns N, D, G, weight_bits, input_bits, for parameters w, x, c, d,
// a, g.
std::vector<double> Values(std::vector<std::vector<double>> columns, std::vector<double> theta) {
  const auto law = qatlas::conformance::Load<qatlas::LawForm>(QATLAS_PLUGIN_FILE, "rounding-noise");
  EXPECT_TRUE(law.ok()) << law.status();
  std::vector<double> values(columns[0].size());
  if (!law.ok()) return values;
  const qatlas::LawPoints points(std::move(columns));
  (*law)->Evaluate(points.Batch(), theta.data(), values.data(), nullptr, 0);
  return values;
}

TEST(RoundingNoiseValues, AreThoseWorkedOutByHand) {
  // D^d = 1024^.5 = 32, N^a = 4096^.25 = 8, log2 G = 4; noises 3 · 4^-2 and 5 · 4^-1.
  const std::vector<double> values =
      Values({{4096}, {1024}, {16}, {2}, {1}}, {3, 5, 2, .5, .25, 1});
  EXPECT_NEAR(values[0], 32. / 8 * 4 * (3. / 16 + 5. / 4), 1e-12);
}

TEST(RoundingNoiseValues, AddOverOperandsAndAreZeroInFullPrecision) {
  const double none = kUnquantizedBits;
  const std::vector<double> values = Values({{1e8, 1e8, 1e8, 1e8},
                                             {1e10, 1e10, 1e10, 1e10},
                                             {32, 32, 32, 32},
                                             {4, none, 4, none},
                                             {none, 4, 4, none}},
                                            {.4, .7, 1.8, .2, .3, .9});
  EXPECT_GT(values[0], 0);
  EXPECT_GT(values[1], values[0]);
  EXPECT_NEAR(values[0] + values[1], values[2], 1e-12 * values[2]);
  EXPECT_EQ(values[3], 0);
}

TEST(RoundingNoiseValues, FallFourfoldWithEachBitWhereTheStepHalves) {
  const double none = kUnquantizedBits;
  const std::vector<double> values =
      Values({{1e8, 1e8, 1e8}, {1e10, 1e10, 1e10}, {32, 32, 32}, {3, 4, 5}, {none, none, none}},
             {.4, .7, 2, .2, .3, .9});
  EXPECT_NEAR(values[0] / values[1], 4, 1e-12);
  EXPECT_NEAR(values[1] / values[2], 4, 1e-12);
}

TEST(RoundingNoiseSpec, NeedsNoBitsOfWhatIsNotQuantized) {
  const auto law = qatlas::conformance::Load<qatlas::LawForm>(QATLAS_PLUGIN_FILE, "rounding-noise");
  ASSERT_TRUE(law.ok()) << law.status();
  const qatlas::LawSpec& spec = (*law)->Spec();
  EXPECT_EQ(spec.parameters[static_cast<size_t>(spec.ParameterIndex("w"))].only_with,
            "weight_bits");
  EXPECT_EQ(spec.parameters[static_cast<size_t>(spec.ParameterIndex("x"))].only_with, "input_bits");
  EXPECT_EQ(spec.covariates[static_cast<size_t>(spec.CovariateIndex("input_bits"))].missing,
            kUnquantizedBits);
}

}  // namespace
