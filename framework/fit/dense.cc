#include "framework/fit/dense.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace qatlas::fit::dense {

bool Cholesky(int n, double* a, double epsilon) {
  for (int j = 0; j < n; ++j) {
    const double diagonal = a[j * n + j];
    double pivot = diagonal;
    for (int k = 0; k < j; ++k) pivot -= a[j * n + k] * a[j * n + k];
    if (!(pivot > epsilon * diagonal) || !std::isfinite(pivot)) return false;
    const double root = std::sqrt(pivot);
    a[j * n + j] = root;
    for (int i = j + 1; i < n; ++i) {
      double sum = a[i * n + j];
      for (int k = 0; k < j; ++k) sum -= a[i * n + k] * a[j * n + k];
      a[i * n + j] = sum / root;
    }
  }
  return true;
}

void CholeskySolve(int n, const double* factor, double* b) {
  for (int i = 0; i < n; ++i) {
    for (int k = 0; k < i; ++k) b[i] -= factor[i * n + k] * b[k];
    b[i] /= factor[i * n + i];
  }
  for (int i = n - 1; i >= 0; --i) {
    for (int k = i + 1; k < n; ++k) b[i] -= factor[k * n + i] * b[k];
    b[i] /= factor[i * n + i];
  }
}

void CholeskyInverse(int n, const double* factor, double* inverse) {
  std::vector<double> unit(n);
  for (int j = 0; j < n; ++j) {
    std::fill(unit.begin(), unit.end(), 0.0);
    unit[j] = 1;
    CholeskySolve(n, factor, unit.data());
    for (int i = 0; i < n; ++i) inverse[i * n + j] = unit[i];
  }
}

namespace {

using Columns = std::vector<std::vector<double>>;

double Norm(const double* x, size_t size) {
  double largest = 0;
  for (size_t i = 0; i < size; ++i) largest = std::max(largest, std::abs(x[i]));
  if (!(largest > 0)) return 0;
  double squares = 0;
  for (size_t i = 0; i < size; ++i) squares += (x[i] / largest) * (x[i] / largest);
  return largest * std::sqrt(squares);
}

// Reflects the columns onto the upper triangle R of their QR factorization.
void Reflect(Columns* columns) {
  Columns& a = *columns;
  const size_t n = a.size();
  const size_t rows = a[0].size();
  for (size_t j = 0; j < n && j + 1 < rows; ++j) {
    std::vector<double>& x = a[j];
    const double norm = Norm(x.data() + j, rows - j);
    if (norm == 0) continue;
    // Reflects x[j..] onto the axis; the sign avoids cancellation.
    const double head = x[j] > 0 ? -norm : norm;
    std::vector<double> v(x.begin() + j, x.end());
    v[0] -= head;
    const double square = std::inner_product(v.begin(), v.end(), v.begin(), 0.0);
    for (size_t c = j; c < n; ++c) {
      const double dot = std::inner_product(v.begin(), v.end(), a[c].begin() + j, 0.0);
      for (size_t i = 0; i < v.size(); ++i) a[c][j + i] -= 2 * dot / square * v[i];
    }
  }
}

// R of the QR factorization, [n][n] by columns: pieces of the rows at a time under the R of those
// before, so that long columns are read once.
Columns Triangle(const Columns& a) {
  constexpr size_t kPiece = 1024;
  const size_t n = a.size();
  const size_t rows = a[0].size();
  Columns r(n, std::vector<double>(n, 0.0));
  for (size_t begin = 0; begin < rows; begin += kPiece) {
    const size_t end = std::min(rows, begin + kPiece);
    for (size_t c = 0; c < n; ++c) {
      r[c].insert(r[c].end(), a[c].begin() + begin, a[c].begin() + end);
    }
    Reflect(&r);
    for (size_t c = 0; c < n; ++c) {
      r[c].resize(n);
      for (size_t i = c + 1; i < n; ++i) r[c][i] = 0;
    }
  }
  return r;
}

}  // namespace

Svd RightSvd(Columns columns) {
  const size_t n = columns.size();
  Columns a = Triangle(columns);
  Columns v(n, std::vector<double>(n, 0.0));
  for (size_t i = 0; i < n; ++i) v[i][i] = 1;
  for (int sweep = 0; sweep < 60; ++sweep) {
    bool rotated = false;
    for (size_t p = 0; p + 1 < n; ++p) {
      for (size_t q = p + 1; q < n; ++q) {
        const double alpha = std::inner_product(a[p].begin(), a[p].end(), a[p].begin(), 0.0);
        const double beta = std::inner_product(a[q].begin(), a[q].end(), a[q].begin(), 0.0);
        const double gamma = std::inner_product(a[p].begin(), a[p].end(), a[q].begin(), 0.0);
        if (std::abs(gamma) <= 1e-15 * std::sqrt(alpha * beta)) continue;
        rotated = true;
        const double zeta = (beta - alpha) / (2 * gamma);
        const double t = (zeta >= 0 ? 1.0 : -1.0) / (std::abs(zeta) + std::hypot(1.0, zeta));
        const double c = 1 / std::hypot(1.0, t);
        const double s = c * t;
        for (Columns* m : {&a, &v}) {
          for (size_t i = 0; i < n; ++i) {
            const double x = (*m)[p][i];
            const double y = (*m)[q][i];
            (*m)[p][i] = c * x - s * y;
            (*m)[q][i] = s * x + c * y;
          }
        }
      }
    }
    if (!rotated) break;
  }
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::vector<double> norms(n);
  for (size_t i = 0; i < n; ++i) {
    norms[i] = std::sqrt(std::inner_product(a[i].begin(), a[i].end(), a[i].begin(), 0.0));
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t x, size_t y) { return norms[x] > norms[y]; });
  Svd svd;
  for (size_t i : order) {
    svd.values.push_back(norms[i]);
    svd.v.push_back(v[i]);
  }
  return svd;
}

}  // namespace qatlas::fit::dense
