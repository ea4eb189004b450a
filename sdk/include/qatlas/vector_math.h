// exp, log and pow in arithmetic that compilers vectorize: no branches, no calls, no tables.
//
// A loop that calls these is turned into SIMD code by the compiler, for whichever instruction set
// the surrounding function is built. law_formula.h builds each formula three times (SSE2 or NEON, AVX2,
// AVX-512) and picks by the host. Only +, -, *, / and bit operations are used and contraction into
// fused multiply-add is off there, so that all three give the same bits.
//
// Errors against the exact result, measured over 10^6 arguments by the tests: Exp below 1.2 ulp, Log
// below 1 ulp, Tanh below 5 ulp, Pow(x, y) below 3 + |y ln x| ulp.
#ifndef QATLAS_VECTOR_MATH_H_
#define QATLAS_VECTOR_MATH_H_

#include <cstdint>
#include <cstring>
#include <limits>

#define QATLAS_INLINE inline __attribute__((always_inline))  // so that loops over it vectorize

namespace qatlas::vector_math {

inline constexpr double kLn2 = 0x1.62e42fefa39efp-1;  // ln 2
inline constexpr double kInverseLn2 = 0x1.71547652b82fep+0;  // 1 / ln 2
// ln 2 in two parts: the first has 32 bits, so that k times it is exact for every exponent k.
inline constexpr double kLn2High = 0x1.62e42feep-1;
inline constexpr double kLn2Low = 0x1.a39ef35793c76p-33;  // the rest of ln 2
// Adding it rounds to the nearest integer and leaves that integer in the low bits.
inline constexpr double kRound = 0x1.8p52;

QATLAS_INLINE uint64_t Bits(double x) {  // the bits of a double
  uint64_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits;
}
QATLAS_INLINE double FromBits(uint64_t bits) {  // the double of these bits
  double x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}

// condition ? a : b without a branch that the vectorizer would have to undo.
QATLAS_INLINE double Select(bool condition, double a, double b) {
  const uint64_t mask = -static_cast<uint64_t>(condition);
  return FromBits((Bits(a) & mask) | (Bits(b) & ~mask));
}

// e^x. Overflows to infinity above 709.78, loses bits in the subnormal range and is 0 below -745.2;
// NaN stays NaN.
QATLAS_INLINE double Exp(double x) {
  const double floored = Select(x < -746.0, -746.0, x);
  const double clamped = Select(floored > 710.0, 710.0, floored);
  const double shifted = clamped * kInverseLn2 + kRound;
  const double n = shifted - kRound;
  const double r = (clamped - n * kLn2High) - n * kLn2Low;
  // e^r = 1 + r + r²/2 + r³ q(r) for |r| <= ln(2)/2, q interpolated in Chebyshev nodes: the
  // polynomial errs by 3.4e-17. Estrin's scheme keeps the chain short.
  const double r2 = r * r;
  const double r4 = r2 * r2;
  const double q01 = 0x1.5555555555555p-3 + r * 0x1.5555555554cb7p-5;
  const double q23 = 0x1.1111111110e6ap-7 + r * 0x1.6c16c1738ff55p-10;
  const double q45 = 0x1.a01a01a4b322fp-13 + r * 0x1.a019c9a5652d3p-16;
  const double q67 = 0x1.71de17e40edfep-19 + r * 0x1.2880411bad1aap-22;
  const double q = (q01 + r2 * q23) + r4 * ((q45 + r2 * q67) + r4 * 0x1.af236aac51d05p-26);
  const double power = 1.0 + (r + (0.5 * r2 + (r2 * r) * q));
  // 2^n in two factors: n itself may lie outside the exponents of normal numbers.
  const double half = n * 0.5 + kRound;
  const double rest = (n - (half - kRound)) + kRound;
  const double first = FromBits((Bits(half) + 1023) << 52);
  const double second = FromBits((Bits(rest) + 1023) << 52);
  return (power * first) * second;
}

// ln x. -infinity at 0, NaN below it, infinity at infinity; exact scaling of subnormal arguments.
QATLAS_INLINE double Log(double x) {
  const double tiny = Select(x < 0x1p-1022, 54.0, 0.0);
  const double scaled = Select(x < 0x1p-1022, x * 0x1p54, x);
  // x = 2^k m with m in [sqrt(1/2), sqrt(2)): the offset carries the mantissa bits into the
  // exponent.
  const uint64_t bits = Bits(scaled);
  const uint64_t offset = bits + (0x3ff0000000000000ull - 0x3fe6a09e667f3bcdull);
  const uint64_t exponent = offset >> 52;  // k + 1023
  const double k = (FromBits(exponent | 0x4330000000000000ull) - 0x1p52) - (1023.0 + tiny);
  const double m = FromBits((offset & 0x000fffffffffffffull) + 0x3fe6a09e667f3bcdull);
  // ln(1+f) = f - f²/2 + s (f²/2 + R(s²)), s = f/(2+f): the polynomial errs by 5e-18.
  const double f = m - 1.0;
  const double s = f / (2.0 + f);
  const double z = s * s;
  const double z2 = z * z;
  const double p01 = 0x1.5555555555558p-1 + z * 0x1.9999999995273p-2;
  const double p23 = 0x1.2492492dfd879p-2 + z * 0x1.c71c62d5e43dfp-3;
  const double p45 = 0x1.7462b91bd6c45p-3 + z * 0x1.39fdcce1da1aep-3;
  const double p = z * (p01 + z2 * (p23 + z2 * (p45 + z2 * 0x1.2b5f6919aa514p-3)));
  const double half_square = 0.5 * f * f;
  const double value = k * kLn2High - ((half_square - (s * (half_square + p) + k * kLn2Low)) - f);
  const double finite = Select(x == std::numeric_limits<double>::infinity(), x, value);
  const double positive = Select(x == 0.0, -std::numeric_limits<double>::infinity(), finite);
  // NaN for negative arguments and for NaN itself.
  return Select(x >= 0.0, positive, std::numeric_limits<double>::quiet_NaN());
}

// tanh x: near 0 by its continued fraction, which errs by 4e-17 there, else through e^(2|x|).
QATLAS_INLINE double Tanh(double x) {
  const double size = FromBits(Bits(x) & 0x7fffffffffffffffull);
  const double z = x * x;
  const double near =
      x * ((10395.0 + z * (1260.0 + z * 21.0)) / (10395.0 + z * (4725.0 + z * (210.0 + z))));
  const double far = 1.0 - 2.0 / (Exp(2.0 * size) + 1.0);
  return Select(size < 0.25, near, FromBits(Bits(far) | (Bits(x) & 0x8000000000000000ull)));
}

// x^y for x >= 0 as exp(y ln x); 0^0 = 1, as std::pow has it.
QATLAS_INLINE double Pow(double x, double y) {
  const double product = y * Log(x);
  return Select(y == 0.0, 1.0, Exp(product));
}

}  // namespace qatlas::vector_math

#endif  // QATLAS_VECTOR_MATH_H_
