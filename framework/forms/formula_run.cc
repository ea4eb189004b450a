#include "framework/forms/formula_run.h"

#include <cmath>

#include <qatlas/check.h>
#include <qatlas/vector_math.h>

namespace qatlas::forms::formula_run {
namespace {

using Code = FormulaInstruction::Code;
using Op = FormulaGraph::Op;

// A multiple of kLogOfZero, whatever it was multiplied by within reason.
constexpr double kUnbounded = 1e280;

}  // namespace

#pragma GCC push_options
#pragma GCC optimize("O3", "no-trapping-math", "no-math-errno")
namespace baseline {
// NOLINTNEXTLINE(build/include)
#include "framework/forms/formula_loops.inc"
}  // namespace baseline
#pragma GCC pop_options
#if defined(__x86_64__)
#pragma GCC push_options
#pragma GCC optimize("O3", "no-trapping-math", "no-math-errno")
#pragma GCC target("avx2")
namespace avx2 {
// NOLINTNEXTLINE(build/include)
#include "framework/forms/formula_loops.inc"
}  // namespace avx2
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC optimize("O3", "no-trapping-math", "no-math-errno")
#pragma GCC target("avx512f,avx512dq,prefer-vector-width=512")
namespace avx512 {
// NOLINTNEXTLINE(build/include)
#include "framework/forms/formula_loops.inc"
}  // namespace avx512
#pragma GCC pop_options
#endif

Runner RunnerFor(LawIsa isa) {
#if defined(__x86_64__)
  if (isa == LawIsa::kAvx512) return avx512::Run;
  if (isa == LawIsa::kAvx2) return avx2::Run;
#endif
  (void)isa;
  return baseline::Run;
}

double ScalarOf(Op op, double a, double b) {
  switch (op) {
    case Op::kAdd:
      return a + b;
    case Op::kMultiply:
      return a * b;
    case Op::kExp:
      return vector_math::Exp(a);
    case Op::kLog:
      return LawPoints::LogOf(a);
    case Op::kInverse:
      return 1.0 / a;
    case Op::kInverseOrZero:
      return a == 0.0 ? 0.0 : 1.0 / a;
    case Op::kSqrt:
      return std::sqrt(a);
    case Op::kTanh:
      return vector_math::Tanh(a);
    default:
      QATLAS_CHECK(false, "an operation that scalars do not have");
      return 0;
  }
}

}  // namespace qatlas::forms::formula_run
