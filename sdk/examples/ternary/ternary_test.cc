// Every conformance check that applies, and values worked out by hand.
#include "qatlas/conformance/gtest.h"
#include "qatlas/conformance/load.h"
#include "qatlas/quantizer.h"

QATLAS_CONFORMANCE_PLUGIN(Ternary, qatlas::Quantizer, QATLAS_PLUGIN_FILE);

namespace {

TEST(TernaryValues, AreTheMeanMagnitudeTimesSignOrZero) {
  const auto quantizer =
      qatlas::conformance::Load<qatlas::Quantizer>(QATLAS_PLUGIN_FILE, "ternary");
  ASSERT_TRUE(quantizer.ok()) << quantizer.status();
  const auto attached = (*quantizer)->AttachOperand("weight", {});
  ASSERT_TRUE(attached.ok()) << attached.status();
  // mean |w| = 2, so everything below 1 in magnitude becomes 0.
  const at::Tensor w = at::tensor({4.f, -.75f, 1.25f, -2.f}).view({2, 2}).requires_grad_();
  const at::Tensor q = (*attached)->FakeQuantize(w);
  EXPECT_TRUE(q.equal(at::tensor({2.f, 0.f, 2.f, -2.f}).view({2, 2}))) << q;
  q.sum().backward();
  EXPECT_TRUE(w.grad().equal(at::ones({2, 2}))) << w.grad();
}

TEST(TernaryValues, InputsAreRefused) {
  const auto quantizer =
      qatlas::conformance::Load<qatlas::Quantizer>(QATLAS_PLUGIN_FILE, "ternary");
  ASSERT_TRUE(quantizer.ok()) << quantizer.status();
  EXPECT_FALSE((*quantizer)->Check("input", 8, 8).ok());
  EXPECT_TRUE((*quantizer)->Check("weight", 8, 8).ok());
}

}  // namespace
