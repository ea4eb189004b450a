// Buffers between sentinels, random data, and a loop over instruction sets, for tests of kernels.
#ifndef QATLAS_TESTS_KERNELS_SUPPORT_H_
#define QATLAS_TESTS_KERNELS_SUPPORT_H_

#include <gtest/gtest.h>
#include <qatlas/kernels/element.h>
#include <qatlas/kernels/isa.h>
#include <qatlas/kernels/types.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

namespace qatlas::kernels {

// `count` elements between two stretches of a pattern that must survive.
template <typename T>
class Guarded {
 public:
  explicit Guarded(std::int64_t count)
      : count_(static_cast<std::size_t>(count)),
        bytes_(sizeof(T) * (count_ + 2 * kPad), kPattern) {}
  explicit Guarded(const std::vector<T>& values)
      : Guarded(static_cast<std::int64_t>(values.size())) {
    if (!values.empty()) std::memcpy(data(), values.data(), sizeof(T) * count_);
  }

  T* data() { return reinterpret_cast<T*>(bytes_.data()) + kPad; }
  T& operator[](std::int64_t i) { return data()[i]; }
  std::int64_t size() const { return static_cast<std::int64_t>(count_); }
  std::vector<T> values() { return std::vector<T>(data(), data() + count_); }

  bool Intact() const {
    const std::size_t pad = sizeof(T) * kPad;
    for (std::size_t i = 0; i < pad; ++i) {
      if (bytes_[i] != kPattern || bytes_[bytes_.size() - 1 - i] != kPattern) return false;
    }
    return true;
  }

 private:
  static constexpr std::size_t kPad = 64;
  static constexpr unsigned char kPattern = 0xa5;
  std::size_t count_;
  std::vector<unsigned char> bytes_;
};

// SplitMix64; the same numbers everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t Next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // Uniform in [-1, 1).
  float Uniform() { return static_cast<float>(static_cast<double>(Next() >> 11) * 0x1p-52 - 1.0); }
  std::vector<float> Vector(std::int64_t n, float scale = 1.0f) {
    std::vector<float> values(static_cast<std::size_t>(n));
    for (float& v : values) v = scale * Uniform();
    return values;
  }

 private:
  std::uint64_t state_;
};

inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kInf = std::numeric_limits<float>::infinity();

// Calls f for each instruction set of this machine, then restores the one before.
template <typename F>
void ForEachIsa(const F& f) {
  const std::string before = ActiveIsa();
  int count = 0;
  for (const char* isa : {"portable", "avx2", "avx512"}) {
    if (!SetIsaForTesting(isa)) continue;
    SCOPED_TRACE(isa);
    ++count;
    f();
  }
  EXPECT_GE(count, 1);
  ASSERT_TRUE(SetIsaForTesting(before.c_str()));
}

// Equal bits, or both NaN.
inline bool SameBits(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}
inline bool SameBits(Bf16 a, Bf16 b) {
  return a.bits == b.bits || (std::isnan(element::FromBf16(a)) && std::isnan(element::FromBf16(b)));
}

template <typename T>
::testing::AssertionResult SameBits(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return ::testing::AssertionFailure() << "different sizes";
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!SameBits(a[i], b[i])) {
      return ::testing::AssertionFailure() << "element " << i << ": " << element::ToFloat(a[i])
                                           << " and " << element::ToFloat(b[i]);
    }
  }
  return ::testing::AssertionSuccess();
}

// |got - want| <= tolerance * max(1, |want|), elementwise; NaN matches NaN.
inline ::testing::AssertionResult Near(const std::vector<float>& got,
                                       const std::vector<double>& want, double tolerance) {
  if (got.size() != want.size()) return ::testing::AssertionFailure() << "different sizes";
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(want[i]) && std::isnan(got[i])) continue;
    const double error = std::fabs(static_cast<double>(got[i]) - want[i]);
    if (!(error <= tolerance * std::fmax(1.0, std::fabs(want[i])))) {
      return ::testing::AssertionFailure()
             << "element " << i << ": got " << got[i] << ", want " << want[i];
    }
  }
  return ::testing::AssertionSuccess();
}

template <typename T>
std::vector<T> Converted(const std::vector<float>& values) {
  std::vector<T> result;
  result.reserve(values.size());
  for (float v : values) result.push_back(element::FromFloat<T>(v));
  return result;
}

}  // namespace qatlas::kernels

#endif  // QATLAS_TESTS_KERNELS_SUPPORT_H_
