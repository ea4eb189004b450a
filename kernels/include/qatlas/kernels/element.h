// The arithmetic of fake quantization on one element. Every CPU instruction set and CUDA give the
// bits that these functions give: each operation below is exact or correctly rounded, and none may
// be fused with another.
#ifndef QATLAS_KERNELS_ELEMENT_H_
#define QATLAS_KERNELS_ELEMENT_H_

#include <qatlas/kernels/types.h>

#include <cstdint>
#include <cstring>

// Host functions are always inlined: the same header is compiled for several instruction sets, and
// the linker must not find one copy to use for all.
#if defined(__CUDACC__)
#define QATLAS_HD __host__ __device__ __forceinline__
#else
#define QATLAS_HD __attribute__((always_inline)) inline  // inlined everywhere
#endif

namespace qatlas::kernels::element {

// 1.5 * 2^23: adding it moves the units digit of a small number to the last bit of the mantissa.
inline constexpr float kRoundMagic = 12582912.0f;

QATLAS_HD float Add(float a, float b) {  // a + b, never fused with a product
#if defined(__CUDA_ARCH__)
  return __fadd_rn(a, b);
#else
  return a + b;
#endif
}

QATLAS_HD float Multiply(float a, float b) {  // a b, rounded once
#if defined(__CUDA_ARCH__)
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}

QATLAS_HD float Divide(float a, float b) {  // a / b, rounded to nearest
#if defined(__CUDA_ARCH__)
  return __fdiv_rn(a, b);
#else
  return a / b;
#endif
}

QATLAS_HD std::int32_t Bits(float x) {  // the bits of a float
#if defined(__CUDA_ARCH__)
  return __float_as_int(x);
#else
  std::int32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits;
#endif
}

QATLAS_HD float FromBits(std::int32_t bits) {  // the float of these bits
#if defined(__CUDA_ARCH__)
  return __int_as_float(bits);
#else
  float x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
#endif
}

// Bits of |x|. As signed integers they order like |x|, with NaN above infinity, so the maximum of a
// group is exact, does not depend on order and never loses a NaN.
QATLAS_HD std::int32_t AbsBits(float x) { return Bits(x) & 0x7fffffff; }

// Round to nearest, ties to even; +0 for all that rounds to zero. |x| <= 2^22, or NaN.
QATLAS_HD float Round(float x) { return Add(Add(x, kRoundMagic), -kRoundMagic); }

// NaN passes through.
QATLAS_HD float Clamp(float x, float low, float high) {
  const float above = x < low ? low : x;
  return above > high ? high : above;
}

// What gamma is multiplied with; also the derivative of the scale by gamma.
QATLAS_HD float AbsMaxUnit(std::int32_t max_bits, float divisor) {
  return Divide(FromBits(max_bits), divisor);
}

QATLAS_HD float AbsMaxScale(float unit, float gamma) { return Multiply(gamma, unit); }  // s

// The code of x, as a float; s is not 0. Clamping first gives the same code as rounding first,
// since the bounds are integers.
QATLAS_HD float Code(float x, float s, float q_min, float q_max) {
  return Round(Clamp(Divide(x, s), q_min, q_max));
}

// With s = 0 every code is 0; a NaN stays one.
QATLAS_HD float FakeQuant(float x, float s, float q_min, float q_max) {
  if (s == 0.0f) return x != x ? x : 0.0f;
  return Multiply(s, Code(x, s, q_min, q_max));
}

// An element's code as an integer, 0 for NaN.
QATLAS_HD std::int8_t EncodeOne(float x, float s, float q_min, float q_max) {
  if (s == 0.0f) return 0;
  const float code = Code(x, s, q_min, q_max);
  return code != code ? std::int8_t{0} : static_cast<std::int8_t>(code);
}

QATLAS_HD float DecodeOne(std::int8_t code, float s) {  // s times the code; +0 where s is 0
  return s == 0.0f ? 0.0f : Multiply(s, static_cast<float>(code));
}

struct StepGradient {  // Of one element.
  bool in_range;       // whether the gradient passes to x
  float per_step;      // d out / d s
};

// Derivative of s * clamp(round(x / s)) with the rounding residual held fixed. `by_code` is
// RangeTest::kCode.
QATLAS_HD StepGradient Backward(float x, float s, float q_min, float q_max, bool by_code) {
  if (s == 0.0f) return {true, 0.0f};
  const float v = Divide(x, s);
  const float wide = Round(Clamp(v, q_min - 1.0f, q_max + 1.0f));
  const float test = by_code ? wide : v;
  const float code = Clamp(wide, q_min, q_max);
  // A NaN counts as in range, so that it reaches both gradients.
  if (test < q_min || test > q_max) return {false, code};
  return {true, Add(code, -v)};
}

QATLAS_HD float FromBf16(Bf16 x) {  // exact
  return FromBits(static_cast<std::int32_t>(static_cast<std::uint32_t>(x.bits) << 16));
}

// Round to nearest even; NaN becomes the quiet NaN 0x7fc0.
QATLAS_HD Bf16 ToBf16(float x) {
  if (x != x) return {0x7fc0};
  const std::uint32_t bits = static_cast<std::uint32_t>(Bits(x));
  return {static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

QATLAS_HD float ToFloat(float x) { return x; }           // as it is
QATLAS_HD float ToFloat(Bf16 x) { return FromBf16(x); }  // exact
template <typename T>
QATLAS_HD T FromFloat(float x);  // nearest
template <>
QATLAS_HD float FromFloat<float>(float x) {  // as it is
  return x;
}
template <>
QATLAS_HD Bf16 FromFloat<Bf16>(float x) {  // nearest, ties to even
  return ToBf16(x);
}

}  // namespace qatlas::kernels::element

#endif  // QATLAS_KERNELS_ELEMENT_H_
