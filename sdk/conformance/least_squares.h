// Nonlinear least squares for small problems: Levenberg-Marquardt with bounds, and singular values.
//
// The kit may not use the framework's fit room, and needs little of it: problems of at most some
// dozens of parameters and hundreds of rows whose solution is known.
#ifndef QATLAS_SDK_CONFORMANCE_LEAST_SQUARES_H_
#define QATLAS_SDK_CONFORMANCE_LEAST_SQUARES_H_

#include <cstddef>
#include <functional>
#include <vector>

namespace qatlas::conformance {

// Column by column: entry (row, column) stands at column * rows + row.
struct Matrix {
  size_t rows = 0;
  size_t columns = 0;
  std::vector<double> data;
  Matrix() = default;
  Matrix(size_t r, size_t c) : rows(r), columns(c), data(r * c) {}
  double& operator()(size_t r, size_t c) { return data[c * rows + r]; }
  double operator()(size_t r, size_t c) const { return data[c * rows + r]; }
};

// The x that makes |a x - b| least, by Householder's QR; a has at least as many rows as columns.
// Columns that depend on earlier ones (to 1e-14 of their length) get 0.
std::vector<double> LeastSquares(Matrix a, std::vector<double> b);

// Singular values of a by one-sided Jacobi rotations (small ones are relatively exact), descending,
// and the right singular vectors as columns of v.
struct Singular {
  std::vector<double> values;
  Matrix v;
};
Singular SingularValues(Matrix a);

// Residuals at x and, unless null, their derivatives.
using Residuals =
    std::function<void(const std::vector<double>& x, std::vector<double>* r, Matrix* jacobian)>;

struct Solution {
  std::vector<double> x;
  double cost = 0;  // sum of squares
};

// Goes downhill from `x` until a step gains less than 1e-15 of the cost, the cost is below
// `enough`, or after `steps` steps. Every coordinate stays between its bounds.
Solution Minimize(const Residuals& residuals, std::vector<double> x,
                  const std::vector<double>& lower, const std::vector<double>& upper, int steps,
                  double enough);

}  // namespace qatlas::conformance

#endif  // QATLAS_SDK_CONFORMANCE_LEAST_SQUARES_H_
