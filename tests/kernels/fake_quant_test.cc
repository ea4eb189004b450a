// Fake quantization, forward and codes, against the plain version: the same bits everywhere.
#include <gmock/gmock.h>
#include <qatlas/kernels/fake_quant.h>

#include "tests/kernels/reference.h"
#include "tests/kernels/support.h"

namespace qatlas::kernels {
namespace {

struct Case {
  std::int64_t rows;
  std::int64_t cols;
  std::int64_t group;
};

const Case kCases[] = {{1, 1, 1},    {3, 1, 1},     {1, 3, 3},     {17, 3, 2},    {2, 17, 17},
                       {5, 17, 4},   {4, 64, 32},   {3, 128, 64},  {2, 256, 128}, {3, 100, 32},
                       {2, 200, 64}, {7, 129, 129}, {2, 384, 384}, {1, 130, 128}, {66, 48, 16}};

FakeQuantParams ParamsOf(const Case& c, int bits, ScaleIndex index) {
  FakeQuantParams p;
  p.rows = c.rows;
  p.cols = c.cols;
  p.group = c.group;
  p.short_last_group = c.cols % c.group != 0;
  p.index = index;
  SetBits(bits, false, p);
  p.divisor = static_cast<float>(1 << (bits - 1));
  return p;
}

// Ordinary numbers, sprinkled with the odd ones where `odd`.
std::vector<float> Data(std::int64_t n, bool odd, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> x = random.Vector(n, 3.0f);
  if (!odd) return x;
  const float odds[] = {0.0f,     -0.0f, 1e-45f, -1e-40f, 1.2e-38f, 3.4e38f,
                        -3.4e38f, 0.5f,  -0.5f,  kNan,    kInf,     -kInf};
  for (float& v : x) {
    const std::uint64_t r = random.Next();
    if (r % 4 == 0) v = odds[(r >> 8) % 12];
  }
  return x;
}

std::vector<float> EntriesFor(const FakeQuantParams& p, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> entries = random.Vector(reference::Entries(p), 0.5f);
  for (float& e : entries) e = std::fabs(e) + 0.25f;
  return entries;
}

const ScaleIndex kIndices[] = {ScaleIndex::kTensor, ScaleIndex::kRow, ScaleIndex::kRowGroup,
                               ScaleIndex::kGroup};

template <typename T>
void CheckForward(const Case& c, int bits, ScaleIndex index, bool odd) {
  const FakeQuantParams p = ParamsOf(c, bits, index);
  const std::vector<float> wide = Data(c.rows * c.cols, odd, 17 * c.cols + bits);
  const std::vector<T> data = Converted<T>(wide);
  std::vector<float> x;
  for (T v : data) x.push_back(element::ToFloat(v));
  const std::vector<float> entries = EntriesFor(p, c.cols);
  Guarded<T> in(data);
  Guarded<T> out(c.rows * c.cols);
  const RowRange all{0, c.rows};

  FakeQuantAbsMax(p, all, in.data(), nullptr, out.data());
  EXPECT_TRUE(SameBits(out.values(), Converted<T>(reference::FakeQuant(p, x, true, {}))));
  FakeQuantAbsMax(p, all, in.data(), entries.data(), out.data());
  EXPECT_TRUE(SameBits(out.values(), Converted<T>(reference::FakeQuant(p, x, true, entries))));
  EXPECT_TRUE(out.Intact());
  FakeQuantScale(p, all, in.data(), entries.data(), out.data());
  EXPECT_TRUE(SameBits(out.values(), Converted<T>(reference::FakeQuant(p, x, false, entries))));
  EXPECT_TRUE(out.Intact());
  EXPECT_TRUE(SameBits(in.values(), data));

  // In place, in two ranges.
  const std::vector<T> whole = out.values();
  FakeQuantScale(p, {c.rows / 2, c.rows}, in.data(), entries.data(), in.data());
  FakeQuantScale(p, {0, c.rows / 2}, in.data(), entries.data(), in.data());
  EXPECT_TRUE(SameBits(in.values(), whole));
  EXPECT_TRUE(in.Intact());
}

TEST(FakeQuantTest, GivesTheBitsOfThePlainVersion) {
  ForEachIsa([] {
    for (const Case& c : kCases) {
      SCOPED_TRACE(std::to_string(c.rows) + "x" + std::to_string(c.cols) + "/" +
                   std::to_string(c.group));
      for (const ScaleIndex index : kIndices) {
        for (const int bits : {2, 4, 8}) {
          for (const bool odd : {false, true}) {
            CheckForward<float>(c, bits, index, odd);
            CheckForward<Bf16>(c, bits, index, odd);
          }
        }
      }
    }
  });
}

template <typename T>
void CheckCodes(const Case& c, int bits, ScaleIndex index, bool odd) {
  FakeQuantParams p = ParamsOf(c, bits, index);
  const std::vector<T> data = Converted<T>(Data(c.rows * c.cols, odd, 31 * c.cols + bits));
  const std::vector<float> entries = EntriesFor(p, c.cols);
  Guarded<T> in(data);
  Guarded<T> quantized(c.rows * c.cols);
  Guarded<T> decoded(c.rows * c.cols);
  Guarded<std::int8_t> codes(c.rows * c.cols);
  Guarded<float> scales(c.rows * p.groups());
  const RowRange all{0, c.rows};

  FakeQuantAbsMax(p, all, in.data(), entries.data(), quantized.data());
  EncodeAbsMax(p, all, in.data(), entries.data(), codes.data(), scales.data());
  for (const std::int8_t code : codes.values()) {
    EXPECT_GE(code, p.q_min);
    EXPECT_LE(code, p.q_max);
  }
  FakeQuantParams by_group = p;
  by_group.index = ScaleIndex::kRowGroup;
  Decode(by_group, all, codes.data(), scales.data(), decoded.data());
  EXPECT_TRUE(SameBits(decoded.values(), quantized.values()));

  FakeQuantScale(p, all, in.data(), entries.data(), quantized.data());
  const std::int64_t nans = EncodeScale(p, all, in.data(), entries.data(), codes.data());
  Decode(p, all, codes.data(), entries.data(), decoded.data());
  std::int64_t expected = 0;
  for (std::int64_t i = 0; i < c.rows * c.cols; ++i) {
    if (std::isnan(element::ToFloat(data[i]))) {
      ++expected;
      EXPECT_EQ(codes[i], 0);
    } else {
      EXPECT_TRUE(SameBits(decoded[i], quantized[i])) << i;
    }
  }
  EXPECT_EQ(nans, expected);
  EXPECT_TRUE(codes.Intact() && scales.Intact() && decoded.Intact());
}

TEST(FakeQuantTest, DecodingCodesGivesTheFakeQuantizedBits) {
  ForEachIsa([] {
    for (const Case& c : kCases) {
      SCOPED_TRACE(std::to_string(c.rows) + "x" + std::to_string(c.cols) + "/" +
                   std::to_string(c.group));
      for (const ScaleIndex index : kIndices) {
        for (const int bits : {2, 3, 4, 8}) {
          for (const bool odd : {false, true}) {
            CheckCodes<float>(c, bits, index, odd);
            CheckCodes<Bf16>(c, bits, index, odd);
          }
        }
      }
    }
  });
}

// A row of one group, AbsMax with divisor 8, 4 bits.
std::vector<float> Row(const std::vector<float>& x) {
  FakeQuantParams p =
      ParamsOf({1, static_cast<std::int64_t>(x.size()), static_cast<std::int64_t>(x.size())}, 4,
               ScaleIndex::kRowGroup);
  std::vector<float> out(x.size());
  FakeQuantAbsMax(p, {0, 1}, x.data(), nullptr, out.data());
  return out;
}

TEST(FakeQuantTest, RoundsTiesToEvenAndClipsThePositiveMaximum) {
  ForEachIsa([] {
    EXPECT_TRUE(SameBits(Row({8.0f, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f, 6.5f, 3.49f}),
                         std::vector<float>{7, 0, 2, 2, 0, -2, -2, 6, 3}));
    EXPECT_TRUE(SameBits(Row({-8.0f, 7.5f, -7.5f}), std::vector<float>{-8, 7, -8}));
  });
}

TEST(FakeQuantTest, OddGroupsBehaveAsDocumented) {
  ForEachIsa([] {
    EXPECT_TRUE(SameBits(Row(std::vector<float>(19, 0.0f)), std::vector<float>(19, 0.0f)));
    EXPECT_TRUE(SameBits(Row(std::vector<float>(19, -0.0f)), std::vector<float>(19, 0.0f)));
    // The least denormal over 8 underflows: a group of zeros.
    EXPECT_TRUE(SameBits(Row(std::vector<float>(9, 1e-45f)), std::vector<float>(9, 0.0f)));
    // 8 of them over 8 do not: s is the least denormal, the maximum clips to 7 of it.
    const std::vector<float> tiny = Row(std::vector<float>(9, 8 * 1.401298464e-45f));
    EXPECT_TRUE(SameBits(tiny, std::vector<float>(9, 7 * 1.401298464e-45f)));
    std::vector<float> x(40, 1.0f);
    x[33] = kNan;
    for (const float v : Row(x)) EXPECT_TRUE(std::isnan(v));
    x[33] = -kInf;
    for (const float v : Row(x)) EXPECT_TRUE(std::isnan(v));
    EXPECT_TRUE(SameBits(Row({-3.4e38f, 3.4e38f}), std::vector<float>{-3.4e38f, 3.4e38f / 8 * 7}));
  });
}

TEST(FakeQuantTest, SaysWhatIsWrongWithParameters) {
  FakeQuantParams p = ParamsOf({4, 64, 32}, 4, ScaleIndex::kRow);
  EXPECT_EQ(Problem(p), nullptr);
  p.cols = 65;
  EXPECT_THAT(Problem(p), ::testing::NotNull());
  p.short_last_group = true;
  EXPECT_EQ(Problem(p), nullptr);
  p.divisor = 0.0f;
  EXPECT_NE(Problem(p), nullptr);
  p.divisor = 7.5f;
  p.q_max = 128;
  EXPECT_NE(Problem(p), nullptr);
  p.q_max = 7;
  p.group = 0;
  EXPECT_NE(Problem(p), nullptr);
  float x = 1.0f;
  EXPECT_DEATH(FakeQuantAbsMax(p, {0, 1}, &x, nullptr, &x), "group size");
}

TEST(PackInt4Test, PacksTwoCodesToAByteAndBack) {
  for (const std::int64_t n : {0, 1, 2, 3, 17, 32}) {
    Guarded<std::int8_t> codes(n);
    for (std::int64_t i = 0; i < n; ++i) codes[i] = static_cast<std::int8_t>(i % 16 - 8);
    Guarded<std::uint8_t> packed((n + 1) / 2);
    Guarded<std::int8_t> back(n);
    PackInt4(codes.data(), n, packed.data());
    UnpackInt4(packed.data(), n, back.data());
    EXPECT_EQ(codes.values(), back.values());
    EXPECT_TRUE(packed.Intact() && back.Intact());
    if (n == 3) {
      EXPECT_EQ(packed.values(), (std::vector<std::uint8_t>{0x98, 0x0a}));
    }
  }
  const std::int8_t wide = 8;
  std::uint8_t byte;
  EXPECT_DEATH(PackInt4(&wide, 1, &byte), "4 bits");
}

}  // namespace
}  // namespace qatlas::kernels
