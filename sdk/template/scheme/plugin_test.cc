// Every conformance check that applies, and what the rules give to a site.
#include "qatlas/conformance/gtest.h"
#include "qatlas/conformance/load.h"
#include "qatlas/scheme.h"

QATLAS_CONFORMANCE_PLUGIN(@type@, qatlas::Scheme, QATLAS_PLUGIN_FILE);

namespace {

// Bits at a site under these rules; 0 where no rule matches.
int64_t BitsAt(const std::vector<qatlas::SchemeRule>& rules, const qatlas::Site& site) {
  int64_t bits = 0;
  for (const qatlas::SchemeRule& rule : rules) {
    const auto pattern = qatlas::SitePattern::Parse(rule.sites);
    EXPECT_TRUE(pattern.ok()) << pattern.status();
    if (pattern->Matches(site)) bits = std::get<int64_t>(rule.options.values.at("bits"));
  }
  return bits;
}

TEST(@type@Rules, GiveWeightsAndInputsTheirOwnBits) {
  const auto scheme = qatlas::conformance::Load<qatlas::Scheme>(
      QATLAS_PLUGIN_FILE, "@plugin@", {{{"weight_bits", int64_t{3}}, {"input_bits", int64_t{6}}}});
  ASSERT_TRUE(scheme.ok()) << scheme.status();
  const auto rules = (*scheme)->Rules();
  ASSERT_TRUE(rules.ok()) << rules.status();
  EXPECT_EQ(BitsAt(*rules, {0, "qkv", "weight"}), 3);
  EXPECT_EQ(BitsAt(*rules, {7, "fc2", "input"}), 6);
}

TEST(@type@Rules, RefuseFewerBitsForInputs) {
  const auto scheme = qatlas::conformance::Load<qatlas::Scheme>(
      QATLAS_PLUGIN_FILE, "@plugin@", {{{"weight_bits", int64_t{8}}, {"input_bits", int64_t{4}}}});
  EXPECT_EQ(scheme.status().message(), "input_bits = 4 is less than weight_bits = 8");
}

}  // namespace
