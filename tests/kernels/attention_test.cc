// Causal attention against its plain version, finite differences and its own borders.
#include <qatlas/kernels/attention.h>

#include <algorithm>

#include "tests/kernels/support.h"

namespace qatlas::kernels {
namespace {

struct AttentionCase {
  std::int64_t batch;
  AttentionShape shape;

  std::int64_t width() const { return (shape.heads + 2 * shape.kv_heads) * shape.head_dim; }
  // Queries, keys and values packed in one buffer; results with heads side by side.
  HeadsView packed() const { return {shape.seq * width(), width(), shape.head_dim}; }
  HeadsView dense() const {
    const std::int64_t row = shape.heads * shape.head_dim;
    return {shape.seq * row, row, shape.head_dim};
  }
  std::int64_t key_at() const { return shape.heads * shape.head_dim; }
  std::int64_t value_at() const { return (shape.heads + shape.kv_heads) * shape.head_dim; }
  std::int64_t packed_size() const { return batch * shape.seq * width(); }
  std::int64_t dense_size() const { return batch * shape.seq * shape.heads * shape.head_dim; }
  std::int64_t sums() const { return batch * shape.heads * shape.seq; }
};

AttentionCase MakeCase(std::int64_t batch, std::int64_t seq, std::int64_t heads,
                       std::int64_t kv_heads, std::int64_t head_dim) {
  return {batch,
          {seq, heads, kv_heads, head_dim,
           static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim)))}};
}

// Around the edges of tiles (6 rows), of blocks (48) and of vectors (4, 8, 16), and one of
// everything.
const AttentionCase kAttentionCases[] = {
    MakeCase(1, 1, 1, 1, 1),  MakeCase(2, 5, 3, 3, 2),   MakeCase(1, 6, 2, 1, 4),
    MakeCase(1, 7, 1, 1, 7),  MakeCase(1, 16, 4, 2, 16), MakeCase(2, 17, 2, 2, 20),
    MakeCase(1, 47, 2, 1, 8), MakeCase(1, 48, 1, 1, 32), MakeCase(1, 49, 6, 2, 33),
    MakeCase(1, 96, 1, 1, 3), MakeCase(1, 103, 2, 1, 80)};

struct Plain {
  std::vector<double> out;
  std::vector<double> log_sum;
  std::vector<double> grad;  // packed as the inputs
};

// Scalar, in double, one row after the other.
Plain PlainAttention(const AttentionCase& c, const std::vector<float>& qkv,
                     const std::vector<float>& grad_out) {
  const AttentionShape& s = c.shape;
  Plain plain{std::vector<double>(c.dense_size()), std::vector<double>(c.sums()),
              std::vector<double>(c.packed_size())};
  const std::int64_t d = s.head_dim;
  for (std::int64_t b = 0; b < c.batch; ++b) {
    for (std::int64_t h = 0; h < s.heads; ++h) {
      const std::int64_t kv = h / (s.heads / s.kv_heads);
      const auto row = [&](std::int64_t part, std::int64_t head, std::int64_t t) {
        return (b * s.seq + t) * c.width() + part + head * d;
      };
      for (std::int64_t t = 0; t < s.seq; ++t) {
        std::vector<double> p;
        double max = -1e300, sum = 0;
        for (std::int64_t j = 0; j <= t; ++j) {
          double score = 0;
          for (std::int64_t i = 0; i < d; ++i) {
            score += static_cast<double>(qkv[row(0, h, t) + i]) * qkv[row(c.key_at(), kv, j) + i];
          }
          p.push_back(score * s.scale);
          max = std::max(max, p.back());
        }
        for (double& x : p) sum += x = std::exp(x - max);
        const std::int64_t at = ((b * s.seq + t) * s.heads + h) * d;
        double delta = 0;
        for (std::int64_t j = 0; j <= t; ++j) p[j] /= sum;
        for (std::int64_t i = 0; i < d; ++i) {
          for (std::int64_t j = 0; j <= t; ++j) {
            plain.out[at + i] += p[j] * qkv[row(c.value_at(), kv, j) + i];
          }
          delta += plain.out[at + i] * grad_out[at + i];
        }
        plain.log_sum[(b * s.heads + h) * s.seq + t] = max + std::log(sum);
        for (std::int64_t j = 0; j <= t; ++j) {
          double product = 0;
          for (std::int64_t i = 0; i < d; ++i) {
            product += static_cast<double>(grad_out[at + i]) * qkv[row(c.value_at(), kv, j) + i];
          }
          const double ds = p[j] * (product - delta) * s.scale;
          for (std::int64_t i = 0; i < d; ++i) {
            plain.grad[row(c.value_at(), kv, j) + i] += p[j] * grad_out[at + i];
            plain.grad[row(0, h, t) + i] += ds * qkv[row(c.key_at(), kv, j) + i];
            plain.grad[row(c.key_at(), kv, j) + i] += ds * qkv[row(0, h, t) + i];
          }
        }
      }
    }
  }
  return plain;
}

