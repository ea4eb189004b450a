// Every conformance check that applies, and the values that the formula had when this was written.
#include <cmath>
#include <vector>

#include "qatlas/conformance/gtest.h"
#include "qatlas/conformance/load.h"
#include "qatlas/law.h"

QATLAS_CONFORMANCE_PLUGIN(@type@, qatlas::LawForm, QATLAS_PLUGIN_FILE);

namespace {

TEST(@type@Values, AreTheFormulas) {
  const auto law = qatlas::conformance::Load<qatlas::LawForm>(QATLAS_PLUGIN_FILE, "@plugin@");
  ASSERT_TRUE(law.ok()) << law.status();
  const qatlas::LawPoints points({@sample_columns@});
  const std::vector<double> theta = @sample_theta@;
  const std::vector<double> expected = @sample_values@;
  std::vector<double> values(expected.size());
  (*law)->Evaluate(points.Batch(), theta.data(), values.data(), nullptr, 0);
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(values[i], expected[i], 1e-12 * std::abs(expected[i])) << "point " << i;
  }
}

}  // namespace
