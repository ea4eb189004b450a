#include "framework/fit/global.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlopt.hpp>
#include <vector>

#include <qatlas/check.h>

#include "framework/fit/stats.h"

namespace qatlas::fit {
namespace {

// The least distance that the box reaches beyond the start values of a logarithm.
constexpr double kLogMargin = 8;
// What NLopt is told where the objective is not finite: a wall.
constexpr double kWall = 1e300;

nlopt::algorithm Algorithm(GlobalSearch global) {
  switch (global) {
    case GlobalSearch::kMlsl:
      return nlopt::G_MLSL_LDS;
    case GlobalSearch::kCrs2:
      return nlopt::GN_CRS2_LM;
    case GlobalSearch::kIsres:
      return nlopt::GN_ISRES;
    case GlobalSearch::kNone:
      break;
  }
  QATLAS_CHECK(false, "no global search was asked for");
  return nlopt::GN_CRS2_LM;
}

void Box(const Problem& problem, std::vector<double>* low, std::vector<double>* high) {
  for (int i = 0; i < problem.coordinates(); ++i) {
    const Parameter& coordinate = problem.coordinate(i);
    const auto& starts = problem.form().Spec().parameters[coordinate.base].starts;
    auto [least, most] = std::minmax_element(starts.begin(), starts.end());
    const double a = coordinate.log ? std::log(*least) : *least;
    const double b = coordinate.log ? std::log(*most) : *most;
    double margin = b - a;
    if (coordinate.log) margin = std::max(margin, kLogMargin);
    if (margin == 0) margin = std::max(1.0, std::abs(a));
    low->push_back(std::max(a - margin, problem.LowerCoordinate(i)));
    high->push_back(std::min(b + margin, problem.UpperCoordinate(i)));
  }
}

}  // namespace

Refit SearchGlobally(const Problem& problem, const FitOptions& options, uint64_t seed,
                     LocalSearcher* searcher) {
  const unsigned m = static_cast<unsigned>(problem.coordinates());
  std::vector<double> low, high;
  Box(problem, &low, &high);
  struct Context {
    LocalSearcher* searcher;
    Refit best;
  } context{searcher, {}};
  context.best.objective = std::numeric_limits<double>::infinity();
  const auto objective = [](const std::vector<double>& x, std::vector<double>& gradient,
                            void* data) -> double {
    auto* c = static_cast<Context*>(data);
    ++c->best.iterations;
    const double value = gradient.empty() ? c->searcher->Objective(x)
                                          : c->searcher->ObjectiveAndGradient(x, gradient.data());
    if (value < c->best.objective) {
      c->best.objective = value;
      c->best.coordinates = x;
    }
    if (std::isfinite(value)) return value;
    std::fill(gradient.begin(), gradient.end(), 0.0);
    return kWall;
  };
  nlopt::srand(seed);
  nlopt::opt optimizer(Algorithm(options.global), m);
  optimizer.set_min_objective(objective, &context);
  optimizer.set_lower_bounds(low);
  optimizer.set_upper_bounds(high);
  optimizer.set_maxeval(options.evaluations);
  if (options.global == GlobalSearch::kMlsl) {
    nlopt::opt local(nlopt::LD_LBFGS, m);
    local.set_ftol_rel(1e-6);
    local.set_maxeval(100);
    optimizer.set_local_optimizer(local);
  }
  std::vector<double> x(m);
  // Different seeds begin at different places: MLSL's own sequence does not depend on the seed.
  Random random(seed, 0);
  for (unsigned i = 0; i < m; ++i) x[i] = low[i] + (high[i] - low[i]) * random.Uniform();
  double value = 0;
  try {
    optimizer.optimize(x, value);
  } catch (const std::exception&) {
    // A line search inside gave up; the best point that was seen is kept.
  }
  return context.best;
}

}  // namespace qatlas::fit
