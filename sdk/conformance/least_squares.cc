#include "sdk/conformance/least_squares.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace qatlas::conformance {
namespace {

double Dot(const double* a, const double* b, size_t n) {
  return std::inner_product(a, a + n, b, 0.0);
}

double Norm(const double* a, size_t n) { return std::sqrt(Dot(a, a, n)); }

}  // namespace

std::vector<double> LeastSquares(Matrix a, std::vector<double> b) {
  const size_t m = a.rows, n = a.columns;
  std::vector<double> diagonal(n, 0);
  for (size_t k = 0; k < n; ++k) {
    double* column = &a(0, k);
    const double whole = Norm(column, m);
    const double norm = Norm(column + k, m - k);
    if (norm <= 1e-14 * whole || norm == 0) continue;
    const double alpha = column[k] > 0 ? -norm : norm;
    column[k] -= alpha;
    const double length = Dot(column + k, column + k, m - k);
    const auto reflect = [&](double* other) {
      const double factor = 2 * Dot(column + k, other + k, m - k) / length;
      for (size_t i = k; i < m; ++i) other[i] -= factor * column[i];
    };
    for (size_t j = k + 1; j < n; ++j) reflect(&a(0, j));
    reflect(b.data());
    diagonal[k] = alpha;
  }
  std::vector<double> x(n, 0);
  for (size_t k = n; k-- > 0;) {
    if (diagonal[k] == 0) continue;
    double sum = b[k];
    for (size_t j = k + 1; j < n; ++j) sum -= a(k, j) * x[j];
    x[k] = sum / diagonal[k];
  }
  return x;
}

Singular SingularValues(Matrix a) {
  const size_t m = a.rows, n = a.columns;
  Matrix v(n, n);
  for (size_t k = 0; k < n; ++k) v(k, k) = 1;
  const auto rotate = [](double* x, double* y, size_t count, double c, double s) {
    for (size_t i = 0; i < count; ++i) {
      const double old = x[i];
      x[i] = c * old - s * y[i];
      y[i] = s * old + c * y[i];
    }
  };
  bool changed = true;
  for (int sweep = 0; sweep < 60 && changed; ++sweep) {
    changed = false;
    for (size_t p = 0; p + 1 < n; ++p) {
      for (size_t q = p + 1; q < n; ++q) {
        const double pp = Dot(&a(0, p), &a(0, p), m), qq = Dot(&a(0, q), &a(0, q), m);
        const double pq = Dot(&a(0, p), &a(0, q), m);
        if (pq == 0 || std::abs(pq) <= 1e-15 * std::sqrt(pp * qq)) continue;
        changed = true;
        const double zeta = (qq - pp) / (2 * pq);
        const double t = std::copysign(1.0, zeta) / (std::abs(zeta) + std::hypot(1.0, zeta));
        const double c = 1 / std::hypot(1.0, t);
        rotate(&a(0, p), &a(0, q), m, c, c * t);
        rotate(&v(0, p), &v(0, q), n, c, c * t);
      }
    }
  }
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  std::vector<double> lengths;
  for (size_t k = 0; k < n; ++k) lengths.push_back(Norm(&a(0, k), m));
  std::sort(order.begin(), order.end(),
            [&](size_t x, size_t y) { return lengths[x] > lengths[y]; });
  Singular result = {{}, Matrix(n, n)};
  for (size_t k = 0; k < n; ++k) {
    result.values.push_back(lengths[order[k]]);
    for (size_t i = 0; i < n; ++i) result.v(i, k) = v(i, order[k]);
  }
  return result;
}

Solution Minimize(const Residuals& residuals, std::vector<double> x,
                  const std::vector<double>& lower, const std::vector<double>& upper, int steps,
                  double enough) {
  const size_t n = x.size();
  for (size_t k = 0; k < n; ++k) x[k] = std::clamp(x[k], lower[k], upper[k]);
  std::vector<double> r, trial;
  Matrix jacobian;
  residuals(x, &r, &jacobian);
  double cost = Dot(r.data(), r.data(), r.size());
  double damping = 1e-3;
  int idle = 0;  // steps that gained next to nothing
  for (int step = 0; step < steps && cost > enough && idle < 3 && std::isfinite(cost); ++step) {
    const size_t m = r.size();
    std::vector<double> scales;
    for (size_t k = 0; k < n; ++k) {
      const double length = Norm(&jacobian(0, k), m);
      scales.push_back(length > 0 && std::isfinite(length) ? length : 1);
    }
    bool moved = false;
    for (int attempt = 0; attempt < 12 && !moved; ++attempt) {
      // Marquardt's step: least squares with a row for each coordinate below the Jacobian.
      Matrix augmented(m + n, n);
      std::vector<double> right(m + n, 0);
      for (size_t i = 0; i < m; ++i) right[i] = -r[i];
      for (size_t k = 0; k < n; ++k) {
        for (size_t i = 0; i < m; ++i) augmented(i, k) = jacobian(i, k) / scales[k];
        augmented(m + k, k) = std::sqrt(damping);
      }
      const std::vector<double> move = LeastSquares(std::move(augmented), std::move(right));
      std::vector<double> next = x;
      for (size_t k = 0; k < n; ++k) {
        next[k] = std::clamp(x[k] + move[k] / scales[k], lower[k], upper[k]);
      }
      residuals(next, &trial, nullptr);
      const double next_cost = Dot(trial.data(), trial.data(), trial.size());
      if (next_cost < cost) {
        idle = cost - next_cost < 1e-15 * cost ? idle + 1 : 0;
        x = std::move(next);
        cost = next_cost;
        damping = std::max(damping / 8, 1e-15);
        moved = true;
      } else {
        damping *= 4;
      }
    }
    if (!moved) break;
    residuals(x, &r, &jacobian);
  }
  return {std::move(x), cost};
}

}  // namespace qatlas::conformance
