// Autograd of norm, rotary embedding, SwiGLU and cross-entropy against ATen's operations.
#include <gtest/gtest.h>
#include <qatlas/kernels/torch/attention.h>
#include <qatlas/kernels/torch/cross_entropy.h>
#include <qatlas/kernels/torch/rms_norm.h>
#include <qatlas/kernels/torch/rotary.h>
#include <qatlas/kernels/torch/swiglu.h>

#include "tests/kernels/torch/support.h"

namespace qatlas::kernels {
namespace {

TEST(RmsNormTorchTest, AgreesWithComposition) {
  const at::Tensor x0 = Random({3, 70, 96}, 2.0, 1);
  const at::Tensor w0 = Random({96}, 1.0, 2);
  const at::Tensor g = Random({3, 70, 96}, 1.0, 3);
  const at::Tensor x = Leaf(x0), w = Leaf(w0), x_ref = Leaf(x0), w_ref = Leaf(w0);
  const at::Tensor y = RmsNorm(x, w, 1e-5);
  const at::Tensor want = internal::RmsNormComposed(x_ref, w_ref, 1e-5);
  ExpectClose(y, want, 1e-6);
  y.backward(g);
  want.backward(g);
  ExpectClose(x.grad(), x_ref.grad(), 1e-6);
  ExpectClose(w.grad(), w_ref.grad(), 1e-5);
  EXPECT_EQ(RmsNorm(x0.to(at::kBFloat16), w0, 1e-5).scalar_type(), at::kBFloat16);
  EXPECT_THROW(RmsNorm(x0, Random({95}, 1.0, 4), 1e-5), c10::Error);
}

TEST(RmsNormTorchTest, FusedAdditionAgreesWithComposition) {
  const at::Tensor a0 = Random({5, 33}, 1.0, 5), b0 = Random({5, 33}, 1.0, 6);
  const at::Tensor w0 = Random({33}, 1.0, 7);
  const at::Tensor g = Random({5, 33}, 1.0, 8), h = Random({5, 33}, 1.0, 9);
  for (const bool use_sum : {true, false}) {
    for (const bool use_y : {true, false}) {
      if (!use_sum && !use_y) continue;
      const at::Tensor a = Leaf(a0), b = Leaf(b0), w = Leaf(w0);
      const at::Tensor a_ref = Leaf(a0), b_ref = Leaf(b0), w_ref = Leaf(w0);
      auto [sum, y] = AddRmsNorm(a, b, w, 1e-5);
      const at::Tensor sum_ref = a_ref + b_ref;
      const at::Tensor y_ref = internal::RmsNormComposed(sum_ref, w_ref, 1e-5);
      EXPECT_TRUE(at::equal(sum, sum_ref));
      ExpectClose(y, y_ref, 1e-6);
      const auto loss = [&](const at::Tensor& s, const at::Tensor& out) {
        at::Tensor total = at::zeros({});
        if (use_sum) total = total + (s * g).sum();
        if (use_y) total = total + (out * h).sum();
        return total;
      };
      loss(sum, y).backward();
      loss(sum_ref, y_ref).backward();
      ExpectClose(a.grad(), a_ref.grad(), 1e-6);
      ExpectClose(b.grad(), b_ref.grad(), 1e-6);
      if (use_y) ExpectClose(w.grad(), w_ref.grad(), 1e-5);
    }
  }
}

struct RotaryCase {
  std::int64_t heads;
  std::int64_t kv_heads;
  std::int64_t head_dim;
};

TEST(RotaryTorchTest, AgreesWithComposition) {
  for (const RotaryCase c : {RotaryCase{4, 2, 32}, RotaryCase{3, 3, 10}, RotaryCase{1, 1, 2}}) {
    const std::int64_t batch = 2, seq = 9;
    const at::Tensor x0 = Random({batch, seq, (c.heads + 2 * c.kv_heads) * c.head_dim}, 1.0, 11);
    const at::Tensor angle = Random({seq + 3, c.head_dim / 2}, 2.0, 12);
    const at::Tensor cos = angle.cos(), sin = angle.sin();
    const auto composed = [&](const at::Tensor& x) {
      const auto parts = x.view({batch, seq, c.heads + 2 * c.kv_heads, c.head_dim}).transpose(1, 2);
      const at::Tensor co = cos.narrow(0, 0, seq), si = sin.narrow(0, 0, seq);
      return std::make_tuple(internal::RotateComposed(parts.narrow(1, 0, c.heads), co, si),
                             internal::RotateComposed(parts.narrow(1, c.heads, c.kv_heads), co, si),
                             parts.narrow(1, c.heads + c.kv_heads, c.kv_heads));
    };
    const at::Tensor gq = Random({batch, c.heads, seq, c.head_dim}, 1.0, 13);
    const at::Tensor gk = Random({batch, c.kv_heads, seq, c.head_dim}, 1.0, 14);
    const at::Tensor gv = Random({batch, seq, c.kv_heads, c.head_dim}, 1.0, 15).transpose(1, 2);
    for (const bool overwrite : {false, true}) {
      const at::Tensor x = Leaf(x0), x_ref = Leaf(x0);
      auto [q, k, v] = ApplyRotary(x * 1.0, cos, sin, c.heads, c.kv_heads, overwrite);
      auto [q_ref, k_ref, v_ref] = composed(x_ref);
      ExpectClose(q, q_ref, 1e-6);
      ExpectClose(k, k_ref, 1e-6);
      EXPECT_TRUE(at::equal(v, v_ref));
      ((q * gq).sum() + (k * gk).sum() + (v * gv).sum()).backward();
      ((q_ref * gq).sum() + (k_ref * gk).sum() + (v_ref * gv).sum()).backward();
      ExpectClose(x.grad(), x_ref.grad(), 1e-6);
    }
    // The input is untouched unless asked for; unused parts get gradient 0.
    const at::Tensor x = Leaf(x0);
    auto [q, k, v] = ApplyRotary(x, cos, sin, c.heads, c.kv_heads);
    EXPECT_TRUE(at::equal(x, x0));
    (k * gk).sum().backward();
    const at::Tensor x_ref = Leaf(x0);
    (std::get<1>(composed(x_ref)) * gk).sum().backward();
    ExpectClose(x.grad(), x_ref.grad(), 1e-6);
    EXPECT_THROW(ApplyRotary(x, cos, sin, c.heads, c.kv_heads, true), c10::Error);
  }
}

TEST(RotaryTorchTest, FeedsAttention) {
  const std::int64_t heads = 4, kv_heads = 2, head_dim = 32, batch = 2, seq = 40;
  const at::Tensor x0 = Random({batch, seq, (heads + 2 * kv_heads) * head_dim}, 1.0, 16);
  const at::Tensor angle = Random({seq, head_dim / 2}, 1.0, 17);
  const at::Tensor g = Random({batch, heads, seq, head_dim}, 1.0, 18);
  const auto run = [&](bool fused) {
    const at::Tensor x = Leaf(x0);
    at::Tensor q, k, v;
    if (fused) {
      std::tie(q, k, v) = ApplyRotary(x * 1.0, angle.cos(), angle.sin(), heads, kv_heads, true);
    } else {
      const at::Tensor parts = x.view({batch, seq, heads + 2 * kv_heads, head_dim}).transpose(1, 2);
      q = internal::RotateComposed(parts.narrow(1, 0, heads), angle.cos(), angle.sin());
      k = internal::RotateComposed(parts.narrow(1, heads, kv_heads), angle.cos(), angle.sin());
      v = parts.narrow(1, heads + kv_heads, kv_heads).contiguous();
    }
    const at::Tensor out = at::scaled_dot_product_attention(q, k, v, {}, 0.0, /*is_causal=*/true,
                                                            std::nullopt, /*enable_gqa=*/true);
    (out * g).sum().backward();
    return std::make_pair(out.detach(), x.grad());
  };
  const auto [out, grad] = run(true);
  const auto [want, want_grad] = run(false);
  ExpectClose(out, want, 1e-5);
  ExpectClose(grad, want_grad, 1e-5);
}

TEST(AttentionTorchTest, AgreesWithAten) {
  struct {
    std::int64_t heads, kv_heads, head_dim, seq;
    std::optional<double> scale;
  } const cases[] = {{4, 4, 32, 70, {}}, {6, 2, 20, 33, .5}, {2, 1, 64, 256, {}}};
  for (const auto& c : cases) {
    // As the rotary embedding leaves them: strided views of one packed buffer.
    const at::Tensor x0 = Random({2, c.seq, (c.heads + 2 * c.kv_heads) * c.head_dim}, 1.0, 41);
    const at::Tensor g = Random({2, c.heads, c.seq, c.head_dim}, 1.0, 42);
    const auto run = [&](bool fused) {
      const at::Tensor x = Leaf(x0);
      const at::Tensor parts =
          x.view({2, c.seq, c.heads + 2 * c.kv_heads, c.head_dim}).transpose(1, 2);
      const at::Tensor q = parts.narrow(1, 0, c.heads);
      const at::Tensor k = parts.narrow(1, c.heads, c.kv_heads);
      const at::Tensor v = parts.narrow(1, c.heads + c.kv_heads, c.kv_heads);
      const at::Tensor out =
          fused ? CausalAttention(q, k, v, c.scale)
                : at::scaled_dot_product_attention(q, k, v, {}, 0.0, /*is_causal=*/true, c.scale,
                                                   /*enable_gqa=*/true);
      // An expanded gradient, whose strides are 0, and a dense one.
      (out * g).sum().backward({}, /*retain_graph=*/true);
      out.backward(at::ones({}).expand(out.sizes()));
      return std::make_pair(out.detach(), x.grad());
    };
    const auto [out, grad] = run(true);
    const auto [want, want_grad] = run(false);
    ExpectClose(out, want, 1e-5);
    ExpectClose(grad, want_grad, 1e-5);
    EXPECT_TRUE(out.transpose(1, 2).is_contiguous());
  }
  const at::Tensor q = Random({1, 3, 5, 4}, 1.0, 43);
  EXPECT_THROW(CausalAttention(q, q.narrow(1, 0, 2), q.narrow(1, 0, 2)), c10::Error);
  // Elsewhere than on the CPU in FP32 it is ATen's.
  const at::Tensor half = q.to(at::kBFloat16);
  EXPECT_TRUE(at::equal(CausalAttention(half, half, half),
                        at::scaled_dot_product_attention(half, half, half, {}, 0.0, true)));
}

TEST(AttentionTorchTest, BitsDoNotDependOnThreads) {
  const at::Tensor x0 = Random({4, 6, 90, 16}, 1.0, 44);
  const at::Tensor g = Random({4, 6, 90, 16}, 1.0, 45);
  const auto run = [&](int threads) {
    const int before = at::get_num_threads();
    at::set_num_threads(threads);
    const at::Tensor x = Leaf(x0);
    const at::Tensor kv = x.narrow(1, 0, 2);
    const at::Tensor out = CausalAttention(x, kv, kv);
    (out * g).sum().backward();
    at::set_num_threads(before);
    return std::make_pair(out.detach(), x.grad());
  };
  const auto one = run(1), three = run(3);
  EXPECT_TRUE(at::equal(one.first, three.first));
  EXPECT_TRUE(at::equal(one.second, three.second));
}

TEST(SwiGluTorchTest, AgreesWithComposition) {
  const at::Tensor x0 = Random({3, 50, 2 * 37}, 3.0, 20);
  const at::Tensor g = Random({3, 50, 37}, 1.0, 21);
  const at::Tensor x = Leaf(x0), x_ref = Leaf(x0);
  const at::Tensor y = SwiGlu(x);
  const auto halves = x_ref.chunk(2, -1);
  const at::Tensor want = at::silu(halves[0]) * halves[1];
  ExpectClose(y, want, 1e-6);
  y.backward(g);
  want.backward(g);
  ExpectClose(x.grad(), x_ref.grad(), 1e-6);
  EXPECT_THROW(SwiGlu(Random({2, 3}, 1.0, 22)), c10::Error);
}

TEST(CrossEntropyTorchTest, MeanAndRowsAgreeWithAten) {
  const std::int64_t vocab = 131;
  const at::Tensor x0 = Random({4, 30, vocab}, 3.0, 23);
  at::manual_seed(24);
  const at::Tensor targets = at::randint(vocab, {4, 30}, at::kLong);
  targets[1][3] = kIgnoredTarget;
  for (const bool overwrite : {false, true}) {
    for (const double factor : {1.0, 0.25}) {
      const at::Tensor x = Leaf(x0), x_ref = Leaf(x0);
      const at::Tensor loss = CrossEntropy(x * 1.0, targets, overwrite);
      const at::Tensor want = at::cross_entropy_loss(x_ref.view({-1, vocab}), targets.view(-1));
      ExpectClose(loss, want, 1e-6);
      (loss * factor).backward();
      (want * factor).backward();
      ExpectClose(x.grad() * 100, x_ref.grad() * 100, 1e-6);
    }
    const at::Tensor x = Leaf(x0), x_ref = Leaf(x0);
    const at::Tensor weights = Random({120}, 1.0, 25);
    const at::Tensor rows = CrossEntropyRows(x * 1.0, targets, overwrite);
    const at::Tensor want =
        at::cross_entropy_loss(x_ref.view({-1, vocab}), targets.view(-1), {}, at::Reduction::None);
    ExpectClose(rows, want, 1e-6);
    (rows * weights).sum().backward();
    (want * weights).sum().backward();
    ExpectClose(x.grad(), x_ref.grad(), 1e-6);
  }
}

TEST(CrossEntropyTorchTest, OverwritesOnlyWhenAskedAndNeeded) {
  const at::Tensor x0 = Random({10, 17}, 1.0, 26);
  const at::Tensor targets = at::zeros({10}, at::kLong);
  const at::Tensor x = Leaf(x0);
  const at::Tensor loss = CrossEntropy(x, targets);
  loss.backward({}, /*retain_graph=*/true);
  const at::Tensor once = x.grad().clone();
  loss.backward();
  ExpectClose(x.grad(), once * 2, 1e-7);
  EXPECT_TRUE(at::equal(x, x0));
  at::Tensor plain = x0.clone();
  CrossEntropy(plain, targets, /*overwrite=*/true);
  EXPECT_TRUE(at::equal(plain, x0));
  const at::Tensor again = CrossEntropy(Leaf(x0) * 1.0, targets, /*overwrite=*/true);
  again.backward({}, /*retain_graph=*/true);
  EXPECT_THROW(again.backward(), c10::Error);
  EXPECT_THROW(CrossEntropy(x, targets, /*overwrite=*/true), c10::Error);
  targets[4] = 17;
  EXPECT_THROW(CrossEntropy(x, targets), c10::Error);
}

TEST(ParallelTest, UsesTheThreadsOfLibTorch) {
  const int before = at::get_num_threads();
  at::set_num_threads(2);
  std::atomic<int> ranges{0};
  ParallelRows(2048, 128, [&](RowRange) { ++ranges; });
  EXPECT_EQ(ranges, 2);
  at::set_num_threads(before);
}

}  // namespace
}  // namespace qatlas::kernels
