// LawFormula: a law form from a formula that is written once.
//
//   class Chinchilla : public qatlas::LawFormula<Chinchilla, 2, 5> {
//    public:
//     static LawSpec MakeSpec();        // 2 covariates, 5 parameters, in the order of the formula
//     template <typename X, typename P>
//     static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
//       const auto [N, D] = covariates;
//       const auto [E, A, alpha, B, beta] = parameters;
//       return E + A * Pow(N, -alpha) + B * Pow(D, -beta);
//     }
//   };
//
// The formula may use + - * /, Exp, Log, Log2, Pow, Sqrt and Tanh (dual.h). No branches on values: both sides
// of a guard are computed and vector_math::Select picks one.
//
// Evaluate is compiled three times, for the baseline instruction set, AVX2 and AVX-512, and the
// host's best is used. All three do the same operations in the same order without fused
// multiply-add, so values and derivatives are the same bits on every machine that keeps IEEE 754.
// (With GCC. Clang may fuse in its AVX-512 version; there results are the same on one machine, as
// everywhere.)
#ifndef QATLAS_LAW_FORMULA_H_
#define QATLAS_LAW_FORMULA_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <tuple>
#include <utility>

#include "absl/status/statusor.h"
#include "qatlas/check.h"
#include "qatlas/dual.h"
#include "qatlas/law.h"
#include "qatlas/options.h"

namespace qatlas {

enum class LawIsa { kBaseline = 0, kAvx2 = 1, kAvx512 = 2 };  // Instruction sets.

// The best instruction set that this host runs.
inline LawIsa HostLawIsa() {
#if defined(__x86_64__)
  static const LawIsa isa = [] {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) {
      return LawIsa::kAvx512;
    }
    return __builtin_cpu_supports("avx2") ? LawIsa::kAvx2 : LawIsa::kBaseline;
  }();
  return isa;
#else
  return LawIsa::kBaseline;
#endif
}

namespace formula {

// What a formula unpacks with structured bindings: covariates at one point.
template <int C>
struct PointCovariates {
  const double* const* values;  // [C][points]
  const double* const* logs;    // [C][points]
  int64_t point;                // index
  template <size_t I>
  QATLAS_INLINE Covariate get() const {  // covariate I
    return {values[I][point], logs[I][point]};
  }
};
// Parameters, each the seed of its own derivative.
template <int P>
struct SeedParameters {
  const double* theta;  // [P]
  template <size_t I>
  QATLAS_INLINE Dual<(uint64_t{1} << I)> get() const {  // parameter I
    return {theta[I], {1.0}};
  }
};
// Parameters without derivatives.
template <int P>
struct PlainParameters {
  const double* theta;  // [P]
  template <size_t I>
  QATLAS_INLINE Dual<0> get() const {  // parameter I
    return {theta[I], {}};
  }
};

}  // namespace formula
}  // namespace qatlas

template <int C>
struct std::tuple_size<qatlas::formula::PointCovariates<C>> : std::integral_constant<size_t, C> {};
template <size_t I, int C>
struct std::tuple_element<I, qatlas::formula::PointCovariates<C>> {
  using type = qatlas::formula::Covariate;
};
template <int P>
struct std::tuple_size<qatlas::formula::SeedParameters<P>> : std::integral_constant<size_t, P> {};
template <size_t I, int P>
struct std::tuple_element<I, qatlas::formula::SeedParameters<P>> {
  using type = qatlas::formula::Dual<(uint64_t{1} << I)>;
};
template <int P>
struct std::tuple_size<qatlas::formula::PlainParameters<P>> : std::integral_constant<size_t, P> {};
template <size_t I, int P>
struct std::tuple_element<I, qatlas::formula::PlainParameters<P>> {
  using type = qatlas::formula::Dual<0>;
};

namespace qatlas {

// C covariates and P parameters, at most 63. Derived offers MakeSpec and Formula as shown above.
template <typename Derived, int C, int P>
class LawFormula : public LawForm {
 public:
  static_assert(C >= 1 && P >= 1 && P <= 63);

  LawFormula() : LawFormula(Derived::MakeSpec()) {}
  // For a form whose spec depends on its options.
  explicit LawFormula(LawSpec spec) : spec_(std::move(spec)) {
    QATLAS_CHECK(spec_.covariates.size() == C, "a law's spec and formula differ in covariates");
    QATLAS_CHECK(spec_.parameters.size() == P, "a law's spec and formula differ in parameters");
  }

  // The factory of a form without options; one with options hides it by its own.
  static absl::StatusOr<std::unique_ptr<LawForm>> Create(const Options&) {
    return std::make_unique<Derived>();
  }

  const LawSpec& Spec() const override { return spec_; }

  void Evaluate(const LawBatch& batch, const double* theta, double* values, double* jacobian,
                int64_t stride) const override {
    EvaluateWith(HostLawIsa(), batch, theta, values, jacobian, stride);
  }

  // The same with the instruction set named; the host must have it.
  static void EvaluateWith(LawIsa isa, const LawBatch& batch, const double* theta, double* values,
                           double* jacobian, int64_t stride) {
#if defined(__x86_64__)
    if (isa == LawIsa::kAvx512) return Avx512(batch, theta, values, jacobian, stride);
    if (isa == LawIsa::kAvx2) return Avx2(batch, theta, values, jacobian, stride);
#endif
    (void)isa;
    Baseline(batch, theta, values, jacobian, stride);
  }

