// Choice of the instruction set, and the accuracy of the exponential on each.
#include <qatlas/kernels/isa.h>

#include <cstdlib>

#include "kernels/src/table.h"
#include "tests/kernels/support.h"

namespace qatlas::kernels {
namespace {

TEST(IsaTest, PortableIsAlwaysThere) {
  EXPECT_TRUE(IsaSupported("portable"));
  EXPECT_TRUE(IsaSupported(ActiveIsa()));
  EXPECT_FALSE(IsaSupported("mmx"));
  const std::string before = ActiveIsa();
  EXPECT_FALSE(SetIsaForTesting("mmx"));
  EXPECT_EQ(before, ActiveIsa());
  ASSERT_TRUE(SetIsaForTesting("portable"));
  EXPECT_STREQ(ActiveIsa(), "portable");
  ASSERT_TRUE(SetIsaForTesting(before.c_str()));
}

TEST(IsaDeathTest, EnvironmentNamesTheSet) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        setenv("QATLAS_ISA", "avx3", 1);
        ActiveIsa();
      },
      "QATLAS_ISA=avx3 is not an instruction set");
  EXPECT_EXIT(
      {
        setenv("QATLAS_ISA", "portable", 1);
        std::exit(std::string(ActiveIsa()) == "portable" ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

// The distance in units of the last place of `want` as a float.
double Ulps(float got, double want) {
  const float rounded = static_cast<float>(want);
  const double ulp = std::isinf(rounded)
                         ? 1.0
                         : static_cast<double>(std::nextafter(std::fabs(rounded), kInf)) -
                               std::fabs(static_cast<double>(rounded));
  return std::fabs(static_cast<double>(got) - want) / ulp;
}

TEST(ExpTest, IsWithinTwoUlps) {
  ForEachIsa([] {
    std::vector<float> x;
    for (double at = -103.5; at < 88.7; at += 0.00137) x.push_back(static_cast<float>(at));
    Guarded<float> in(x);
    Guarded<float> out(in.size());
    internal::Active().exp(in.size(), in.data(), out.data());
    double worst = 0.0;
    for (std::int64_t i = 0; i < in.size(); ++i) {
      worst = std::max(worst, Ulps(out[i], std::exp(static_cast<double>(in[i]))));
    }
    EXPECT_LT(worst, 2.0);
    RecordProperty("worst_ulps", std::to_string(worst));
    EXPECT_TRUE(out.Intact());
    const std::vector<float> odd = {-kInf, -1e30f, -104.0f, 0.0f, -0.0f, 88.8f, 1e30f, kInf, kNan};
    std::vector<float> got(odd.size());
    internal::Active().exp(static_cast<std::int64_t>(odd.size()), odd.data(), got.data());
    EXPECT_TRUE(SameBits(got, std::vector<float>{0, 0, 0, 1, 1, kInf, kInf, kInf, kNan}));
  });
}

}  // namespace
}  // namespace qatlas::kernels
