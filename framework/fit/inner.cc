#include "framework/fit/inner.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include <qatlas/law_formula.h>
#include <qatlas/vector_math.h>

namespace qatlas::fit::inner {

#pragma GCC push_options
#pragma GCC optimize("O3", "no-trapping-math", "no-math-errno")
namespace baseline {
// NOLINTNEXTLINE(build/include)
#include "framework/fit/inner_loops.inc"
}  // namespace baseline
#if defined(__x86_64__)
#pragma GCC target("avx2")
namespace avx2 {
// NOLINTNEXTLINE(build/include)
#include "framework/fit/inner_loops.inc"
}  // namespace avx2
#endif
#pragma GCC pop_options

double StudentVariance(int64_t padded, const double* squares, const double* weight, double nu,
                       double least) {
  return baseline::StudentVariance(padded, squares, weight, nu, least);
}

const Kernels& BaselineKernels() {
  static constexpr Kernels kernels = {baseline::Terms, baseline::Gradient, baseline::Normal};
  return kernels;
}

const Kernels& HostKernels() {
#if defined(__x86_64__)
  static constexpr Kernels kernels = {avx2::Terms, avx2::Gradient, avx2::Normal};
  if (HostLawIsa() != LawIsa::kBaseline) return kernels;
#endif
  return BaselineKernels();
}

}  // namespace qatlas::fit::inner
