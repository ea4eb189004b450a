// Every conformance check that applies, and values worked out by hand.
#include "qatlas/conformance/gtest.h"
#include "qatlas/conformance/load.h"
#include "qatlas/quantizer.h"

QATLAS_CONFORMANCE_PLUGIN(@type@, qatlas::Quantizer, QATLAS_PLUGIN_FILE);

namespace {

TEST(@type@Values, AreTheNearestMultiplesOfEachRowsStep) {
  const auto quantizer = qatlas::conformance::Load<qatlas::Quantizer>(
      QATLAS_PLUGIN_FILE, "@plugin@", {{{"bits", int64_t{4}}}});
  ASSERT_TRUE(quantizer.ok()) << quantizer.status();
  const auto attached = (*quantizer)->AttachOperand("weight", {});
  ASSERT_TRUE(attached.ok()) << attached.status();
  // Steps 1 and 0.5: max|x| / 7.
  const at::Tensor w = at::tensor({7.f, -3.4f, .2f, 1.75f, -3.5f, .3f}).view({2, 3}).requires_grad_();
  const at::Tensor q = (*attached)->FakeQuantize(w);
  const at::Tensor expected = at::tensor({7.f, -3.f, 0.f, 2.f, -3.5f, .5f}).view({2, 3});
  EXPECT_TRUE(q.equal(expected)) << q;
  q.sum().backward();
  EXPECT_TRUE(w.grad().equal(at::ones({2, 3}))) << w.grad();
}

}  // namespace
