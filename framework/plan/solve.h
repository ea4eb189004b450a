// One-dimensional searches on a logarithmic scale: least values and crossings.
#ifndef QATLAS_FRAMEWORK_PLAN_SOLVE_H_
#define QATLAS_FRAMEWORK_PLAN_SOLVE_H_

#include <functional>
#include <vector>

namespace qatlas::plan {

// The x in [low, high] with the least f: a scan of `points` evenly spaced in ln x, then golden
// section about the best. Infinite values are never chosen. NaN where f is nowhere finite.
// `at_edge`: the least value lies at an end of the range.
struct Least {
  double x = 0, value = 0;
  bool at_edge = false;
};
Least Minimize(const std::function<double(double)>& f, double low, double high, int points = 80);

// Every x in [low, high] where f changes its sign between finite values, ascending: a scan of
// `points`, then bisection to 1e-12 relative. Two crossings between neighbouring points of the
// scan are missed.
std::vector<double> Crossings(const std::function<double(double)>& f, double low, double high,
                              int points = 240);

}  // namespace qatlas::plan

#endif  // QATLAS_FRAMEWORK_PLAN_SOLVE_H_
