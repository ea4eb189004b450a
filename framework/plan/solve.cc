#include "framework/plan/solve.h"

#include <cmath>
#include <limits>

#include "framework/fit/predict.h"

namespace qatlas::plan {

Least Minimize(const std::function<double(double)>& f, double low, double high, int points) {
  const std::vector<double> grid = fit::LogSpaced(low, high, points);
  Least best{std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
             false};
  size_t at = 0;
  for (size_t i = 0; i < grid.size(); ++i) {
    const double value = f(grid[i]);
    if (!(value < best.value)) continue;
    best = {grid[i], value, false};
    at = i;
  }
  if (!std::isfinite(best.value)) return best;
  best.at_edge = at == 0 || at + 1 == grid.size();
  double a = std::log(grid[at == 0 ? 0 : at - 1]);
  double b = std::log(grid[at + 1 == grid.size() ? at : at + 1]);
  constexpr double kGolden = .6180339887498949;
  double c = b - kGolden * (b - a), d = a + kGolden * (b - a);
  double at_c = f(std::exp(c)), at_d = f(std::exp(d));
  // A minimum is flat: beyond 1e-8 of ln x the values no longer tell.
  while (b - a > 1e-8) {
    if (at_c <= at_d) {
      b = d;
      d = c;
      at_d = at_c;
      c = b - kGolden * (b - a);
      at_c = f(std::exp(c));
    } else {
      a = c;
      c = d;
      at_c = at_d;
      d = a + kGolden * (b - a);
      at_d = f(std::exp(d));
    }
  }
  const double x = std::exp((a + b) / 2), value = f(x);
  if (value <= best.value) {
    best.x = x;
    best.value = value;
  }
  return best;
}

std::vector<double> Crossings(const std::function<double(double)>& f, double low, double high,
                              int points) {
  const std::vector<double> grid = fit::LogSpaced(low, high, points);
  std::vector<double> found;
  double before = f(grid[0]);
  for (size_t i = 1; i < grid.size(); ++i) {
    const double after = f(grid[i]);
    const bool finite = std::isfinite(before) && std::isfinite(after);
    if (finite && before == 0) {
      found.push_back(grid[i - 1]);
    } else if (finite && (before < 0) != (after < 0) && after != 0) {
      double a = std::log(grid[i - 1]), b = std::log(grid[i]);
      while (b - a > 1e-12) {
        const double middle = (a + b) / 2;
        const double value = f(std::exp(middle));
        if (middle <= a || middle >= b) break;
        ((value < 0) == (before < 0) ? a : b) = middle;
      }
      found.push_back(std::exp((a + b) / 2));
    }
    before = after;
  }
  return found;
}

}  // namespace qatlas::plan
