// Every conformance check that applies, values worked out by hand, and a plain reference.
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "ATen/Parallel.h"
#include "qatlas/conformance/gtest.h"
#include "qatlas/conformance/load.h"
#include "qatlas/quantizer.h"

QATLAS_CONFORMANCE_PLUGIN(Ternary, qatlas::Quantizer, QATLAS_PLUGIN_FILE);

namespace {

class TernaryValues : public ::testing::Test {
 protected:
  // An instance for a weight; null, and a failure, where there is none.
  static std::unique_ptr<qatlas::OperandQuantizer> Attach(double epsilon) {
    const auto quantizer = qatlas::conformance::Load<qatlas::Quantizer>(
        QATLAS_PLUGIN_FILE, "ternary", {{{"epsilon", epsilon}}});
    EXPECT_TRUE(quantizer.ok()) << quantizer.status();
    if (!quantizer.ok()) return nullptr;
    auto attached = (*quantizer)->AttachOperand("weight", {});
    EXPECT_TRUE(attached.ok()) << attached.status();
    return attached.ok() ? *std::move(attached) : nullptr;
  }
};

TEST_F(TernaryValues, AreTheNearestOfThreeMultiplesOfTheMeanMagnitude) {
  const auto ternary = Attach(/*epsilon=*/0);
  ASSERT_NE(ternary, nullptr);
  // Magnitudes of 3 in sum, a mean of 0.5; in its units 2, -0.4, 0.6, -1, 0 and 2.
  const at::Tensor w = at::tensor({1.f, -.2f, .3f, -.5f, 0.f, 1.f}).view({2, 3}).requires_grad_();
  const at::Tensor q = ternary->FakeQuantize(w);
  EXPECT_TRUE(q.equal(at::tensor({.5f, 0.f, .5f, -.5f, 0.f, .5f}).view({2, 3}))) << q;
  q.sum().backward();
  EXPECT_TRUE(w.grad().equal(at::ones({2, 3}))) << w.grad();
}

TEST_F(TernaryValues, HaveEpsilonInTheScale) {
  const auto ternary = Attach(/*epsilon=*/.25);
  ASSERT_NE(ternary, nullptr);
  // 0.5 + 0.25: of 0.75 a weight of 0.3 is 0.4 and no longer rounds up.
  const at::Tensor w = at::tensor({1.f, -.2f, .3f, -.5f, 0.f, 1.f}).view({1, 6});
  const at::Tensor q = ternary->FakeQuantize(w);
  EXPECT_TRUE(q.equal(at::tensor({.75f, 0.f, 0.f, -.75f, 0.f, .75f}).view({1, 6}))) << q;
}

TEST_F(TernaryValues, AreThoseOfAPlainLoop) {
  const auto ternary = Attach(1e-5);
  ASSERT_NE(ternary, nullptr);
  std::vector<float> w(48 * 40);
  uint64_t state = 1;  // a linear congruential generator: the same on every machine
  for (float& x : w) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    x = static_cast<float>(static_cast<double>(state >> 11) * 0x1p-53 - .5) * .08f;
  }
  double sum = 0;
  for (const float x : w) sum += std::fabs(x);
  const float scale = static_cast<float>(sum / static_cast<double>(w.size()) + 1e-5);
  const at::Tensor q = ternary->FakeQuantize(at::tensor(w).view({48, 40})).view({-1});
  for (size_t i = 0; i < w.size(); ++i) {
    const float code = std::fmax(-1.f, std::fmin(1.f, std::nearbyint(w[i] / scale)));
    ASSERT_FLOAT_EQ(q[static_cast<int64_t>(i)].item<float>(), code * scale) << "weight " << w[i];
  }
}

TEST_F(TernaryValues, ZerosStayZeros) {
  for (const double epsilon : {0., 1e-5}) {
    const auto ternary = Attach(epsilon);
    ASSERT_NE(ternary, nullptr);
    EXPECT_TRUE(ternary->FakeQuantize(at::zeros({4, 8})).equal(at::zeros({4, 8})));
  }
}

TEST_F(TernaryValues, HugeWeightsStayFinite) {
  const auto ternary = Attach(1e-5);
  ASSERT_NE(ternary, nullptr);
  // Their sum is beyond FP32; their mean is not.
  const at::Tensor w = at::full({64, 64}, std::numeric_limits<float>::max());
  EXPECT_TRUE(ternary->FakeQuantize(w).equal(w));
}

TEST_F(TernaryValues, OneNanOrInfinityShowsEverywhere) {
  const auto ternary = Attach(1e-5);
  ASSERT_NE(ternary, nullptr);
  for (const float odd :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const at::Tensor w = at::ones({3, 4});
    w[1][2] = odd;
    EXPECT_TRUE(ternary->FakeQuantize(w).isnan().all().item<bool>()) << odd;
  }
}

TEST_F(TernaryValues, OfBfloat16AreThoseOfFloat32RoundedLast) {
  const auto ternary = Attach(1e-5);
  ASSERT_NE(ternary, nullptr);
  const at::Tensor w = at::linspace(-.07, .09, 96).view({8, 12}).to(at::kBFloat16);
  const at::Tensor q = ternary->FakeQuantize(w);
  EXPECT_EQ(q.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(q.equal(ternary->FakeQuantize(w.to(at::kFloat)).to(at::kBFloat16)));
}

TEST_F(TernaryValues, EmptyWeightsStayEmpty) {
  const auto ternary = Attach(1e-5);
  ASSERT_NE(ternary, nullptr);
  EXPECT_EQ(ternary->FakeQuantize(at::empty({0, 8})).sizes(), at::IntArrayRef({0, 8}));
  EXPECT_EQ(ternary->FakeQuantize(at::empty({8, 0})).sizes(), at::IntArrayRef({8, 0}));
}

TEST_F(TernaryValues, DoNotDependOnTheNumberOfThreads) {
  const auto ternary = Attach(1e-5);
  ASSERT_NE(ternary, nullptr);
  // More elements than ATen sums in one thread, in a shape that nothing divides.
  const at::Tensor w = at::linspace(-1, 1, 257 * 1031).sin().view({257, 1031});
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = ternary->FakeQuantize(w);
  at::set_num_threads(4);
  const at::Tensor four = ternary->FakeQuantize(w);
  at::set_num_threads(threads);
  EXPECT_TRUE(one.equal(four));
}

TEST_F(TernaryValues, CostTwoStoredBitsAndAScale) {
  const auto ternary = Attach(1e-5);
  ASSERT_NE(ternary, nullptr);
  EXPECT_DOUBLE_EQ(ternary->BitsPerElement(4, 8), 2 + 32. / 32);
}

TEST(TernaryQuantizer, LabelsRunsByItsThreeLevelsAndRefusesInputs) {
  const auto ternary = qatlas::conformance::Load<qatlas::Quantizer>(QATLAS_PLUGIN_FILE, "ternary");
  ASSERT_TRUE(ternary.ok()) << ternary.status();
  EXPECT_NEAR((*ternary)->NominalBits(), 1.58, .01);
  EXPECT_TRUE((*ternary)->Check("weight", 7, 5).ok());
  EXPECT_FALSE((*ternary)->Check("input", 7, 5).ok());
  EXPECT_FALSE((*ternary)->AttachOperand("input", {}).ok());
}

}  // namespace
