#include "framework/fit/search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "framework/fit/global.h"
#include "framework/fit/local.h"
#include "framework/fit/parallel.h"
#include "framework/fit/starts.h"

namespace qatlas::fit {
namespace {

// How many global searches, each with a seed of its own, show whether they agree.
constexpr int kGlobalSearches = 4;

// Start, with the linear coordinates solved where that is wanted.
std::vector<double> Prepare(const StartGrid& grid, int64_t index, bool closed_form,
                            LocalSearcher* searcher) {
  std::vector<double> u = grid.At(index);
  if (closed_form) searcher->SolveLinear(&u);
  return u;
}

// Objective of every start.
std::vector<double> Screen(const Problem& problem, const StartGrid& grid,
                           const FitOptions& options) {
  std::vector<double> objective(grid.size());
  ParallelFor(grid.size(), options.threads, 16, [&] {
    return [&, searcher = LocalSearcher(problem, options)](int64_t begin, int64_t end) mutable {
      for (int64_t i = begin; i < end; ++i) {
        objective[i] = searcher.Objective(Prepare(grid, i, options.closed_form, &searcher));
      }
    };
  });
  return objective;
}

// Which starts to search, in order: every other one the best of those left, the others spread over
// the order of objectives.
std::vector<int64_t> Choose(const std::vector<double>& objective, int count) {
  const int64_t size = static_cast<int64_t>(objective.size());
  std::vector<int64_t> order(size);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return objective[a] < objective[b]; });
  // Starts without a finite objective lead nowhere.
  const int64_t finite =
      std::count_if(objective.begin(), objective.end(), [](double x) { return std::isfinite(x); });
  if (finite > 0) order.resize(finite);
  if (static_cast<int64_t>(order.size()) <= count) return order;
  std::vector<char> taken(order.size(), 0);
  std::vector<int64_t> chosen;
  size_t best = 0;
  // From the worst on; the golden section visits the order evenly, however many are taken of it.
  double position = 1 - 1e-12 - 0.6180339887498949;
  while (static_cast<int>(chosen.size()) < count) {
    size_t at = best;
    if (chosen.size() % 2 == 1) {
      position = std::fmod(position + 0.6180339887498949, 1.0);
      at = static_cast<size_t>(position * static_cast<double>(order.size()));
    }
    while (taken[at]) at = (at + 1) % order.size();
    taken[at] = 1;
    chosen.push_back(order[at]);
    while (best < order.size() && taken[best]) ++best;
  }
  return chosen;
}

int CountOptima(const std::vector<Refit>& searches, double floor) {
  std::vector<double> ends;
  for (const Refit& search : searches) {
    if (std::isfinite(search.objective)) ends.push_back(search.objective);
  }
  std::sort(ends.begin(), ends.end());
  int optima = 0;
  double head = 0;
  for (double end : ends) {
    if (optima > 0 && Agrees(end, head, floor)) continue;
    ++optima;
    head = end;
  }
  return optima;
}

const Refit& Best(const std::vector<Refit>& searches) {
  return *std::min_element(searches.begin(), searches.end(), [](const Refit& a, const Refit& b) {
    return a.objective < b.objective;
  });
}

// After `done` searches: may the rest be left out?
bool Enough(const std::vector<Refit>& searches, const std::vector<double>& objective,
            const std::vector<int64_t>& chosen, double floor) {
  if (!SafeToStop(static_cast<int>(searches.size()), CountOptima(searches, floor))) return false;
  const double best = Best(searches).objective;
  const auto agreeing = std::count_if(searches.begin(), searches.end(), [&](const Refit& search) {
    return search.converged && Agrees(search.objective, best, floor);
  });
  if (agreeing < 2) return false;
  for (size_t k = searches.size(); k < chosen.size(); ++k) {
    if (objective[chosen[k]] < best) return false;
  }
  return true;
}

MultiStart SearchFromGlobal(const Problem& problem, const FitOptions& options) {
  MultiStart result;
  result.starts = kGlobalSearches;
  LocalSearcher searcher(problem, options);
  for (int k = 0; k < kGlobalSearches; ++k) {
    const Refit found = SearchGlobally(problem, options, options.seed + k, &searcher);
    Refit polished = found;
    if (std::isfinite(found.objective)) {
      polished = searcher.Run(found.coordinates, options.local);
      if (!(polished.objective <= found.objective)) polished = found;
    }
    result.searches.push_back(std::move(polished));
  }
  return result;
}

}  // namespace

double RoundingFloor(const Problem& problem) {
  double floor = 0;
  for (double y : problem.target()) {
    floor += problem.loss().space == Space::kLog ? 1e-24 : 1e-24 * y * y;
  }
  return floor;
}

bool Agrees(double objective, double best, double floor) {
  return objective <= best * (1 + kAgreement) + floor;
}

bool SafeToStop(int searches, int optima) {
  const int beyond = searches - optima - 2;
  if (optima < 1 || beyond < 1) return false;
  return static_cast<double>(optima) * (searches - 1) / beyond < optima + 0.5;
}

MultiStart SearchStarts(const Problem& problem, const FitOptions& options) {
  const double floor = RoundingFloor(problem);
  MultiStart result;
  if (options.global != GlobalSearch::kNone && problem.coordinates() > 0) {
    result = SearchFromGlobal(problem, options);
    result.optima = CountOptima(result.searches, floor);
    return result;
  }
  const StartGrid grid(problem, options.closed_form, options.max_starts);
  result.starts = grid.size();
  std::vector<int64_t> chosen(grid.size());
  std::iota(chosen.begin(), chosen.end(), 0);
  std::vector<double> objective;
  const bool screened = options.searched > 0 && grid.size() > options.searched;
  if (screened) {
    objective = Screen(problem, grid, options);
    chosen = Choose(objective, options.searched);
  }
  const int64_t count = static_cast<int64_t>(chosen.size());
  const int64_t batch = screened && options.stop_early ? kBatch : count;
  for (int64_t begin = 0; begin < count; begin += batch) {
    const int64_t end = std::min(count, begin + batch);
    result.searches.resize(end);
    ParallelFor(end - begin, options.threads, batch < count ? 1 : 4, [&] {
      return [&, searcher = LocalSearcher(problem, options)](int64_t from, int64_t to) mutable {
        for (int64_t k = begin + from; k < begin + to; ++k) {
          result.searches[k] =
              searcher.Run(Prepare(grid, chosen[k], options.closed_form, &searcher), options.local);
        }
      };
    });
    if (end < count && Enough(result.searches, objective, chosen, floor)) {
      result.stopped_early = true;
      break;
    }
  }
  result.optima = CountOptima(result.searches, floor);
  return result;
}

}  // namespace qatlas::fit
