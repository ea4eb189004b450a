// The loops over rows inside a fit, for the host's instruction set. Sums are taken in eight lanes
// in a fixed order, so results are the same bits whichever version runs.
#ifndef QATLAS_FRAMEWORK_FIT_INNER_H_
#define QATLAS_FRAMEWORK_FIT_INNER_H_

#include <cstdint>
#include <limits>

#include <qatlas/law_formula.h>

#include "framework/fit/loss.h"

namespace qatlas::fit::inner {

// Rows are padded to a multiple of this; the padding of every array holds zeros.
inline constexpr int64_t kLanes = 8;
constexpr int64_t Padded(int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

struct TermsInput {
  Loss loss;
  int64_t rows;
  const double* prediction;     // f
  const double* target;         // y, or ln y where the space is logarithmic
  const double* weight;         // w
  const double* inverse_noise;  // 1/se in the residual's units
};

// Student's t: s² at maximum likelihood of residuals r with weights w, [padded], the root of
//   sum w (nu + 1) r²/(nu s² + r²) = sum w.
// squares: r². Not below `least`, which is what it is where most residuals are 0.
double StudentVariance(int64_t padded, const double* squares, const double* weight, double nu,
                       double least);
// The least s² that Student's t is given: that of rounding.
inline constexpr double kLeastVariance = 1e-30;

// What all rows together give each term of Student's t.
struct StudentScale {
  double objective = std::numeric_limits<double>::infinity();
  double core = 0;    // nu s²
  double factor = 0;  // psi = w factor r/(core + r²); 0: there is no scale
};

struct Kernels {
  // The objective (loss.h); infinity when a prediction is NaN, or not positive where its logarithm
  // is taken. With psi_i its derivative by r_i: slope = psi dr/df, and curvature = psi/r (dr/df)²,
  // the weight of Gauss-Newton (of iteratively reweighted least squares for robust losses).
  // scratch: [Padded(rows)].
  double (*terms)(const TermsInput& input, double* slope, double* curvature, double* scratch);
  // gradient[a] = sum_i J[a][i] slope[i].
  void (*gradient)(int m, int64_t padded, const double* jacobian, const double* slope,
                   double* gradient);
  // The lower triangle of hessian[a][b] = sum_i J[a][i] J[b][i] curvature[i]; scratch: [padded].
  void (*normal)(int m, int64_t padded, const double* jacobian, const double* curvature,
                 double* hessian, double* scratch);
  // `terms` of Student's t in its three steps, for rows in pieces: r, dr/df and r² of each piece;
  // then the scale from the r² of all rows, [Padded(rows)], which it overwrites (of `all` the
  // prediction is not read); then r and dr/df of each piece become slope and curvature.
  void (*residuals)(const TermsInput& input, double* residual, double* derivative, double* squares);
  StudentScale (*student_scale)(const TermsInput& all, double* squares);
  void (*student_slopes)(int64_t rows, const double* weight, const StudentScale& scale,
                         double* slope, double* curvature);
};

// Those of an instruction set, which the host must have, and of the host's best.
const Kernels& KernelsOf(LawIsa isa);
const Kernels& HostKernels();

}  // namespace qatlas::fit::inner

#endif  // QATLAS_FRAMEWORK_FIT_INNER_H_
