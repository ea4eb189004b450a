// Gradients of `int`: straight-through, learned clipping against finite differences, training of
// gamma.
#include "plugins/quantizers/int/int.h"

#include <limits>

#include "tests/plugins/quantizers/quantizer_fixture.h"

namespace qatlas::testing {
namespace {

using int_quantizer::IntQuantizer;

std::unique_ptr<OperandQuantizer> Attach(std::map<std::string, OptionValue> values,
                                         const char* operand, int64_t rows, int64_t features) {
  auto attached = Make<IntQuantizer>(With(IntDefaults(), std::move(values)))
                      ->AttachOperand(operand, Context(at::zeros({rows, features})));
  EXPECT_TRUE(attached.ok()) << attached.status();
  return *std::move(attached);
}

TEST(IntGradient, AbsMaxPassesTheGradientEverywhere) {
  for (const char* granularity : {"group", "channel", "tensor"}) {
    for (at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      auto q = Attach({{"granularity", std::string(granularity)}, {"group", int64_t{8}}}, "input",
                      2, 24);
      at::Tensor x = Values({3, 5, 24}, 1, dtype).requires_grad_();
      const at::Tensor weights = Values({3, 5, 24}, 2, dtype);
      q->FakeQuantize(x).backward(weights);
      EXPECT_TRUE(BitEqual(x.grad(), weights)) << granularity;
      EXPECT_TRUE(q->Parameters().empty());
      EXPECT_TRUE(q->Buffers().empty());
    }
  }
}

struct Geometry {
  std::string operand, granularity;
  int64_t group;
  std::vector<int64_t> gamma_shape;
  double sharing;  // elements that share one gamma
};

// x is [6, 40].
const std::vector<Geometry>& Geometries() {
  static const std::vector<Geometry> geometries = {
      {"weight", "group", 8, {6, 5}, 8},    {"weight", "channel", 8, {6, 1}, 40},
      {"weight", "tensor", 8, {1, 1}, 240}, {"input", "group", 8, {1, 5}, 48},
      {"input", "channel", 8, {1, 1}, 240}, {"input", "tensor", 8, {1, 1}, 240},
  };
  return geometries;
}

// The surrogate in double, where the rounding residual, the set of clipped elements and max|x| are
// those of the base point: s (v + r) in range, s * bound else, with s = gamma * unit.
struct Surrogate {
  at::Tensor unit;      // [6, 40] max|x| / divisor of each element's scale
  at::Tensor residual;  // round(v) - v
  at::Tensor in_range;
  at::Tensor bound;