struct FusedResult {
  std::vector<float> out;
  std::vector<float> log_sum;
  std::vector<float> grad;
};

// Units in pieces of `step`; checks that nothing beside the results is written.
FusedResult BothPasses(const AttentionCase& c, const std::vector<float>& qkv,
                       const std::vector<float>& grad_out, std::int64_t step = 1000) {
  Guarded<float> inputs(qkv), out(c.dense_size()), sums(c.sums()), grad(c.packed_size());
  Guarded<float> scratch(AttentionScratch(c.shape)), more(AttentionBackwardScratch(c.shape));
  // What scratch memory holds does not matter.
  std::fill_n(scratch.data(), scratch.size(), kNan);
  std::fill_n(more.data(), more.size(), kNan);
  const HeadsIn query{inputs.data(), c.packed()}, key{inputs.data() + c.key_at(), c.packed()},
      value{inputs.data() + c.value_at(), c.packed()};
  for (std::int64_t i = 0; i < c.batch * c.shape.heads; i += step) {
    CausalAttention({i, std::min(i + step, c.batch * c.shape.heads)}, c.shape, query, key, value,
                    {out.data(), c.dense()}, sums.data(), scratch.data());
  }
  for (std::int64_t i = 0; i < c.batch * c.shape.kv_heads; i += step) {
    CausalAttentionBackward({i, std::min(i + step, c.batch * c.shape.kv_heads)}, c.shape, query,
                            key, value, {out.data(), c.dense()}, sums.data(),
                            {grad_out.data(), c.dense()}, {grad.data(), c.packed()},
                            {grad.data() + c.key_at(), c.packed()},
                            {grad.data() + c.value_at(), c.packed()}, more.data());
  }
  EXPECT_TRUE(SameBits(inputs.values(), qkv));
  EXPECT_TRUE(out.Intact() && sums.Intact() && grad.Intact() && scratch.Intact() && more.Intact());
  return {out.values(), sums.values(), grad.values()};
}

TEST(AttentionTest, AgreesWithThePlainVersion) {
  ForEachIsa([] {
    for (const AttentionCase& c : kAttentionCases) {
      for (const float scale : {1.0f, 4.0f}) {
        SCOPED_TRACE(testing::Message() << "batch " << c.batch << ", seq " << c.shape.seq
                                        << ", heads " << c.shape.heads << "/" << c.shape.kv_heads
                                        << " of " << c.shape.head_dim << ", scale " << scale);
        Random random(c.packed_size());
        const std::vector<float> qkv = random.Vector(c.packed_size(), scale);
        const std::vector<float> grad_out = random.Vector(c.dense_size());
        const Plain want = PlainAttention(c, qkv, grad_out);
        const FusedResult got = BothPasses(c, qkv, grad_out);
        const double tolerance = scale > 1 ? 2e-5 : 2e-6;
        EXPECT_TRUE(Near(got.out, want.out, tolerance));
        EXPECT_TRUE(Near(got.log_sum, want.log_sum, tolerance));
        EXPECT_TRUE(Near(got.grad, want.grad, tolerance));
      }
    }
  });
}

