// `lr-qat`: gradients against plain autograd and against finite differences of the surrogate; what
// a training step keeps in memory.
#include "framework/train/tensor_memory.h"
#include "tests/plugins/quantizers/lr_qat_fixture.h"

namespace qatlas::testing {
namespace {

using train::TensorMemory;

struct Leaves {
  at::Tensor x, a, b, s, bias;
};

Leaves LeavesOf(LinearOperator& op, const at::Tensor& x, const at::Tensor& bias,
                at::ScalarType dtype) {
  const auto leaf = [dtype](const at::Tensor& t) {
    return t.detach().to(dtype).clone().requires_grad_();
  };
  return {leaf(x), leaf(ParameterOf(op, "adapter.a")), leaf(ParameterOf(op, "adapter.b")),
          leaf(ParameterOf(op, "scale.value")), leaf(bias)};
}

at::Tensor FrozenOf(LinearOperator& op, const std::string& storage, int64_t bits, int64_t rows,
                    int64_t features) {
  at::Tensor phi = at::empty({rows, features});
  lr_qat::Upcast(BufferOf(op, "frozen"), lr_qat::ParseStorage(storage), static_cast<int>(bits),
                 phi);
  return phi;
}

// The linear as the paper writes it, by autograd alone: nothing fused, nothing in blocks.
// `unrounded` says which way values next to the middle of two codes are rounded.
at::Tensor Plain(const Leaves& leaves, const at::Tensor& phi, const at::Tensor& unrounded,
                 double factor, int64_t bits, int64_t group) {
  const double high = std::pow(2.0, static_cast<double>(bits) - 1) - 1;
  const at::Tensor v = phi.to(leaves.a.scalar_type()) + factor * leaves.a.mm(leaves.b);
  const at::Tensor q = (v + (unrounded.round() - v).detach()).clamp(-high - 1, high);
  const at::Tensor s = leaves.s.repeat_interleave(group, 1).narrow(1, 0, phi.size(1));
  const at::Tensor weight = (s * q).to(leaves.x.scalar_type());
  return at::linear(leaves.x, weight, leaves.bias.to(leaves.x.scalar_type()));
}

// Largest difference as a share of the largest value.
double Gap(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

TEST(LrQatGradient, EqualsPlainAutograd) {
  for (const LrQatGeometry& g : LrQatGeometries()) {
    const int64_t group = g.granularity == "group" ? g.group : g.features;
    for (const char* storage : {"fp32", "fixed", "int4"}) {
      for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
        OptionValues options = g.Values();
        options["frozen"] = std::string(storage);
        options["bits"] = int64_t{3};
        auto op = AttachLrQat(options, Values({g.rows, g.features}, 3));
        Disturb(*op);
        const at::Tensor bias = Values({g.rows}, 5).requires_grad_();
        const at::Tensor x = Values({2, 7, g.features}, 4, dtype).requires_grad_();
        const at::Tensor up = Values({2, 7, g.rows}, 6, dtype);
        op->Forward(x, bias).backward(up);

        Leaves leaves = LeavesOf(*op, x, bias, at::kFloat);
        leaves.x = x.detach().clone().requires_grad_();
        const at::Tensor phi = FrozenOf(*op, storage, 3, g.rows, g.features);
        Plain(leaves, phi, op->UnroundedWeight(), 2.0, 3, group).backward(up);
        const double tolerance = dtype == at::kFloat ? 1e-5 : 1e-2;
        EXPECT_EQ(x.grad().scalar_type(), dtype);
        EXPECT_EQ(x.grad().sizes(), x.sizes());
        EXPECT_LT(Gap(x.grad(), leaves.x.grad()), tolerance);
        EXPECT_LT(Gap(ParameterOf(*op, "adapter.a").grad(), leaves.a.grad()), tolerance);
        EXPECT_LT(Gap(ParameterOf(*op, "adapter.b").grad(), leaves.b.grad()), tolerance);
        EXPECT_LT(Gap(ParameterOf(*op, "scale.value").grad(), leaves.s.grad()), tolerance);
        EXPECT_LT(Gap(bias.grad(), leaves.bias.grad()), tolerance);
      }
    }
  }
}

// The surrogate whose gradient is promised: rounding is a shift that is held fixed, clipping is as
// it is at the point. In FP64, so that differences are good to eight digits.
TEST(LrQatGradient, EqualsFiniteDifferencesOfTheSurrogate) {
  const int64_t rows = 5, features = 12, group = 4, bits = 3;
  auto op = AttachLrQat({{"granularity", std::string("group")},
                         {"group", group},
                         {"bits", bits},
                         {"frozen", std::string("fp32")}},
                        Values({rows, features}, 3));
  Disturb(*op);
  const at::Tensor x = Values({6, features}, 4).requires_grad_();
  const at::Tensor bias = Values({rows}, 5).requires_grad_();
  const at::Tensor up = Values({6, rows}, 6);
  op->Forward(x, bias).backward(up);

  const at::Tensor phi = BufferOf(*op, "frozen").to(at::kDouble);
  Leaves at_point = LeavesOf(*op, x, bias, at::kDouble);
  const at::NoGradGuard no_grad;
  const at::Tensor v0 = phi + 2.0 * at_point.a.mm(at_point.b);
  const at::Tensor shift = v0.round() - v0;
  const at::Tensor inside = v0.round().ge(-4).logical_and(v0.round().le(3));
  ASSERT_TRUE(inside.any().item<bool>());
  ASSERT_FALSE(inside.all().item<bool>());
  const auto loss = [&] {
    const at::Tensor v = phi + 2.0 * at_point.a.mm(at_point.b) + shift;
    const at::Tensor q = at::where(inside, v, v0.round().clamp(-4, 3));
    const at::Tensor weight = at_point.s.repeat_interleave(group, 1) * q;
    return (at::linear(at_point.x, weight, at_point.bias) * up).sum().item<double>();
  };
  const auto check = [&](at::Tensor leaf, const at::Tensor& gradient, const char* name) {
    const at::Tensor flat = leaf.view({-1});
    for (int64_t i = 0; i < flat.numel(); ++i) {
      const double value = flat[i].item<double>();
      const double h = 1e-4;
      flat[i] = value + h;
      const double above = loss();
      flat[i] = value - h;
      const double below = loss();
      flat[i] = value;
      const double expected = (above - below) / (2 * h);
      const double got = gradient.contiguous().view({-1})[i].item<double>();
      EXPECT_NEAR(got, expected, 3e-5 * (1 + std::fabs(expected))) << name << " " << i;
    }
  };
  check(at_point.x, x.grad(), "x");
  check(at_point.a, ParameterOf(*op, "adapter.a").grad(), "A");
  check(at_point.b, ParameterOf(*op, "adapter.b").grad(), "B");
  check(at_point.s, ParameterOf(*op, "scale.value").grad(), "s");
  check(at_point.bias, bias.grad(), "bias");
}

TEST(LrQatGradient, WantsNoMoreThanWhatIsAskedFor) {
  auto op = AttachLrQat({}, Values({8, 40}, 3));
  Disturb(*op);
  const at::Tensor up = Values({6, 8}, 6);
  // The first linear behind a frozen embedding: x has no gradient.
  op->Forward(Values({6, 40}, 4), {}).backward(up);
  const at::Tensor a = ParameterOf(*op, "adapter.a").grad().clone();
  // Only x wants one.
  auto fixed = AttachLrQat({}, Values({8, 40}, 3));
  Disturb(*fixed);
  for (const NamedParameter& p : fixed->Parameters()) at::Tensor(p.tensor).requires_grad_(false);
  const at::Tensor x = Values({6, 40}, 4).requires_grad_();
  fixed->Forward(x, {}).backward(up);
  EXPECT_TRUE(at::allclose(x.grad(), up.mm(fixed->EffectiveWeight()), 1e-5, 1e-6));
  EXPECT_FALSE(ParameterOf(*fixed, "adapter.a").grad().defined());
  EXPECT_GT(a.abs().max().item<float>(), 0);
}

// Ŵ of 2048 x 1024 is 8 MiB in FP32; x and y are 32 and 64 KiB, A and B 48 KiB together.
TEST(LrQatMemory, NothingTheSizeOfTheWeightIsKeptForTheBackwardPass) {
  const int64_t out = 2048, in = 1024, weight_bytes = 4 * out * in;
  // A block of rows in FP32 and what is worked out beside it.
  const int64_t blocks = 8 * 4 * lr_qat::kBlockElements;
  auto op = AttachLrQat({{"frozen", std::string("int4")}}, Values({out, in}, 3));
  const at::Tensor x = Values({8, in}, 4).requires_grad_();
  TensorMemory memory;
  at::Tensor y = op->Forward(x, {});
  const int64_t kept = TensorMemory::live();
  const int64_t forward_peak = TensorMemory::peak();
  EXPECT_LT(kept, 128 << 10) << "bytes held between the passes, of which 65536 are y";
  EXPECT_GT(forward_peak, weight_bytes);
  EXPECT_LT(forward_peak, weight_bytes + blocks);
  TensorMemory::ResetPeak();
  y.sum().backward();
  // Ŵ once more, and blocks of its gradient.
  EXPECT_LT(TensorMemory::peak(), weight_bytes + blocks + (512 << 10));
  y = at::Tensor();
  // The gradients of x, A, B and s.
  EXPECT_LT(TensorMemory::live(), 256 << 10);

  // In BF16 the transient weight is half as large.
  const at::Tensor half = Values({8, in}, 4, at::kBFloat16);
  TensorMemory::ResetPeak();
  const int64_t before = TensorMemory::live();
  y = op->Forward(half, {});
  EXPECT_LT(TensorMemory::peak() - before, weight_bytes / 2 + blocks);

  // That the count would see a weight that is kept: plain autograd keeps several.
  y = at::Tensor();
  const int64_t empty = TensorMemory::live();
  const at::Tensor bias = at::zeros({out});
  const Leaves leaves = LeavesOf(*op, x, bias, at::kFloat);
  y = Plain(leaves, FrozenOf(*op, "int4", 4, out, in), op->UnroundedWeight(), 2.0, 4, in);
  EXPECT_GT(TensorMemory::live() - empty, 2 * weight_bytes);
}

}  // namespace
}  // namespace qatlas::testing