 private:
  // GCC vectorizes at -O2 only what is cheap; the attributes ask for the full vectorizer here,
  // whatever the author's flags are. fp-contract=off keeps the three versions equal to the bit.
#if defined(__clang__)
#define QATLAS_VECTORIZED __attribute__((noinline, flatten))  // full vectorizer
#define QATLAS_AVX512 "avx512f,avx512dq"                      // of LawIsa::kAvx512
#define QATLAS_INDEPENDENT_POINTS _Pragma("clang loop vectorize(assume_safety)")  // no aliases
#else
#define QATLAS_AVX512 "avx512f,avx512dq,prefer-vector-width=512"
#define QATLAS_INDEPENDENT_POINTS _Pragma("GCC ivdep")
#define QATLAS_VECTORIZED           \
  __attribute__((noinline, flatten, \
                 optimize("O3", "no-trapping-math", "no-math-errno", "fp-contract=off")))
#endif
  QATLAS_VECTORIZED static void Baseline(const LawBatch& batch, const double* theta, double* values,
                                         double* jacobian, int64_t stride) {
    if (jacobian == nullptr) return Values(batch, theta, values);
    Derivatives(batch, theta, values, jacobian, stride);
  }
#if defined(__x86_64__)
  QATLAS_VECTORIZED __attribute__((target("avx2"))) static void Avx2(const LawBatch& batch,
                                                                     const double* theta,
                                                                     double* values,
                                                                     double* jacobian,
                                                                     int64_t stride) {
    if (jacobian == nullptr) return Values(batch, theta, values);
    Derivatives(batch, theta, values, jacobian, stride);
  }
  QATLAS_VECTORIZED __attribute__((target(QATLAS_AVX512))) static void Avx512(const LawBatch& batch,
                                                                              const double* theta,
                                                                              double* values,
                                                                              double* jacobian,
                                                                              int64_t stride) {
    if (jacobian == nullptr) return Values(batch, theta, values);
    Derivatives(batch, theta, values, jacobian, stride);
  }
#endif
#undef QATLAS_VECTORIZED
#undef QATLAS_AVX512

  static QATLAS_INLINE void Values(const LawBatch& batch, const double* theta, double* values) {
    const Local<C> columns(batch);
    const std::array<double, P> parameters = Copy(theta, std::make_index_sequence<P>{});
    const int64_t size = batch.size;
    QATLAS_INDEPENDENT_POINTS
    for (int64_t i = 0; i < size; ++i) {
      values[i] = Derived::Formula(
                      formula::PointCovariates<C>{columns.values.data(), columns.logs.data(), i},
                      formula::PlainParameters<P>{parameters.data()})
                      .value;
    }
  }

  static QATLAS_INLINE void Derivatives(const LawBatch& batch, const double* theta, double* values,
                                        double* jacobian, int64_t stride) {
    const Local<C> columns(batch);
    const std::array<double, P> parameters = Copy(theta, std::make_index_sequence<P>{});
    const int64_t size = batch.size;
    QATLAS_INDEPENDENT_POINTS
    for (int64_t i = 0; i < size; ++i) {
      const auto result = Derived::Formula(
          formula::PointCovariates<C>{columns.values.data(), columns.logs.data(), i},
          formula::SeedParameters<P>{parameters.data()});
      values[i] = result.value;
      Store(result, jacobian + i, stride, std::make_index_sequence<P>{});
    }
  }

  // Pointers and parameters as locals, so that stores to the results cannot change them.
  template <int Count>
  struct Local {
    std::array<const double*, Count> values;
    std::array<const double*, Count> logs;
    explicit QATLAS_INLINE Local(const LawBatch& batch) {
      Fill(batch, std::make_index_sequence<Count>{});
    }
    template <size_t... I>
    QATLAS_INLINE void Fill(const LawBatch& batch, std::index_sequence<I...>) {
      ((values[I] = batch.values[I]), ...);
      ((logs[I] = batch.logs[I]), ...);
    }
  };
  template <size_t... I>
  static QATLAS_INLINE std::array<double, P> Copy(const double* theta, std::index_sequence<I...>) {
    return {theta[I]...};
  }
  template <uint64_t Mask, size_t... I>
  static QATLAS_INLINE void Store(const formula::Dual<Mask>& result, double* jacobian,
                                  int64_t stride, std::index_sequence<I...>) {
    ((jacobian[static_cast<int64_t>(I) * stride] = Derivative<static_cast<int>(I)>(result)), ...);
  }
  template <int I, uint64_t Mask>
  static QATLAS_INLINE double Derivative(const formula::Dual<Mask>& result) {
    if constexpr (formula::internal::kHas<Mask, I>) {
      return result.d[formula::internal::Position(Mask, I)];
    } else {
      return 0.0;
    }
  }

  LawSpec spec_;
};

#undef QATLAS_INDEPENDENT_POINTS

}  // namespace qatlas

#endif  // QATLAS_LAW_FORMULA_H_
