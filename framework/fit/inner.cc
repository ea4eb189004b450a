#include "framework/fit/inner.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include <qatlas/law_formula.h>
#include <qatlas/vector_math.h>

namespace qatlas::fit::inner {

#pragma GCC push_options
// Without fused multiply-add, all versions give the same bits.
#pragma GCC optimize("O3", "no-trapping-math", "no-math-errno", "fp-contract=off")
namespace baseline {
constexpr int kWidth = 2;
// NOLINTNEXTLINE(build/include)
#include "framework/fit/inner_loops.inc"
}  // namespace baseline
#if defined(__x86_64__)
#pragma GCC target("avx2")
namespace avx2 {
constexpr int kWidth = 4;
// NOLINTNEXTLINE(build/include)
#include "framework/fit/inner_loops.inc"
}  // namespace avx2
#pragma GCC target("avx512f,avx512dq,prefer-vector-width=512")
namespace avx512 {
constexpr int kWidth = 8;
// NOLINTNEXTLINE(build/include)
#include "framework/fit/inner_loops.inc"
}  // namespace avx512
#endif
#pragma GCC pop_options

double StudentVariance(int64_t padded, const double* squares, const double* weight, double nu,
                       double least) {
  return baseline::StudentVariance(padded, squares, weight, nu, least);
}

const Kernels& KernelsOf(LawIsa isa) {
  static constexpr Kernels portable = {baseline::Terms,          baseline::Gradient,
                                       baseline::Normal,         baseline::Residuals,
                                       baseline::StudentScaleOf, baseline::StudentSlopes};
#if defined(__x86_64__)
  static constexpr Kernels wide = {avx2::Terms,     avx2::Gradient,       avx2::Normal,
                                   avx2::Residuals, avx2::StudentScaleOf, avx2::StudentSlopes};
  static constexpr Kernels widest = {avx512::Terms,          avx512::Gradient,
                                     avx512::Normal,         avx512::Residuals,
                                     avx512::StudentScaleOf, avx512::StudentSlopes};
  if (isa == LawIsa::kAvx512) return widest;
  if (isa == LawIsa::kAvx2) return wide;
#endif
  (void)isa;
  return portable;
}

const Kernels& HostKernels() {
  static const Kernels& kernels = KernelsOf(HostLawIsa());
  return kernels;
}

}  // namespace qatlas::fit::inner
