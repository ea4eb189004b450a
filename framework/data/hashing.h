// Small deterministic hashes for orders, splits and samples. Their values are part of the results.
#ifndef QATLAS_FRAMEWORK_DATA_HASHING_H_
#define QATLAS_FRAMEWORK_DATA_HASHING_H_

#include <cstdint>

namespace qatlas::data {

// The finalizer of SplitMix64 (Steele, Lea and Flood 2014): a bijection of 64 bits that mixes well.
inline uint64_t Mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

inline uint64_t Mix(uint64_t a, uint64_t b) { return Mix(Mix(a) ^ b); }

// The top 53 bits as a number in [0, 1).
inline double ToUnit(uint64_t x) { return static_cast<double>(x >> 11) * 0x1.0p-53; }

// SplitMix64 as a sequence.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(Mix(seed)) {}
  uint64_t Next() { return Mix(state_ += 0x9E3779B97F4A7C15u); }
  double Unit() { return ToUnit(Next()); }

 private:
  uint64_t state_;
};

}  // namespace qatlas::data

#endif  // QATLAS_FRAMEWORK_DATA_HASHING_H_
