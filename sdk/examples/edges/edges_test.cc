// Every conformance check that applies, and what the rules give to a site.
#include "qatlas/conformance/gtest.h"
#include "qatlas/conformance/load.h"
#include "qatlas/scheme.h"

QATLAS_CONFORMANCE_PLUGIN(Edges, qatlas::Scheme, QATLAS_PLUGIN_FILE);

namespace {

// What the last rule that matches gives: bits, or 0 for "none".
int64_t BitsAt(const qatlas::OptionTable& options, int block) {
  const auto scheme =
      qatlas::conformance::Load<qatlas::Scheme>(QATLAS_PLUGIN_FILE, "edges", options);
  EXPECT_TRUE(scheme.ok()) << scheme.status();
  int64_t bits = -1;
  const auto rules = (*scheme)->Rules();
  for (const qatlas::SchemeRule& rule : *rules) {
    const auto pattern = qatlas::SitePattern::Parse(rule.sites);
    EXPECT_TRUE(pattern.ok()) << pattern.status();
    if (!pattern->Matches({block, "fc1", "weight"})) continue;
    bits = rule.quantizer == "none" ? 0 : std::get<int64_t>(rule.options.values.at("bits"));
  }
  return bits;
}

TEST(EdgesRules, TheFirstAndTheLastBlockHaveTheirOwnBits) {
  const qatlas::OptionTable options = {{{"layers", int64_t{4}}, {"bits", int64_t{3}}}};
  EXPECT_EQ(BitsAt(options, 0), 8);
  EXPECT_EQ(BitsAt(options, 1), 3);
  EXPECT_EQ(BitsAt(options, 2), 3);
  EXPECT_EQ(BitsAt(options, 3), 8);
}

TEST(EdgesRules, TheEdgesMayStayInFullPrecision) {
  const qatlas::OptionTable options = {{{"layers", int64_t{3}}, {"edge_bits", int64_t{0}}}};
  EXPECT_EQ(BitsAt(options, 0), 0);
  EXPECT_EQ(BitsAt(options, 1), 4);
  EXPECT_EQ(BitsAt({{{"layers", int64_t{1}}}}, 0), 8);
}

}  // namespace
