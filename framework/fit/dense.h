// Small dense linear algebra: matrices of as many rows as a law has parameters.
#ifndef QATLAS_FRAMEWORK_FIT_DENSE_H_
#define QATLAS_FRAMEWORK_FIT_DENSE_H_

#include <cstdint>
#include <vector>

namespace qatlas::fit::dense {

// Cholesky factor of the symmetric [n][n] matrix a, in its lower triangle, in place. False when a
// pivot is not above `epsilon` times its diagonal: a is not positive definite to working precision.
bool Cholesky(int n, double* a, double epsilon = 1e-14);
// Solves L Lᵀ x = b in place with the factor of Cholesky.
void CholeskySolve(int n, const double* factor, double* b);
// (L Lᵀ)⁻¹, [n][n], from the factor.
void CholeskyInverse(int n, const double* factor, double* inverse);

// Singular values (descending) and right singular vectors (v[k] is the k-th, [columns]) of the
// matrix given by columns, [columns][rows], with rows >= columns. Householder QR, then one-sided
// Jacobi on the triangle: small singular values keep their relative accuracy.
struct Svd {
  std::vector<double> values;
  std::vector<std::vector<double>> v;
};
Svd RightSvd(std::vector<std::vector<double>> columns);

}  // namespace qatlas::fit::dense

#endif  // QATLAS_FRAMEWORK_FIT_DENSE_H_
