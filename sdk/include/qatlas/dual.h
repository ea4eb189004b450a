// Forward-mode automatic differentiation for law formulas.
//
// A Dual carries a value and its derivatives by those parameters that it depends on, and no others:
// which ones stands in its type as a bit mask, so that A * Pow(N, -alpha) multiplies two
// derivatives and not P, and a formula compiles to what one would have written by hand. Everything
// is inlined into the loop over the points (law_formula.h), where the compiler vectorizes it.
#ifndef QATLAS_DUAL_H_
#define QATLAS_DUAL_H_

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "qatlas/law.h"
#include "qatlas/vector_math.h"

namespace qatlas::formula {

// A covariate at one point, with its logarithm.
struct Covariate {
  double value;  // of the covariate
  double log;    // kLogOfZero where value is 0

  // One that is computed in the formula from others.
  static QATLAS_INLINE Covariate Of(double value) {
    return {value, vector_math::Select(value == 0.0, kLogOfZero, vector_math::Log(value))};
  }
  QATLAS_INLINE operator double() const { return value; }
};

// Value and derivatives by the parameters whose bits are set in Mask, lowest bit first.
template <uint64_t Mask>
struct Dual {
  static constexpr int kCount = std::popcount(Mask);  // derivatives that are carried
  double value;                                       // of the expression
  std::array<double, kCount == 0 ? 1 : kCount> d;     // derivatives
};

namespace internal {

// Where parameter `bit` stands in Dual<mask>::d.
constexpr int Position(uint64_t mask, int bit) {
  return std::popcount(mask & ((uint64_t{1} << bit) - 1));
}
// The k-th set bit of the mask.
constexpr int BitAt(uint64_t mask, int k) {
  for (int i = 0; i < k; ++i) mask &= mask - 1;
  return std::countr_zero(mask);
}
template <uint64_t Mask, int Bit>
inline constexpr bool kHas = ((Mask >> Bit) & 1) != 0;

// The derivative of a by each parameter of Mask, times `factor`.
template <uint64_t Mask>
QATLAS_INLINE Dual<Mask> Scaled(const Dual<Mask>& a, double value, double factor) {
  return [&]<size_t... K>(std::index_sequence<K...>) __attribute__((always_inline)) {
    Dual<Mask> result{value, {}};
    ((result.d[K] = a.d[K] * factor), ...);
    return result;
  }
  (std::make_index_sequence<Dual<Mask>::kCount>{});
}

// a.d[Bit] * fa + b.d[Bit] * fb, leaving out what is zero by its type.
template <int Bit, uint64_t A, uint64_t B>
QATLAS_INLINE double Mixed(const Dual<A>& a, double fa, const Dual<B>& b, double fb) {
  if constexpr (kHas<A, Bit> && kHas<B, Bit>) {
    return a.d[Position(A, Bit)] * fa + b.d[Position(B, Bit)] * fb;
  } else if constexpr (kHas<A, Bit>) {
    return a.d[Position(A, Bit)] * fa;
  } else {
    return b.d[Position(B, Bit)] * fb;
  }
}

// f(a, b) with value `value` and partial derivatives fa and fb.
template <uint64_t A, uint64_t B>
QATLAS_INLINE Dual<(A | B)> Combined(double value, const Dual<A>& a, double fa, const Dual<B>& b,
                                     double fb) {
  return [&]<size_t... K>(std::index_sequence<K...>) __attribute__((always_inline)) {
    Dual<(A | B)> result{value, {}};
    ((result.d[K] = Mixed<BitAt(A | B, K)>(a, fa, b, fb)), ...);
    return result;
  }
  (std::make_index_sequence<Dual<(A | B)>::kCount>{});
}

}  // namespace internal

// Arithmetic. Numbers and covariates enter as doubles.
template <uint64_t A, uint64_t B>
QATLAS_INLINE Dual<(A | B)> operator+(const Dual<A>& a, const Dual<B>& b) {
  return internal::Combined(a.value + b.value, a, 1.0, b, 1.0);
}
template <uint64_t A, uint64_t B>
QATLAS_INLINE Dual<(A | B)> operator-(const Dual<A>& a, const Dual<B>& b) {
  return internal::Combined(a.value - b.value, a, 1.0, b, -1.0);
}
template <uint64_t A, uint64_t B>
QATLAS_INLINE Dual<(A | B)> operator*(const Dual<A>& a, const Dual<B>& b) {
  return internal::Combined(a.value * b.value, a, b.value, b, a.value);
}
template <uint64_t A, uint64_t B>
QATLAS_INLINE Dual<(A | B)> operator/(const Dual<A>& a, const Dual<B>& b) {
  const double inverse = 1.0 / b.value;
  const double quotient = a.value * inverse;
  return internal::Combined(quotient, a, inverse, b, -quotient * inverse);
}
template <uint64_t A>
QATLAS_INLINE Dual<A> operator-(const Dual<A>& a) {
  return internal::Scaled(a, -a.value, -1.0);
}
template <uint64_t A>
QATLAS_INLINE Dual<A> operator+(const Dual<A>& a, double b) {
  return internal::Scaled(a, a.value + b, 1.0);
}
template <uint64_t A>
QATLAS_INLINE Dual<A> operator+(double a, const Dual<A>& b) {
  return b + a;
}
template <uint64_t A>
QATLAS_INLINE Dual<A> operator-(const Dual<A>& a, double b) {
  return internal::Scaled(a, a.value - b, 1.0);
}
template <uint64_t A>
QATLAS_INLINE Dual<A> operator-(double a, const Dual<A>& b) {
  return internal::Scaled(b, a - b.value, -1.0);
}
template <uint64_t A>
QATLAS_INLINE Dual<A> operator*(const Dual<A>& a, double b) {
  return internal::Scaled(a, a.value * b, b);
}
template <uint64_t A>
QATLAS_INLINE Dual<A> operator*(double a, const Dual<A>& b) {
  return b * a;
}
template <uint64_t A>
QATLAS_INLINE Dual<A> operator/(const Dual<A>& a, double b) {
  return internal::Scaled(a, a.value / b, 1.0 / b);
}
template <uint64_t A>
QATLAS_INLINE Dual<A> operator/(double a, const Dual<A>& b) {
  const double quotient = a / b.value;
  return internal::Scaled(b, quotient, -quotient / b.value);
}

template <uint64_t A>
QATLAS_INLINE Dual<A> Exp(const Dual<A>& a) {  // and its derivative
  const double value = vector_math::Exp(a.value);
  return internal::Scaled(a, value, value);
}
template <uint64_t A>
QATLAS_INLINE Dual<A> Log(const Dual<A>& a) {  // natural
  return internal::Scaled(a, vector_math::Log(a.value), 1.0 / a.value);
}
template <uint64_t A>
QATLAS_INLINE Dual<A> Tanh(const Dual<A>& a) {  // and its derivative
  const double value = vector_math::Tanh(a.value);
  return internal::Scaled(a, value, 1.0 - value * value);
}
// At 0 the derivative, which would be infinite, is taken as 0.
template <uint64_t A>
QATLAS_INLINE Dual<A> Sqrt(const Dual<A>& a) {
  const double value = std::sqrt(a.value);
  return internal::Scaled(a, value, vector_math::Select(value == 0.0, 0.0, 0.5 / value));
}
// x^a for x >= 0. Where x is 0 the power does not depend on a: the derivative is taken as 0 (it
// would be 0·(−∞)); 0^0 is 1.
template <uint64_t A>
QATLAS_INLINE Dual<A> Pow(const Covariate& x, const Dual<A>& a) {
  const double value = vector_math::Exp(a.value * x.log);
  return internal::Scaled(a, value, value * vector_math::Select(x.value == 0.0, 0.0, x.log));
}
// a^b for a > 0; at a = 0 the value is the limit and the derivatives are taken as 0.
template <uint64_t A, uint64_t B>
QATLAS_INLINE Dual<(A | B)> Pow(const Dual<A>& a, const Dual<B>& b) {
  const Covariate base = Covariate::Of(a.value);
  const double value = vector_math::Exp(b.value * base.log);
  const double by_a = vector_math::Select(a.value == 0.0, 0.0, value * (b.value / a.value));
  return internal::Combined(value, a, by_a, b,
                            value * vector_math::Select(a.value == 0.0, 0.0, base.log));
}
template <uint64_t A>
QATLAS_INLINE Dual<A> Pow(const Dual<A>& a, double b) {
  return Pow(a, Dual<0>{b, {}});
}
QATLAS_INLINE double Pow(const Covariate& x, double a) { return vector_math::Exp(a * x.log); }

// Of covariates alone: no derivative.
QATLAS_INLINE double Log(const Covariate& x) { return x.log; }
// log2 x as a covariate: it may be raised to a parameter.
QATLAS_INLINE Covariate Log2(const Covariate& x) {
  return Covariate::Of(x.log * vector_math::kInverseLn2);
}

}  // namespace qatlas::formula

#endif  // QATLAS_DUAL_H_
