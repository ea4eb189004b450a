// Norm, rotary embedding, SwiGLU and cross-entropy against their plain versions.
#include <qatlas/kernels/cross_entropy.h>
#include <qatlas/kernels/rms_norm.h>
#include <qatlas/kernels/rotary.h>
#include <qatlas/kernels/swiglu.h>

#include "tests/kernels/reference.h"
#include "tests/kernels/support.h"

namespace qatlas::kernels {
namespace {

const std::int64_t kShapes[][2] = {{1, 1},  {1, 3},   {3, 1},   {17, 17},  {2, 31},   {5, 32},
                                   {3, 33}, {66, 64}, {2, 100}, {130, 40}, {2, 1024}, {1, 1027}};

TEST(CrossEntropyTest, AgreesWithThePlainVersion) {
  ForEachIsa([] {
    for (const auto& [rows, vocab] : kShapes) {
      for (const float scale : {1.0f, 60.0f}) {
        SCOPED_TRACE(std::to_string(rows) + "x" + std::to_string(vocab));
        Random random(rows * vocab);
        const std::vector<float> x = random.Vector(rows * vocab, scale);
        std::vector<std::int64_t> targets;
        for (std::int64_t r = 0; r < rows; ++r) {
          targets.push_back(static_cast<std::int64_t>(random.Next() % vocab));
        }
        if (rows > 2) targets[1] = kIgnoredTarget;
        const auto want = reference::CrossEntropy(vocab, x, targets, 0.25);
        Guarded<float> logits(x);
        Guarded<float> loss(rows);
        CrossEntropy({0, rows}, vocab, logits.data(), targets.data(), loss.data());
        EXPECT_TRUE(Near(loss.values(), want.loss, 1e-6));
        EXPECT_TRUE(SameBits(logits.values(), x));
        Guarded<float> grad(rows * vocab);
        CrossEntropyWithGrad({0, rows}, vocab, logits.data(), targets.data(), 0.25f, loss.data(),
                             grad.data());
        EXPECT_TRUE(Near(loss.values(), want.loss, 1e-6));
        EXPECT_TRUE(Near(grad.values(), want.grad, 1e-6));
        CrossEntropyWithGrad({0, rows}, vocab, logits.data(), targets.data(), 0.25f, loss.data(),
                             logits.data());
        EXPECT_TRUE(SameBits(logits.values(), grad.values()));
        const std::vector<float> factors = random.Vector(rows);
        ScaleRows({0, rows}, vocab, factors.data(), grad.data());
        for (std::int64_t i = 0; i < rows * vocab; ++i) {
          ASSERT_EQ(grad[i], logits[i] * factors[i / vocab]);
        }
        EXPECT_TRUE(loss.Intact() && grad.Intact() && logits.Intact());
      }
    }
  });
}

TEST(CrossEntropyTest, OddLogits) {
  ForEachIsa([] {
    const std::int64_t target = 2;
    float loss;
    const auto run = [&](std::vector<float> x) {
      CrossEntropyWithGrad({0, 1}, static_cast<std::int64_t>(x.size()), x.data(), &target, 1.0f,
                           &loss, x.data());
      return x;
    };
    // Masked logits have probability exactly 0.
    std::vector<float> masked(21, -kInf);
    masked[2] = 1.0f;
    masked[20] = 1.0f;
    const std::vector<float> grad = run(masked);
    EXPECT_NEAR(loss, std::log(2.0), 1e-6);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(grad[i], i == 2 ? -0.5f : 0.0f);
    run(std::vector<float>(21, 3e38f));
    EXPECT_NEAR(loss, std::log(21.0), 1e-6);
    for (const float odd : {kNan, kInf}) {
      std::vector<float> x(21, 0.0f);
      x[17] = odd;
      run(x);
      EXPECT_TRUE(std::isnan(loss));
    }
    const std::int64_t wrong = 21;
    std::vector<float> x(21, 0.0f);
    EXPECT_DEATH(CrossEntropy({0, 1}, 21, x.data(), &wrong, &loss), "outside the vocabulary");
  });
}

TEST(RmsNormTest, AgreesWithThePlainVersion) {
  ForEachIsa([] {
    for (const auto& [rows, cols] : kShapes) {
      SCOPED_TRACE(std::to_string(rows) + "x" + std::to_string(cols));
      Random random(rows + cols);
      const std::vector<float> values = random.Vector(rows * cols, 3.0f);
      const std::vector<float> weight = random.Vector(cols);
      const std::vector<float> upstream = random.Vector(rows * cols);
      const double eps = 1e-5;
      const RowRange all{0, rows};
      const auto want = reference::RmsNorm(cols, values, weight, static_cast<float>(eps));
      Guarded<float> x(values);
      Guarded<float> y(rows * cols);
      Guarded<float> rstd(rows);
      RmsNorm(all, cols, x.data(), weight.data(), 1e-5f, y.data(), rstd.data());
      EXPECT_TRUE(Near(y.values(), want.y, 2e-6));
      EXPECT_TRUE(Near(rstd.values(), want.rstd, 2e-6));

      const auto gradients =
          reference::RmsNormBackward(cols, values, weight, static_cast<float>(eps), upstream);
      Guarded<float> grad(upstream);
      Guarded<float> grad_x(rows * cols);
      Guarded<float> partials(std::vector<float>(BlocksOf(rows) * cols, 0.0f));
      for (std::int64_t b = 0; b < BlocksOf(rows); ++b) {
        RmsNormBackward({b * kRowsPerBlock, std::min(rows, (b + 1) * kRowsPerBlock)}, cols,
                        x.data(), weight.data(), rstd.data(), grad.data(), nullptr, grad_x.data(),
                        partials.data() + b * cols);
      }
      Guarded<float> grad_weight(cols);
      SumBlocks(partials.data(), BlocksOf(rows), cols, grad_weight.data());
      EXPECT_TRUE(Near(grad_x.values(), gradients.x, 1e-5));
      EXPECT_TRUE(Near(grad_weight.values(), gradients.weight, 1e-5));
      EXPECT_TRUE(y.Intact() && rstd.Intact() && grad_x.Intact() && partials.Intact());

      // Fused with the addition; gradients from elsewhere are added, in place.
      const std::vector<float> half = random.Vector(rows * cols);
      std::vector<float> rest(values);
      std::vector<float> total(values);
      for (std::size_t i = 0; i < rest.size(); ++i) {
        rest[i] = values[i] - half[i];
        total[i] = rest[i] + half[i];
      }
      Guarded<float> a(half);
      Guarded<float> b(rest);
      Guarded<float> sum(rows * cols);
      AddRmsNorm(all, cols, a.data(), b.data(), weight.data(), 1e-5f, sum.data(), y.data(),
                 rstd.data());
      EXPECT_TRUE(SameBits(sum.values(), total));
      EXPECT_TRUE(Near(y.values(), reference::RmsNorm(cols, total, weight, 1e-5f).y, 2e-6));
      Guarded<float> elsewhere(half);
      RmsNorm(all, cols, x.data(), weight.data(), 1e-5f, y.data(), rstd.data());
      RmsNormBackward(all, cols, x.data(), weight.data(), rstd.data(), grad.data(),
                      elsewhere.data(), elsewhere.data(), nullptr);
      std::vector<double> with_half = gradients.x;
      for (std::size_t i = 0; i < with_half.size(); ++i) with_half[i] += half[i];
      EXPECT_TRUE(Near(elsewhere.values(), with_half, 1e-5));
      EXPECT_TRUE(sum.Intact() && elsewhere.Intact());
    }
  });
}

TEST(RmsNormTest, BackwardIsTheDerivative) {
  const std::int64_t cols = 9;
  Random random(2);
  const std::vector<float> x = random.Vector(cols);
  const std::vector<float> weight = random.Vector(cols);
  const std::vector<float> grad = random.Vector(cols);
  const auto loss = [&](const std::vector<float>& at) {
    const auto y = reference::RmsNorm(cols, at, weight, 1e-3).y;
    double sum = 0.0;
    for (std::int64_t j = 0; j < cols; ++j) sum += y[j] * grad[j];
    return sum;
  };
  ForEachIsa([&] {
    std::vector<float> y(cols), rstd(1), grad_x(cols);
    RmsNorm({0, 1}, cols, x.data(), weight.data(), 1e-3f, y.data(), rstd.data());
    RmsNormBackward({0, 1}, cols, x.data(), weight.data(), rstd.data(), grad.data(), nullptr,
                    grad_x.data(), nullptr);
    for (std::int64_t j = 0; j < cols; ++j) {
      std::vector<float> up = x, down = x;
      up[j] += 0.0009765625f;
      down[j] -= 0.0009765625f;
      EXPECT_NEAR(grad_x[j], (loss(up) - loss(down)) / (up[j] - down[j]), 1e-4);
    }
  });
}

TEST(RmsNormTest, NanStaysInItsRow) {
  ForEachIsa([] {
    std::vector<float> x(40, 1.0f), weight(20, 1.0f), y(40), rstd(2);
    x[25] = kNan;
    RmsNorm({0, 2}, 20, x.data(), weight.data(), 1e-5f, y.data(), rstd.data());
    for (int i = 0; i < 40; ++i) EXPECT_EQ(std::isnan(y[i]), i >= 20);
  });
}

TEST(RotaryTest, RotatesHeadsInsideAPackedBuffer) {
  ForEachIsa([] {
    for (const std::int64_t head_dim : {2, 6, 16, 32, 34, 64}) {
      const std::int64_t batch = 2, seq = 3, heads = 3, half = head_dim / 2;
      const std::int64_t width = (heads + 1) * head_dim + 1;
      Random random(head_dim);
      const std::vector<float> values = random.Vector(batch * seq * width);
      std::vector<float> angles = random.Vector(seq * half, 3.0f);
      std::vector<float> cos, sin;
      for (const float a : angles) {
        cos.push_back(std::cos(a));
        sin.push_back(std::sin(a));
      }
      const HeadsView view{seq * width, width, head_dim};
      const HeadsView dense{heads * seq * head_dim, head_dim, seq * head_dim};
      Guarded<float> x(values);
      Guarded<float> out(batch * heads * seq * head_dim);
      Rotary({0, batch * seq}, seq, heads, head_dim, cos.data(), sin.data(), false, x.data(), view,
             out.data(), dense);
      for (std::int64_t i = 0; i < out.size(); ++i) {
        const std::int64_t d = i % head_dim, t = i / head_dim % seq;
        const std::int64_t h = i / (head_dim * seq) % heads, b = i / (head_dim * seq * heads);
        const std::int64_t at = (b * seq + t) * width + h * head_dim;
        const std::int64_t pair = d % half;
        const double low = values[at + pair], high = values[at + pair + half];
        const double c = cos[t * half + pair], s = sin[t * half + pair];
        EXPECT_NEAR(out[i], d < half ? low * c - high * s : high * c + low * s, 1e-6);
      }
      // In place the same; what lies beside the heads is untouched; the inverse undoes it.
      Rotary({0, batch * seq}, seq, heads, head_dim, cos.data(), sin.data(), false, x.data(), view,
             x.data(), view);
      Guarded<float> copied(out.size());
      CopyHeads({0, batch * seq}, seq, heads, head_dim, x.data(), view, copied.data(), dense);
      EXPECT_TRUE(SameBits(copied.values(), out.values()));
      for (std::int64_t i = 0; i < x.size(); ++i) {
        if (i % width >= heads * head_dim) {
          EXPECT_EQ(x[i], values[i]);
        }
      }
      Rotary({0, batch * seq}, seq, heads, head_dim, cos.data(), sin.data(), true, x.data(), view,
             x.data(), view);
      EXPECT_TRUE(Near(x.values(), std::vector<double>(values.begin(), values.end()), 1e-6));
      EXPECT_TRUE(x.Intact() && out.Intact() && copied.Intact());
    }
  });
}

TEST(SwiGluTest, AgreesWithThePlainVersion) {
  ForEachIsa([] {
    for (const auto& [rows, width] : kShapes) {
      SCOPED_TRACE(std::to_string(rows) + "x" + std::to_string(width));
      Random random(rows * 7 + width);
      std::vector<float> values = random.Vector(rows * 2 * width, 8.0f);
      values[0] = -120.0f;
      values[2 * rows * width - 1] = 100.0f;
      const std::vector<float> upstream = random.Vector(rows * width);
      Guarded<float> x(values);
      Guarded<float> out(rows * width);
      SwiGlu({0, rows}, width, x.data(), out.data());
      EXPECT_TRUE(Near(out.values(), reference::SwiGlu(width, values), 1e-6));
      Guarded<float> grad(upstream);
      const auto want = reference::SwiGluBackward(width, values, upstream);
      Guarded<float> grad_x(2 * rows * width);
      SwiGluBackward({0, rows}, width, x.data(), grad.data(), grad_x.data());
      EXPECT_TRUE(Near(grad_x.values(), want, 2e-6));
      SwiGluBackward({0, rows}, width, x.data(), grad.data(), x.data());
      EXPECT_TRUE(SameBits(x.values(), grad_x.values()));
      EXPECT_TRUE(x.Intact() && out.Intact() && grad_x.Intact());
    }
  });
}

TEST(SwiGluTest, BackwardIsTheDerivative) {
  const std::vector<float> x = {0.7f, -1.3f, 2.5f, -4.0f, 1.1f, 0.3f};
  const std::vector<float> grad = {0.5f, -2.0f, 1.0f};
  ForEachIsa([&] {
    std::vector<float> grad_x(6);
    SwiGluBackward({0, 1}, 3, x.data(), grad.data(), grad_x.data());
    for (int i = 0; i < 6; ++i) {
      std::vector<float> up = x, down = x;
      up[i] += 0.0009765625f;
      down[i] -= 0.0009765625f;
      const auto a = reference::SwiGlu(3, up), b = reference::SwiGlu(3, down);
      double sum = 0.0;
      for (int j = 0; j < 3; ++j) sum += grad[j] * (a[j] - b[j]);
      EXPECT_NEAR(grad_x[i], sum / (up[i] - down[i]), 1e-5);
    }
  });
}

TEST(SwiGluTest, NanAndInfinity) {
  ForEachIsa([] {
    std::vector<float> x(2 * 11, 1.0f), out(11);
    x[3] = kNan;
    x[4] = kInf;
    x[11 + 5] = kNan;
    SwiGlu({0, 1}, 11, x.data(), out.data());
    for (int i = 0; i < 11; ++i) EXPECT_EQ(std::isnan(out[i]), i == 3 || i == 5) << i;
    EXPECT_EQ(out[4], kInf);
  });
}

}  // namespace
}  // namespace qatlas::kernels
