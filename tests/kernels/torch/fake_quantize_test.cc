// Autograd of fake quantization against compositions of ATen's operations.
#include <qatlas/kernels/torch/fake_quantize.h>

#include <gtest/gtest.h>

#include "tests/kernels/torch/support.h"

namespace qatlas::kernels {
namespace {

FakeQuantParams ParamsOf(std::int64_t group, ScaleIndex index) {
  FakeQuantParams p;
  p.group = group;
  p.index = index;
  SetBits(4, false, p);
  p.divisor = 8.0f;
  return p;
}

// x [rows, cols] as [rows, groups, group].
at::Tensor Grouped(const at::Tensor& x, std::int64_t group) {
  return x.reshape({-1, x.size(-1) / group, group});
}

// Scale of every (row, group) as [.., .., 1], by broadcasting.
at::Tensor Spread(const at::Tensor& entries, ScaleIndex index, std::int64_t rows,
                  std::int64_t groups) {
  switch (index) {
    case ScaleIndex::kTensor:
      return entries.reshape({1, 1, 1});
    case ScaleIndex::kRow:
      return entries.reshape({rows, 1, 1});
    case ScaleIndex::kRowGroup:
      return entries.reshape({rows, groups, 1});
    case ScaleIndex::kGroup:
      return entries.reshape({1, groups, 1});
  }
  return {};
}

// s * clamp(round(v)), where gradients see round as the identity.
at::Tensor Composed(const at::Tensor& x3, const at::Tensor& s) {
  const at::Tensor v = x3 / s;
  const at::Tensor rounded = v + (v.round() - v).detach();
  return s * rounded.clamp(-8, 7);
}

TEST(FakeQuantizeTest, AbsMaxPassesTheGradient) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const at::Tensor x = Leaf(Random({3, 20, 128}, 2.0, 1).to(dtype));
    const FakeQuantParams p = ParamsOf(32, ScaleIndex::kRowGroup);
    const at::Tensor y = FakeQuantizeAbsMax(x, p);
    const at::Tensor wide = Grouped(x.detach().to(at::kFloat), 32);
    const at::Tensor want = Composed(wide, wide.abs().amax(-1, true) / 8).view(x.sizes()).to(dtype);
    EXPECT_TRUE(at::equal(y, want));
    const at::Tensor g = Random(x.sizes(), 1.0, 2).to(dtype);
    y.backward(g);
    EXPECT_TRUE(at::equal(x.grad(), g));
    const Encoded codes = EncodeAbsMax(x, at::Tensor(), p);
    EXPECT_TRUE(at::equal(DecodeCodes(codes.codes, codes.scales, p, dtype), y));
  }
}

TEST(FakeQuantizeTest, GammaHasTheGradientsOfTheComposition) {
  for (const ScaleIndex index :
       {ScaleIndex::kTensor, ScaleIndex::kRow, ScaleIndex::kRowGroup, ScaleIndex::kGroup}) {
    const at::Tensor x0 = Random({150, 96}, 1.0, 3);
    FakeQuantParams p = ParamsOf(32, index);
    const std::int64_t entries[] = {1, 150, 450, 3};
    const at::Tensor gamma0 = Random({entries[static_cast<int>(index)]}, 0.2, 4).abs_().add_(0.6);
    const at::Tensor g = Random({150, 96}, 1.0, 5);
    const at::Tensor x = Leaf(x0), gamma = Leaf(gamma0);
    const at::Tensor y = FakeQuantizeAbsMaxGamma(x, gamma, p);
    y.backward(g);
    const at::Tensor x_ref = Leaf(x0), gamma_ref = Leaf(gamma0);
    const at::Tensor x3 = Grouped(x_ref, 32);
    const at::Tensor unit = (x3.abs().amax(-1, true) / 8).detach();
    const at::Tensor want = Composed(x3, Spread(gamma_ref, index, 150, 3) * unit).view({150, 96});
    want.backward(g);
    EXPECT_TRUE(at::equal(y, want));
    // The composition computes s * (g / s).
    ExpectClose(x.grad(), x_ref.grad(), 1e-6);
    ExpectClose(gamma.grad(), gamma_ref.grad(), 1e-5);
  }
}