TEST(AttentionTest, BackwardIsTheDerivative) {
  const AttentionCase c = MakeCase(1, 9, 2, 1, 3);
  Random random(5);
  const std::vector<float> qkv = random.Vector(c.packed_size());
  const std::vector<float> grad_out = random.Vector(c.dense_size());
  const auto loss = [&](const std::vector<float>& at) {
    const std::vector<double> out = PlainAttention(c, at, grad_out).out;
    double sum = 0;
    for (std::size_t i = 0; i < out.size(); ++i) sum += out[i] * grad_out[i];
    return sum;
  };
  ForEachIsa([&] {
    const std::vector<float> grad = BothPasses(c, qkv, grad_out).grad;
    for (std::size_t i = 0; i < qkv.size(); ++i) {
      std::vector<float> up = qkv, down = qkv;
      up[i] += 0.0009765625f;
      down[i] -= 0.0009765625f;
      EXPECT_NEAR(grad[i], (loss(up) - loss(down)) / (up[i] - down[i]), 1e-4);
    }
  });
}

TEST(AttentionTest, BitsDependNeitherOnTheSplitNorOnLaterTokens) {
  ForEachIsa([] {
    const AttentionCase c = MakeCase(2, 53, 4, 2, 24);
    Random random(6);
    std::vector<float> qkv = random.Vector(c.packed_size());
    const std::vector<float> grad_out = random.Vector(c.dense_size());
    const FusedResult whole = BothPasses(c, qkv, grad_out);
    const FusedResult split = BothPasses(c, qkv, grad_out, 1);
    EXPECT_TRUE(SameBits(whole.out, split.out));
    EXPECT_TRUE(SameBits(whole.grad, split.grad));
    // Other tokens from position 20 on, among them in the tile of rows 18 to 23.
    for (std::int64_t i = 20 * c.width(); i < 53 * c.width(); ++i) qkv[i] = random.Uniform();
    const FusedResult changed = BothPasses(c, qkv, grad_out);
    const std::int64_t row = c.shape.heads * c.shape.head_dim;
    for (std::int64_t i = 0; i < 20 * row; ++i) ASSERT_EQ(changed.out[i], whole.out[i]) << i;
    EXPECT_NE(changed.out[20 * row], whole.out[20 * row]);
  });
}

TEST(AttentionTest, OddValues) {
  ForEachIsa([] {
    const AttentionCase c = MakeCase(1, 20, 1, 1, 5);
    const std::vector<float> grad_out(c.dense_size(), 1.0f);
    // Equal scores: the mean of what a row sees; huge ones: the value at the largest.
    std::vector<float> qkv(c.packed_size(), 0.0f);
    for (std::int64_t t = 0; t < 20; ++t) qkv[t * 15 + 10] = static_cast<float>(t);
    std::vector<float> out = BothPasses(c, qkv, grad_out).out;
    for (std::int64_t t = 0; t < 20; ++t) EXPECT_NEAR(out[t * 5], static_cast<double>(t) / 2, 1e-5);
    for (std::int64_t t = 0; t < 20; ++t) {
      qkv[t * 15] = 1e4f;
      qkv[t * 15 + 5] = t == 3 ? 1e4f : -1e4f;
    }
    out = BothPasses(c, qkv, grad_out).out;
    for (std::int64_t t = 3; t < 20; ++t) EXPECT_EQ(out[t * 5], 3.0f);
    // A NaN shows in all rows that see it, and in none of the tiles before.
    qkv[13 * 15 + 5] = kNan;
    out = BothPasses(c, qkv, grad_out).out;
    for (std::int64_t t = 0; t < 20; ++t) {
      if (t != 12) {
        EXPECT_EQ(std::isnan(out[t * 5]), t > 12) << t;
      }
    }
  });
}

TEST(AttentionTest, WrongShapesAreRefused) {
  EXPECT_DEATH(AttentionScratch(MakeCase(1, 4, 3, 2, 4).shape), "kv_heads must divide heads");
  EXPECT_DEATH(AttentionScratch(MakeCase(1, 0, 2, 2, 4).shape), "sizes must be positive");
}

}  // namespace
}  // namespace qatlas::kernels
