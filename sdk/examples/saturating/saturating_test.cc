// Every conformance check that applies, and values worked out by hand.
#include <vector>

#include "qatlas/conformance/gtest.h"
#include "qatlas/conformance/load.h"
#include "qatlas/law.h"

QATLAS_CONFORMANCE_PLUGIN(Saturating, qatlas::LawForm, QATLAS_PLUGIN_FILE);

namespace {

TEST(SaturatingValues, ReachHalfOfTheLimitAtHTokensPerParameter) {
  const auto law = qatlas::conformance::Load<qatlas::LawForm>(QATLAS_PLUGIN_FILE, "saturating");
  ASSERT_TRUE(law.ok()) << law.status();
  const double n = 1e6, h = 20;
  const qatlas::LawPoints points({{n, n, n}, {h * n, 3 * h * n, 1e9 * n}, {16, 16, 16}});
  const std::vector<double> theta = {.5, 2, 0, h};  // limit .5 · log2(16)² = 8
  std::vector<double> values(3);
  (*law)->Evaluate(points.Batch(), theta.data(), values.data(), nullptr, 0);
  EXPECT_NEAR(values[0], 4, 1e-12);
  EXPECT_NEAR(values[1], 6, 1e-12);
  EXPECT_NEAR(values[2], 8, 1e-6);
}

}  // namespace