  Surrogate(const at::Tensor& x, const at::Tensor& gamma, const Geometry& g, int bits,
            double divisor) {
    const at::Tensor wide = x.to(at::kDouble);
    at::Tensor max;
    if (g.granularity == "tensor") {
      max = wide.abs().max().expand_as(wide);
    } else {
      const int64_t group = g.granularity == "channel" ? 40 : g.group;
      max = wide.abs().view({6, -1, group}).amax(2, true).expand({6, -1, group}).reshape({6, 40});
    }
    unit = max / divisor;
    const at::Tensor v = wide / (Expand(gamma) * unit);
    residual = v.round() - v;
    const double low = -std::pow(2.0, bits - 1), high = std::pow(2.0, bits - 1) - 1;
    in_range = v.round().ge(low).logical_and(v.round().le(high));
    bound = v.clamp(low, high).round();
  }
  static at::Tensor Expand(const at::Tensor& gamma) {
    return gamma.to(at::kDouble).repeat_interleave(40 / gamma.size(1), 1).expand({6, 40});
  }
  double Loss(const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& weights) const {
    const at::Tensor s = Expand(gamma) * unit;
    const at::Tensor value = at::where(in_range, x + s * residual, s * bound);
    return (value * weights).sum().item<double>();
  }
};

TEST(IntGradient, LearnedClippingMatchesFiniteDifferencesOfTheSurrogate) {
  for (const Geometry& g : Geometries()) {
    for (int64_t bits : {2, 4, 8}) {
      auto q = Attach({{"granularity", g.granularity},
                       {"group", g.group},
                       {"bits", bits},
                       {"clip", std::string("learned")}},
                      g.operand.c_str(), 6, 40);
      ASSERT_EQ(q->Parameters().size(), 1u);
      at::Tensor gamma = q->Parameters()[0].tensor;
      ASSERT_EQ(gamma.sizes(), at::IntArrayRef(g.gamma_shape));
      // Well below 1, so that many elements are clipped on both sides.
      gamma.detach().copy_(0.45 + 0.2 * Values(gamma.sizes(), 5).abs());
      at::Tensor x = Values({6, 40}, bits).requires_grad_();
      const at::Tensor weights = Values({6, 40}, 77);
      q->FakeQuantize(x).backward(weights);

      const Surrogate surrogate(x.detach(), gamma.detach(), g, bits, std::pow(2.0, bits - 1));
      const int64_t clipped = surrogate.in_range.logical_not().sum().item<int64_t>();
      EXPECT_GT(clipped, 0);
      EXPECT_LT(clipped, 240);
      const at::Tensor base_x = x.detach().to(at::kDouble);
      const at::Tensor base_gamma = gamma.detach().to(at::kDouble);
      const at::Tensor wide_weights = weights.to(at::kDouble);
      const double h = 1e-4;
      const double scale = 1 / std::sqrt(g.sharing * (std::pow(2.0, bits - 1) - 1));
      for (int64_t i = 0; i < gamma.numel(); ++i) {
        at::Tensor up = base_gamma.clone(), down = base_gamma.clone();
        up.view({-1})[i] += h;
        down.view({-1})[i] -= h;
        const double slope = (surrogate.Loss(base_x, up, wide_weights) -
                              surrogate.Loss(base_x, down, wide_weights)) /
                             (2 * h);
        EXPECT_NEAR(gamma.grad().view({-1})[i].item<double>(), scale * slope,
                    1e-4 * std::abs(scale * slope) + 1e-5)
            << g.operand << " " << g.granularity << " " << bits;
      }
      for (int64_t i = 0; i < 240; i += 7) {
        at::Tensor up = base_x.clone(), down = base_x.clone();
        up.view({-1})[i] += h;
        down.view({-1})[i] -= h;
        const double slope = (surrogate.Loss(up, base_gamma, wide_weights) -
                              surrogate.Loss(down, base_gamma, wide_weights)) /
                             (2 * h);
        EXPECT_NEAR(x.grad().view({-1})[i].item<double>(), slope, 1e-6 + 1e-5 * std::abs(slope));
      }
    }
  }
}

TEST(IntGradient, Bf16GradientsAreNearThoseOfFp32) {
  for (const Geometry& g : Geometries()) {
    std::vector<at::Tensor> slopes;
    for (at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      auto q = Attach(
          {{"granularity", g.granularity}, {"group", g.group}, {"clip", std::string("learned")}},
          g.operand.c_str(), 6, 40);
      at::Tensor gamma = q->Parameters()[0].tensor;
      gamma.detach().fill_(0.6);
      // The same values in both, so that the same elements are clipped.
      at::Tensor x = Values({6, 40}, 3).to(at::kBFloat16).to(dtype).requires_grad_();
      q->FakeQuantize(x).backward(Values({6, 40}, 4).to(at::kBFloat16).to(dtype));
      EXPECT_EQ(x.grad().scalar_type(), dtype);
      EXPECT_EQ(gamma.grad().scalar_type(), at::kFloat);
      slopes.push_back(gamma.grad());
    }
    EXPECT_TRUE(at::allclose(slopes[0], slopes[1], 2e-2, 1e-3))
        << g.operand << " " << g.granularity;
  }
}

TEST(IntGradient, GammaIsTrainedInItsOwnGroupAndStaysPositive) {
  auto q = Attach({{"clip", std::string("learned")}, {"clip_lr", 0.25}, {"group", int64_t{8}}},
                  "weight", 4, 16);
  const NamedParameter p = q->Parameters().at(0);
  EXPECT_EQ(p.group, "clip");
  EXPECT_FALSE(p.weight_decay);
  EXPECT_EQ(p.learning_rate, 0.25);
  EXPECT_TRUE(p.tensor.is_leaf());
  EXPECT_TRUE(p.tensor.requires_grad());
  EXPECT_TRUE(at::equal(p.tensor.detach(), at::ones({4, 2})));
  at::Tensor x = Values({4, 16}, 1);
  // Where most elements are clipped, a loss that falls as the output shrinks drives gamma down to
  // its floor.
  p.tensor.detach().fill_(0.3);
  for (int step = 0; step < 50; ++step) {
    q->FakeQuantize(x).abs().sum().backward();
    p.tensor.detach().sub_(p.tensor.grad(), 0.5);
    p.tensor.mutable_grad() = at::Tensor();
    q->AfterStep({step, 50, 0.1});
    ASSERT_GT(p.tensor.min().item<double>(), 0) << step;
  }
  EXPECT_LT(p.tensor.max().item<double>(), 0.1);
  EXPECT_TRUE(q->FakeQuantize(x).isfinite().all().item<bool>());
  p.tensor.detach().fill_(-3);
  q->AfterStep({50, 50, 0.1});
  EXPECT_GT(p.tensor.min().item<double>(), 0);
}

TEST(IntGradient, LearningReducesTheErrorOfHeavyTails) {
  auto q = Attach({{"clip", std::string("learned")},
                   {"granularity", std::string("channel")},
                   {"bits", int64_t{3}}},
                  "weight", 4, 512);
  const at::Tensor x = Values({4, 512}, 6);
  at::Tensor gamma = q->Parameters()[0].tensor;
  double first = 0, last = 0;
  for (int step = 0; step < 200; ++step) {
    at::Tensor error = (q->FakeQuantize(x) - x).pow(2).mean();
    (step == 0 ? first : last) = error.item<double>();
    error.backward();
    // Sign descent stands in for Adam.
    gamma.detach().sub_(gamma.grad().sign(), 2e-3);
    gamma.mutable_grad() = at::Tensor();
    q->AfterStep({step, 200, 0.1});
  }
  EXPECT_LT(last, 0.8 * first);
}

TEST(IntGradient, StateRoundTrips) {
  auto make = [] {
    return Attach({{"clip", std::string("learned")}, {"group", int64_t{8}}}, "weight", 4, 16);
  };
  auto a = make();
  a->Parameters()[0].tensor.detach().copy_(Values({4, 2}, 3).abs() + 0.1);
  auto b = make();
  b->Parameters()[0].tensor.detach().copy_(a->Parameters()[0].tensor.detach());
  ASSERT_TRUE(b->AfterRestore().ok());
  const at::Tensor x = Values({4, 16}, 5);
  EXPECT_TRUE(BitEqual(a->FakeQuantize(x).detach(), b->FakeQuantize(x).detach()));
}

TEST(IntGradient, ZerosGiveNoGradientToGamma) {
  auto q = Attach({{"clip", std::string("learned")}, {"group", int64_t{8}}}, "weight", 2, 16);
  at::Tensor x = at::zeros({2, 16}).requires_grad_();
  q->FakeQuantize(x).backward(at::ones({2, 16}));
  EXPECT_TRUE(at::equal(q->Parameters()[0].tensor.grad(), at::zeros({2, 2})));
  EXPECT_TRUE(at::equal(x.grad(), at::ones({2, 16})));
}

TEST(IntGradient, AttachesOnTheMetaDevice) {
  auto quantizer = Make<IntQuantizer>(With(IntDefaults(), {{"clip", std::string("learned")}}));
  auto q = quantizer->AttachOperand("weight", Context(at::empty({8, 128}, at::kMeta)));
  ASSERT_TRUE(q.ok()) << q.status();
  EXPECT_EQ((*q)->Parameters()[0].tensor.numel(), 16);
  EXPECT_TRUE((*q)->Parameters()[0].tensor.is_meta());
  EXPECT_DOUBLE_EQ((*q)->BitsPerElement(8, 128), 4.5);
}

}  // namespace
}  // namespace qatlas::testing
