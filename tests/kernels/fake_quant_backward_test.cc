// Gradients of fake quantization against the plain version and against finite differences.
#include <qatlas/kernels/fake_quant.h>

#include "tests/kernels/reference.h"
#include "tests/kernels/support.h"

namespace qatlas::kernels {
namespace {

FakeQuantParams ParamsOf(std::int64_t rows, std::int64_t cols, std::int64_t group, ScaleIndex index,
                         RangeTest range) {
  FakeQuantParams p;
  p.rows = rows;
  p.cols = cols;
  p.group = group;
  p.short_last_group = cols % group != 0;
  p.index = index;
  p.range = range;
  SetBits(4, false, p);
  p.divisor = 8.0f;
  return p;
}

std::vector<float> EntriesFor(const FakeQuantParams& p, float from, float to) {
  Random random(5);
  std::vector<float> entries = random.Vector(reference::Entries(p));
  for (float& e : entries) e = from + (to - from) * (0.5f + 0.5f * e);
  return entries;
}

// Gradients as the adaptors make them: blocks of rows with partial sums for shared entries.
struct Gradients {
  std::vector<float> x;
  std::vector<float> entries;
};
template <typename T>
Gradients Differentiate(const FakeQuantParams& p, bool absmax, const std::vector<float>& x_in,
                        const std::vector<float>& entries, const std::vector<float>& grad_in) {
  Guarded<T> x(Converted<T>(x_in));
  Guarded<T> grad(Converted<T>(grad_in));
  Guarded<T> grad_x(p.rows * p.cols);
  const bool shared = p.index == ScaleIndex::kTensor || p.index == ScaleIndex::kGroup;
  const std::int64_t count = reference::Entries(p);
  Guarded<float> sums(std::vector<float>(count * (shared ? BlocksOf(p.rows) : 1), 0.0f));
  for (std::int64_t block = 0; block < BlocksOf(p.rows); ++block) {
    const RowRange range{block * kRowsPerBlock, std::min(p.rows, (block + 1) * kRowsPerBlock)};
    float* sum = sums.data() + (shared ? block * count : 0);
    if (absmax) {
      FakeQuantAbsMaxBackward(p, range, x.data(), entries.data(), grad.data(), grad_x.data(), sum);
    } else {
      FakeQuantScaleBackward(p, range, x.data(), entries.data(), grad.data(), grad_x.data(), sum);
    }
  }
  EXPECT_TRUE(grad_x.Intact() && sums.Intact());

  // Each gradient alone gives the same bits; grad_x may replace grad.
  Guarded<float> alone(std::vector<float>(count, 0.0f));
  if (!shared) {
    if (absmax) {
      FakeQuantAbsMaxBackward(p, {0, p.rows}, x.data(), entries.data(), grad.data(),
                              static_cast<T*>(nullptr), alone.data());
    } else {
      FakeQuantScaleBackward(p, {0, p.rows}, x.data(), entries.data(), grad.data(),
                             static_cast<T*>(nullptr), alone.data());
    }
    EXPECT_TRUE(SameBits(alone.values(), sums.values()));
  }
  if (absmax) {
    FakeQuantAbsMaxBackward(p, {0, p.rows}, x.data(), entries.data(), grad.data(), grad.data(),
                            nullptr);
  } else {
    FakeQuantScaleBackward(p, {0, p.rows}, x.data(), entries.data(), grad.data(), grad.data(),
                           nullptr);
  }
  EXPECT_TRUE(SameBits(grad.values(), grad_x.values()));

  Gradients result;
  for (const T v : grad_x.values()) result.x.push_back(element::ToFloat(v));
  result.entries.resize(count);
  SumBlocks(sums.data(), shared ? BlocksOf(p.rows) : 1, count, result.entries.data());
  return result;
}

template <typename T>
void CheckAgainstReference(const FakeQuantParams& p) {
  Random random(p.cols + p.rows);
  std::vector<float> x;
  for (const T v : Converted<T>(random.Vector(p.rows * p.cols, 4.0f))) {
    x.push_back(element::ToFloat(v));
  }
  // Zeros, a group of them where groups are small, and exact ties.
  for (std::int64_t i = 0; i < std::min<std::int64_t>(p.group, p.cols); ++i) x[i] = 0.0f;
  std::vector<float> grad;
  for (const T v : Converted<T>(random.Vector(p.rows * p.cols))) {
    grad.push_back(element::ToFloat(v));
  }
  for (const bool absmax : {true, false}) {
    const std::vector<float> entries =
        absmax ? EntriesFor(p, 0.4f, 1.2f) : EntriesFor(p, 0.2f, 0.6f);
    const Gradients got = Differentiate<T>(p, absmax, x, entries, grad);
    const auto want = reference::FakeQuantBackward(p, x, absmax, entries, grad);
    EXPECT_TRUE(Near(got.x, want.x, 0.0));
    EXPECT_TRUE(Near(got.entries, want.entries, 2e-5));
  }
}

TEST(FakeQuantBackwardTest, AgreesWithThePlainVersion) {
  const std::int64_t shapes[][3] = {{1, 1, 1},     {3, 3, 2},     {17, 17, 17},
                                    {5, 64, 32},   {130, 96, 32}, {65, 128, 64},
                                    {2, 256, 128}, {3, 100, 32},  {1, 384, 384}};
  ForEachIsa([&] {
    for (const auto& shape : shapes) {
      SCOPED_TRACE(std::to_string(shape[0]) + "x" + std::to_string(shape[1]));
      for (const ScaleIndex index :
           {ScaleIndex::kTensor, ScaleIndex::kRow, ScaleIndex::kRowGroup, ScaleIndex::kGroup}) {
        for (const RangeTest range : {RangeTest::kCode, RangeTest::kValue}) {
          const FakeQuantParams p = ParamsOf(shape[0], shape[1], shape[2], index, range);
          CheckAgainstReference<float>(p);
          CheckAgainstReference<Bf16>(p);
        }
      }
    }
  });
}

// The surrogate whose derivative the backward pass is: rounding replaced by adding the residual
// that it has at the point of differentiation. `code_before` decides which elements are clipped
// there.
double Surrogate(double x, double s, double x0, double s0, const FakeQuantParams& p) {
  const double v0 = x0 / s0;
  const double residual = std::nearbyint(v0) - v0;
  const double code = x / s + residual;
  return s * std::min(std::max(code, static_cast<double>(p.q_min)), static_cast<double>(p.q_max));
}

TEST(FakeQuantBackwardTest, IsTheDerivativeOfTheSurrogate) {
  const FakeQuantParams p = ParamsOf(3, 20, 7, ScaleIndex::kRowGroup, RangeTest::kCode);
  Random random(3);
  std::vector<float> x = random.Vector(60, 4.0f);
  const std::vector<float> grad = random.Vector(60);
  const std::vector<float> step = EntriesFor(p, 0.2f, 0.5f);
  // Not within reach of the kinks at q_min and q_max.
  for (std::int64_t i = 0; i < 60; ++i) {
    const double code = std::nearbyint(x[i] / step[reference::Entry(p, i / 20, i % 20)]);
    if (code == p.q_min || code == p.q_max) x[i] = 0.1f;
  }
  ForEachIsa([&] {
    const Gradients got = Differentiate<float>(p, false, x, step, grad);
    const double h = 1e-6;
    std::vector<double> by_step(step.size());
    for (std::int64_t i = 0; i < 60; ++i) {
      const std::int64_t entry = reference::Entry(p, i / 20, i % 20);
      const double s = step[entry];
      const double by_x =
          (Surrogate(x[i] + h, s, x[i], s, p) - Surrogate(x[i] - h, s, x[i], s, p)) / (2 * h);
      EXPECT_NEAR(got.x[i], grad[i] * by_x, 1e-6) << i;
      by_step[entry] += grad[i] *
                        (Surrogate(x[i], s + h, x[i], s, p) - Surrogate(x[i], s - h, x[i], s, p)) /
                        (2 * h);
    }
    EXPECT_TRUE(Near(got.entries, by_step, 1e-4));
  });
}

TEST(FakeQuantBackwardTest, RangeTestsDifferInTheLastHalfStep) {
  FakeQuantParams p = ParamsOf(1, 6, 6, ScaleIndex::kTensor, RangeTest::kCode);
  const std::vector<float> x = {7.4f, 7.6f, -8.4f, -8.6f, 6.0f, -8.0f};
  const std::vector<float> ones(6, 1.0f);
  const std::vector<float> step = {1.0f};
  ForEachIsa([&] {
    p.range = RangeTest::kCode;
    EXPECT_EQ(Differentiate<float>(p, false, x, step, ones).x,
              (std::vector<float>{1, 0, 1, 0, 1, 1}));
    p.range = RangeTest::kValue;
    EXPECT_EQ(Differentiate<float>(p, false, x, step, ones).x,
              (std::vector<float>{0, 0, 0, 0, 1, 1}));
  });
}

TEST(FakeQuantBackwardTest, KeepsNanVisible) {
  const FakeQuantParams p = ParamsOf(1, 33, 33, ScaleIndex::kRow, RangeTest::kCode);
  std::vector<float> x(33, 1.0f);
  x[20] = kNan;
  const std::vector<float> ones(33, 1.0f);
  ForEachIsa([&] {
    EXPECT_TRUE(std::isnan(Differentiate<float>(p, true, x, {1.0f}, ones).entries[0]));
    EXPECT_TRUE(std::isnan(Differentiate<float>(p, false, x, {0.3f}, ones).entries[0]));
    std::vector<float> grad = ones;
    grad[2] = kNan;
    EXPECT_TRUE(std::isnan(
        Differentiate<float>(p, false, std::vector<float>(33, 0.4f), {0.3f}, grad).x[2]));
  });
}

TEST(SumBlocksTest, AddsInTheOrderOfBlocks) {
  const std::int64_t blocks = 5;
  const std::int64_t cols = 131;
  Random random(1);
  Guarded<float> partials(random.Vector(blocks * cols));
  Guarded<float> sums(cols);
  SumBlocks(partials.data(), blocks, cols, sums.data());
  for (std::int64_t c = 0; c < cols; ++c) {
    double want = 0.0;
    for (std::int64_t b = 0; b < blocks; ++b) want += partials[b * cols + c];
    EXPECT_EQ(sums[c], static_cast<float>(want));
  }
  EXPECT_TRUE(sums.Intact());
}

}  // namespace
}  // namespace qatlas::kernels
