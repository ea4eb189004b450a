// `lsq`: initial steps, values and codes, gradients against finite differences, state, odd inputs.
#include "plugins/quantizers/lsq/lsq.h"

#include <limits>

#include "tests/plugins/quantizers/quantizer_fixture.h"

namespace qatlas::testing {
namespace {

using lsq::LsqQuantizer;
using ::testing::HasSubstr;

struct LsqGeometry {
  std::string operand, granularity;
  int64_t group;
  std::vector<int64_t> shape;  // of the steps, for x [6, 40]
  double sharing;
};

const std::vector<LsqGeometry>& LsqGeometries() {
  static const std::vector<LsqGeometry> geometries = {
      {"weight", "group", 8, {6, 5}, 8},    {"weight", "channel", 8, {6, 1}, 40},
      {"weight", "tensor", 8, {1, 1}, 240}, {"input", "group", 8, {1, 5}, 48},
      {"input", "tensor", 8, {1, 1}, 240},
  };
  return geometries;
}

CalibrationStatistics Statistics(const at::Tensor& x) {
  CalibrationStatistics statistics;
  statistics.tokens = x.size(0);
  statistics.mean_abs = x.abs().mean();
  statistics.feature_mean_abs = x.abs().mean(0);
  statistics.max_abs = x.abs().amax(0);
  return statistics;
}

std::unique_ptr<OperandQuantizer> Attach(const LsqGeometry& g, int64_t bits, const at::Tensor& x) {
  auto quantizer = Make<LsqQuantizer>(
      With(LsqDefaults(), {{"granularity", g.granularity}, {"group", g.group}, {"bits", bits}}));
  const CalibrationStatistics statistics = Statistics(x);
  AttachContext context = Context(x);
  context.calibration = &statistics;
  auto attached = quantizer->AttachOperand(g.operand.c_str(), context);
  EXPECT_TRUE(attached.ok()) << attached.status();
  return *std::move(attached);
}

at::Tensor StepOf(OperandQuantizer& q) {
  return (q.Parameters().at(0).tensor * q.Buffers().at(0).tensor).detach();
}

at::Tensor Expand(const at::Tensor& step) {
  return step.repeat_interleave(40 / step.size(1), 1).expand({6, 40});
}

TEST(Lsq, StartsAtTwiceTheMeanOverTheRootOfTheLargestCode) {
  const at::Tensor x = Values({6, 40}, 1);
  for (const LsqGeometry& g : LsqGeometries()) {
    for (int64_t bits : {2, 4, 8}) {
      auto q = Attach(g, bits, x);
      const at::Tensor step = StepOf(*q);
      ASSERT_EQ(step.sizes(), at::IntArrayRef(g.shape));
      const int64_t rows = g.shape[0] == 1 ? 1 : 6;
      at::Tensor mean = rows == 1 ? x.abs().mean(0, true) : x.abs();
      mean = mean.view({rows, g.shape[1], -1}).mean(2);
      EXPECT_TRUE(at::allclose(step, 2 * mean / std::sqrt(std::pow(2.0, bits - 1) - 1), 1e-5, 0))
          << g.operand << " " << g.granularity;
    }
  }
}

TEST(Lsq, EqualsTheReferenceBitForBit) {
  for (const LsqGeometry& g : LsqGeometries()) {
    for (int64_t bits = 2; bits <= 8; ++bits) {
      for (at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
        auto q = Attach(g, bits, Values({6, 40}, 1));
        const at::Tensor x = Values({6, 40}, bits, dtype);
        const at::Tensor values = x.to(at::kFloat).contiguous();
        const at::Tensor step = Expand(StepOf(*q)).contiguous();
        at::Tensor expected = at::empty({6, 40});
        for (int64_t i = 0; i < 240; ++i) {
          const float s = step.data_ptr<float>()[i];
          expected.data_ptr<float>()[i] =
              s * (ReferenceCode(values.data_ptr<float>()[i], s, bits) + 0.0f);
        }
        const at::Tensor result = q->FakeQuantize(x).detach();
        EXPECT_TRUE(BitEqual(result, expected.to(dtype))) << g.operand << " " << g.granularity;
        // Idempotent, as declared.
        EXPECT_TRUE(BitEqual(q->FakeQuantize(result).detach(), result));
        auto encoded = q->Encode(x);
        ASSERT_TRUE(encoded.ok()) << encoded.status();
        EXPECT_TRUE(BitEqual(*q->Decode(*encoded), result));
        if (bits <= 4) {
          EXPECT_TRUE(BitEqual(*q->Decode(*PackInt4(*encoded)), result));
        }
      }
    }
  }
}

// s (clip(v) + r), r = round(clip(v)) - clip(v) held fixed, in double.
TEST(Lsq, GradientsMatchFiniteDifferencesOfTheSurrogate) {
  for (const LsqGeometry& g : LsqGeometries()) {
    for (int64_t bits : {2, 4}) {
      auto q = Attach(g, bits, Values({6, 40}, 1));
      at::Tensor value = q->Parameters()[0].tensor;
      value.detach().copy_(0.7 + 0.2 * Values(value.sizes(), 5).abs());
      const at::Tensor unit = q->Buffers()[0].tensor.to(at::kDouble);
      at::Tensor x = Values({6, 40}, 7 + bits).requires_grad_();
      const at::Tensor weights = Values({6, 40}, 77);
      q->FakeQuantize(x).backward(weights);

      const double low = -std::pow(2.0, bits - 1), high = std::pow(2.0, bits - 1) - 1;
      const at::Tensor base_x = x.detach().to(at::kDouble);
      const at::Tensor base_value = value.detach().to(at::kDouble);
      const at::Tensor wide_weights = weights.to(at::kDouble);
      const at::Tensor v = (base_x / Expand(base_value * unit)).clamp(low, high);
      const at::Tensor residual = v.round() - v;
      auto loss = [&](const at::Tensor& at_x, const at::Tensor& at_value) {
        const at::Tensor s = Expand(at_value * unit);
        return (s * ((at_x / s).clamp(low, high) + residual) * wide_weights).sum().item<double>();
      };
      const double h = 1e-6;
      const double scale = 1 / std::sqrt(g.sharing * high);
      for (int64_t i = 0; i < value.numel(); ++i) {
        at::Tensor up = base_value.clone(), down = base_value.clone();
        up.view({-1})[i] += h;
        down.view({-1})[i] -= h;
        const double slope = scale * (loss(base_x, up) - loss(base_x, down)) / (2 * h);
        EXPECT_NEAR(value.grad().view({-1})[i].item<double>(), slope, 1e-4 * std::abs(slope) + 1e-5)
            << g.operand << " " << g.granularity << " " << bits;
      }
      for (int64_t i = 0; i < 240; i += 7) {
        at::Tensor up = base_x.clone(), down = base_x.clone();
        up.view({-1})[i] += h;
        down.view({-1})[i] -= h;
        const double slope = (loss(up, base_value) - loss(down, base_value)) / (2 * h);
        EXPECT_NEAR(x.grad().view({-1})[i].item<double>(), slope, 1e-5 + 1e-5 * std::abs(slope));
      }
    }
  }
}

TEST(Lsq, LearnsAStepWithLessError) {
  const at::Tensor x = Values({6, 40}, 1);
  for (const LsqGeometry& g : LsqGeometries()) {
    auto q = Attach(g, 4, x);
    at::Tensor value = q->Parameters()[0].tensor;
    value.detach().mul_(3);
    double first = 0, last = 0;
    for (int step = 0; step < 300; ++step) {
      at::Tensor error = (q->FakeQuantize(x) - x).pow(2).sum();
      (step == 0 ? first : last) = error.item<double>();
      error.backward();
      value.detach().sub_(value.grad().sign(), 5e-3);
      value.mutable_grad() = at::Tensor();
      q->AfterStep({step, 300, 0.1});
    }
    EXPECT_LT(last, 0.5 * first) << g.operand << " " << g.granularity;
  }
}

TEST(Lsq, StepsHaveTheirOwnGroupAndNeverCrossZero) {
  auto q = Attach(LsqGeometries()[0], 4, Values({6, 40}, 1));
  const NamedParameter p = q->Parameters().at(0);
  EXPECT_EQ(p.group, "step");
  EXPECT_EQ(p.learning_rate, 1e-3);
  EXPECT_FALSE(p.weight_decay);
  EXPECT_TRUE(p.tensor.is_leaf() && p.tensor.requires_grad());
  EXPECT_FALSE(q->Buffers().at(0).tensor.requires_grad());
  p.tensor.detach().fill_(-1);
  q->AfterStep({1, 10, 0.1});
  EXPECT_GT(StepOf(*q).min().item<double>(), 0);
  EXPECT_TRUE(q->FakeQuantize(Values({6, 40}, 2)).isfinite().all().item<bool>());
}

TEST(Lsq, StateRoundTripsWithoutCalibration) {
  const at::Tensor x = Values({6, 40}, 1);
  for (const LsqGeometry& g : LsqGeometries()) {
    auto saved = Attach(g, 4, x);
    saved->Parameters()[0].tensor.detach().mul_(1.25);
    auto quantizer = Make<LsqQuantizer>(
        With(LsqDefaults(), {{"granularity", g.granularity}, {"group", g.group}}));
    AttachContext context = Context(at::zeros({6, 40}));
    context.restoring = true;
    auto restored = quantizer->AttachOperand(g.operand.c_str(), context);
    ASSERT_TRUE(restored.ok()) << restored.status();
    auto copy = [](const at::Tensor& from, at::Tensor to) {
      ASSERT_EQ(from.sizes(), to.sizes());
      to.detach().copy_(from.detach());
    };
    copy(saved->Parameters()[0].tensor, (*restored)->Parameters()[0].tensor);
    copy(saved->Buffers()[0].tensor, (*restored)->Buffers()[0].tensor);
    ASSERT_TRUE((*restored)->AfterRestore().ok());
    EXPECT_TRUE(BitEqual((*restored)->FakeQuantize(x).detach(), saved->FakeQuantize(x).detach()));
    (*restored)->Buffers()[0].tensor.fill_(std::numeric_limits<float>::quiet_NaN());
    EXPECT_FALSE((*restored)->AfterRestore().ok());
  }
}

TEST(Lsq, InputsNeedCalibration) {
  auto quantizer = Make<LsqQuantizer>(With(LsqDefaults(), {{"group", int64_t{8}}}));
  EXPECT_EQ(quantizer->Calibration("input").tokens, 2048);
  EXPECT_EQ(quantizer->Calibration("weight").tokens, 0);
  const auto attached = quantizer->AttachOperand("input", Context(at::ones({6, 40})));
  ASSERT_FALSE(attached.ok());
  EXPECT_THAT(attached.status().message(), HasSubstr("calibration"));
  const auto meta = quantizer->AttachOperand("input", Context(at::empty({6, 40}, at::kMeta)));
  ASSERT_TRUE(meta.ok()) << meta.status();
  EXPECT_EQ((*meta)->Parameters()[0].tensor.numel(), 5);
}

TEST(Lsq, ShapesThatDoNotFitAreErrors) {
  auto quantizer = Make<LsqQuantizer>(With(LsqDefaults(), {{"group", int64_t{48}}}));
  EXPECT_THAT(quantizer->Check("weight", 128, 4).message(),
              HasSubstr("group = 48 does not divide the 128 input features"));
  quantizer = Make<LsqQuantizer>(With(LsqDefaults(), {{"granularity", std::string("channel")}}));
  EXPECT_TRUE(quantizer->Check("weight", 128, 4).ok());
  EXPECT_THAT(quantizer->Check("input", 128, 4).message(), HasSubstr("tokens"));
}

TEST(Lsq, OddValues) {
  const LsqGeometry g = LsqGeometries()[0];
  // A weight of zeros gets the smallest step, and can be learned out of.
  auto zero = Attach(g, 4, at::zeros({6, 40}));
  EXPECT_GT(StepOf(*zero).min().item<double>(), 0);
  EXPECT_TRUE(BitEqual(zero->FakeQuantize(at::zeros({6, 40})).detach(), at::zeros({6, 40})));

  auto q = Attach(g, 4, Values({6, 40}, 1));
  at::Tensor x = Values({6, 40}, 2);
  const at::Tensor clean = q->FakeQuantize(x).detach();
  x[2][3] = std::numeric_limits<float>::quiet_NaN();
  at::Tensor result = q->FakeQuantize(x).detach();
  EXPECT_TRUE(result[2][3].isnan().item<bool>());
  EXPECT_EQ(result.isnan().sum().item<int64_t>(), 1);
  EXPECT_THAT(q->Encode(x).status().message(), HasSubstr("NaN"));
  x[2][3] = std::numeric_limits<float>::infinity();
  result = q->FakeQuantize(x).detach();
  EXPECT_EQ(result[2][3].item<float>(), 7 * StepOf(*q)[2][0].item<float>());
  EXPECT_EQ(result.ne(clean).sum().item<int64_t>() <= 1, true);
  EXPECT_TRUE(BitEqual(q->FakeQuantize(at::full({6, 40}, 1e-44f)).detach(), at::zeros({6, 40})));
  const at::Tensor strided = Values({40, 6}, 4).t();
  EXPECT_TRUE(
      BitEqual(q->FakeQuantize(strided).detach(), q->FakeQuantize(strided.contiguous()).detach()));
}

TEST(Lsq, ShortLastGroupsKeepTheirOwnStep) {
  auto quantizer =
      Make<LsqQuantizer>(With(LsqDefaults(), {{"group", int64_t{16}}, {"short_last_group", true}}));
  const at::Tensor x = Values({6, 40}, 1);
  auto q = quantizer->AttachOperand("weight", Context(x));
  ASSERT_TRUE(q.ok()) << q.status();
  const at::Tensor step = StepOf(**q);
  ASSERT_EQ(step.sizes(), at::IntArrayRef({6, 3}));
  EXPECT_TRUE(
      at::allclose(step.select(1, 2), 2 * x.slice(1, 32).abs().mean(1) / std::sqrt(7.0), 1e-5, 0));
  EXPECT_TRUE(BitEqual(*(*q)->Decode(*(*q)->Encode(x)), (*q)->FakeQuantize(x).detach()));
}

}  // namespace
}  // namespace qatlas::testing