TEST(FakeQuantizeTest, StepHasTheGradientsOfTheComposition) {
  const at::Tensor x0 = Random({200, 64}, 1.0, 6);
  const at::Tensor g = Random({200, 64}, 1.0, 7);
  for (const ScaleIndex index : {ScaleIndex::kTensor, ScaleIndex::kRow, ScaleIndex::kGroup}) {
    const std::int64_t entries[] = {1, 200, 400, 2};
    const at::Tensor step0 = at::full({entries[static_cast<int>(index)]}, 0.17);
    const at::Tensor x = Leaf(x0), step = Leaf(step0);
    FakeQuantizeStep(x, step, 0.125, ParamsOf(32, index)).backward(g);
    const at::Tensor x_ref = Leaf(x0), step_ref = Leaf(step0);
    Composed(Grouped(x_ref, 32), Spread(step_ref, index, 200, 2)).view({200, 64}).backward(g);
    ExpectClose(x.grad(), x_ref.grad(), 1e-6);
    ExpectClose(step.grad(), step_ref.grad() * 0.125, 1e-5);
  }
}

TEST(FakeQuantizeTest, GradientsDoNotDependOnThreads) {
  const at::Tensor x0 = Random({1000, 64}, 1.0, 8);
  const at::Tensor g = Random({1000, 64}, 1.0, 9);
  const int before = at::get_num_threads();
  std::vector<at::Tensor> grads;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    const at::Tensor gamma = at::full({2}, 0.8).requires_grad_(true);
    FakeQuantizeAbsMaxGamma(x0, gamma, ParamsOf(32, ScaleIndex::kGroup)).backward(g);
    grads.push_back(gamma.grad());
  }
  at::set_num_threads(before);
  EXPECT_TRUE(at::equal(grads[0], grads[1]));
  EXPECT_TRUE(at::equal(grads[0], grads[2]));
}

TEST(FakeQuantizeTest, PerTensorThroughTheUnit) {
  const at::Tensor x = Leaf(Random({10, 48}, 1.0, 10));
  const at::Tensor unit = AbsMaxUnit(x, 8.0);
  EXPECT_FALSE(unit.requires_grad());
  const at::Tensor y = FakeQuantizeGiven(x, unit, ParamsOf(0, ScaleIndex::kTensor));
  EXPECT_TRUE(at::equal(y, Composed(x.detach(), x.detach().abs().max() / 8)));
  const at::Tensor g = Random({10, 48}, 1.0, 11);
  y.backward(g);
  EXPECT_TRUE(at::equal(x.grad(), g));
  const at::Tensor codes = EncodeGiven(x, unit, ParamsOf(0, ScaleIndex::kTensor));
  EXPECT_TRUE(at::equal(DecodeCodes(codes, unit, ParamsOf(0, ScaleIndex::kTensor), at::kFloat), y));
}

TEST(FakeQuantizeTest, TakesStridedTensorsAndWantedGradientsOnly) {
  const at::Tensor base = Random({64, 40}, 1.0, 12);
  const FakeQuantParams p = ParamsOf(32, ScaleIndex::kGroup);
  const at::Tensor gamma = at::full({2}, 0.7);
  EXPECT_TRUE(at::equal(FakeQuantizeAbsMaxGamma(base.t(), gamma, p),
                        FakeQuantizeAbsMaxGamma(base.t().contiguous(), gamma, p)));
  const at::Tensor x = Leaf(base.t());
  FakeQuantizeAbsMaxGamma(x, gamma, p).sum().backward();
  EXPECT_TRUE(x.grad().defined());
  EXPECT_FALSE(gamma.grad().defined());
  EXPECT_EQ(FakeQuantizeAbsMax(at::empty({0, 64}), p).numel(), 0);
}

TEST(FakeQuantizeTest, RefusesWhatDoesNotFit) {
  const at::Tensor x = Random({4, 40}, 1.0, 13);
  EXPECT_THROW(FakeQuantizeAbsMax(x, ParamsOf(32, ScaleIndex::kRowGroup)), c10::Error);
  FakeQuantParams p = ParamsOf(32, ScaleIndex::kRowGroup);
  p.short_last_group = true;
  EXPECT_NO_THROW(FakeQuantizeAbsMax(x, p));
  EXPECT_THROW(FakeQuantizeAbsMax(x.to(at::kDouble), p), c10::Error);
  EXPECT_THROW(FakeQuantizeAbsMaxGamma(x, at::ones({7}), p), c10::Error);
  EXPECT_THROW(FakeQuantizeGiven(x, at::ones({8}, at::kDouble), p), c10::Error);
  at::Tensor odd = x.clone();
  odd[0][0] = std::nan("");
  EXPECT_THROW(EncodeGiven(odd, at::ones({8}), p), c10::Error);
}

}  // namespace
}  // namespace qatlas::kernels
