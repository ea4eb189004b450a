#include "framework/compare/nested.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>

#include "framework/fit/distributions.h"
#include "framework/fit/local.h"
#include "framework/fit/starts.h"
#include "framework/fit/stats.h"

namespace qatlas::compare {
namespace {

constexpr double kReproduced = 1e-4;  // of the scale of the noise
constexpr int kDraws = 4;             // the optimum, and around it
constexpr int kSearches = 6;          // from the grid, where the optimum of the fit leads nowhere
constexpr size_t kLongest = 120;      // letters of a restriction
constexpr double kSame = 1e-3;        // values of a parameter, or of two, that agree

// Predictions in the restricted form's order of rows, brought to the full form's.
std::vector<double> Reordered(const fit::Problem& from, const std::vector<double>& prediction,
                              const fit::Problem& to) {
  std::vector<double> by_table_row;
  for (int64_t i = 0; i < from.rows(); ++i) {
    if (by_table_row.size() <= from.row(i)) by_table_row.resize(from.row(i) + 1);
    by_table_row[from.row(i)] = prediction[i];
  }
  std::vector<double> result(to.rows());
  for (int64_t i = 0; i < to.rows(); ++i) result[i] = by_table_row[to.row(i)];
  return result;
}

// Coordinates at which the full form gives the targets, or empty.
std::vector<double> Reproduce(const fit::Problem& full, const std::vector<double>& targets,
                              double scale, const std::vector<double>& start,
                              const fit::FitOptions& options) {
  const fit::Problem posed =
      full.WithLoss({full.loss().space, fit::Shape::kSquare}).WithTarget(targets);
  fit::FitOptions fine = options;
  fine.tolerance = 1e-14;
  fit::LocalSearcher searcher(posed, fine);
  double weight = 0;
  for (double w : posed.weight()) weight = std::max(weight, w);
  // The largest residual is at most the root of twice the objective.
  const double enough = .5 * weight * kReproduced * kReproduced * scale * scale;
  const auto search = [&](const std::vector<double>& from) {
    const fit::Refit refit = searcher.Run(from);
    return refit.objective <= enough ? refit.coordinates : std::vector<double>();
  };
  std::vector<double> found = search(start);
  if (!found.empty()) return found;
  const fit::StartGrid grid(posed, true, 2000);
  std::vector<std::pair<double, int64_t>> order;
  for (int64_t i = 0; i < grid.size(); ++i) {
    std::vector<double> u = grid.At(i);
    searcher.SolveLinear(&u);
    order.push_back({searcher.Objective(u), i});
  }
  std::sort(order.begin(), order.end());
  for (size_t k = 0; k < order.size() && k < kSearches && found.empty(); ++k) {
    std::vector<double> u = grid.At(order[k].second);
    searcher.SolveLinear(&u);
    found = search(u);
  }
  return found;
}

std::vector<double> Around(const fit::Problem& problem, std::vector<double> u,
                           fit::Random* random) {
  for (int i = 0; i < problem.coordinates(); ++i) {
    const double width = problem.coordinate(i).log ? .2 : .2 * std::max(std::abs(u[i]), .3);
    u[i] += width * (2 * random->Uniform() - 1);
    u[i] = std::clamp(u[i], problem.LowerCoordinate(i), problem.UpperCoordinate(i));
  }
  return u;
}

bool Agree(double a, double b) { return std::abs(a - b) <= kSame * std::max(std::abs(a), .01); }

// What the full form's parameters have in common over all draws, [draws][coordinates].
void Describe(const fit::Problem& full, const std::vector<std::vector<double>>& draws,
              Embedding* embedding) {
  std::vector<std::vector<double>> values;
  for (const auto& u : draws) values.push_back(full.Values(u));
  std::vector<int> moving;
  std::vector<std::string> parts;
  for (int c = 0; c < full.coordinates(); ++c) {
    const fit::Parameter& parameter = full.coordinate(c);
    const size_t p = &parameter - full.parameters().data();
    const bool held = std::all_of(values.begin(), values.end(),
                                  [&](const auto& v) { return Agree(values[0][p], v[p]); });
    if (!held) {
      moving.push_back(c);
      continue;
    }
    double value = values[0][p];
    // Searches end near round numbers, not on them.
    if (Agree(value, std::round(value))) value = std::round(value) + 0.0;
    parts.push_back(absl::StrFormat("%s = %.4g", parameter.name, value));
    if (Agree(value, parameter.lower) || Agree(value, parameter.upper)) embedding->on_bound = true;
  }
  // Classes of parameters that are the same in every draw.
  std::vector<char> told(moving.size(), 0);
  std::map<int, int> groups;  // by base parameter: classes of its categories
  for (size_t i = 0; i < moving.size(); ++i) {
    if (told[i]) continue;
    const fit::Parameter& a = full.coordinate(moving[i]);
    const size_t p = &a - full.parameters().data();
    std::vector<std::string> names = {a.name};
    bool one_base = true;
    for (size_t j = i + 1; j < moving.size(); ++j) {
      const fit::Parameter& b = full.coordinate(moving[j]);
      const size_t q = &b - full.parameters().data();
      if (!std::all_of(values.begin(), values.end(),
                       [&](const auto& v) { return Agree(v[p], v[q]); })) {
        continue;
      }
      told[j] = 1;
      names.push_back(b.name);
      one_base = one_base && b.base == a.base;
    }
    if (names.size() < 2) continue;
    if (one_base) {
      ++groups[a.base];
    } else {
      parts.push_back(absl::StrJoin(names, " = "));
    }
  }
  // Categories of one parameter are not told one by one.
  for (const auto& [base, count] : groups) {
    const std::string& name = full.form().Spec().parameters[base].name;
    parts.push_back(count == 1 ? absl::StrCat("one ", name, " for all")
                               : absl::StrCat(name, " alike in ", count, " groups"));
  }
  embedding->restriction = absl::StrJoin(parts, ", ");
  if (embedding->restriction.size() > kLongest) embedding->restriction.clear();
}

}  // namespace

double ChiSquaredTail(double statistic, int degrees) {
  if (degrees <= 0) return statistic > 0 ? 0 : 1;
  if (!(statistic > 0)) return 1;
  return fit::ChiSquaredTail(statistic, degrees);
}

double RatioTail(double statistic, int degrees, int64_t rows, int free) {
  if (degrees <= 0) return statistic > 0 ? 0 : 1;
  if (!(statistic > 0) || rows <= free) return 1;
  const double left = static_cast<double>(rows - free);
  const double f = std::expm1(statistic / static_cast<double>(rows)) * left / degrees;
  if (!std::isfinite(f)) return 0;
  return fit::FisherTail(f, degrees, left);
}

Embedding Embed(const Ranked& restricted, const Ranked& full, const fit::FitOptions& options) {
  Embedding result;
  const fit::Problem& small = *restricted.fit.problem;
  const fit::Problem& large = *full.fit.problem;
  if (large.coordinates() <= small.coordinates() || small.loss().space != large.loss().space ||
      !restricted.likelihood.maximum || !full.likelihood.maximum) {
    return result;
  }
  // Nothing is reproduced to a fraction of rounding: then 1e-9 of the targets tells.
  const double scale = restricted.likelihood.scale * (restricted.likelihood.exact ? 1e7 : 1);
  fit::Random random(1, 0);
  std::vector<std::vector<double>> draws;
  std::vector<double> prediction(small.rows());
  std::vector<double> scratch;
  std::vector<double> start = full.likelihood.coordinates;
  for (int draw = 0; draw < kDraws; ++draw) {
    const std::vector<double> u = draw == 0
                                      ? restricted.likelihood.coordinates
                                      : Around(small, restricted.likelihood.coordinates, &random);
    small.Evaluate(small.Values(u), prediction.data(), nullptr, small.rows(), &scratch);
    for (double value : prediction) {
      if (!std::isfinite(value)) return result;
      if (small.loss().space == fit::Space::kLog && value <= 0) return result;
    }
    std::vector<double> found =
        Reproduce(large, Reordered(small, prediction, large), scale, start, options);
    if (found.empty()) return result;
    start = found;
    draws.push_back(std::move(found));
  }
  result.nested = true;
  result.coordinates = draws[0];
  Describe(large, draws, &result);
  return result;
}

std::vector<NestedTest> TestNested(std::vector<Ranked>* forms, const fit::FitOptions& options) {
  struct Pair {
    size_t restricted, full;
    Embedding embedding;
  };
  std::vector<Pair> pairs;
  for (size_t r = 0; r < forms->size(); ++r) {
    for (size_t f = 0; f < forms->size(); ++f) {
      if (r == f) continue;
      Embedding embedding = Embed((*forms)[r], (*forms)[f], options);
      if (embedding.nested) pairs.push_back({r, f, std::move(embedding)});
    }
  }
  // From the smallest full form up, so that a gain is passed on.
  std::stable_sort(pairs.begin(), pairs.end(), [&](const Pair& a, const Pair& b) {
    return (*forms)[a.full].parameters < (*forms)[b.full].parameters;
  });
  for (const Pair& pair : pairs) {
    Ranked& full = (*forms)[pair.full];
    if (full.likelihood.log_likelihood >= (*forms)[pair.restricted].likelihood.log_likelihood) {
      continue;
    }
    auto again =
        Maximize(*full.fit.problem, {pair.embedding.coordinates}, full.likelihood.model, options);
    if (again.ok() && again->log_likelihood > full.likelihood.log_likelihood) {
      full.likelihood = *std::move(again);
    }
  }
  std::vector<NestedTest> tests;
  for (const Pair& pair : pairs) {
    const Ranked& restricted = (*forms)[pair.restricted];
    const Ranked& full = (*forms)[pair.full];
    NestedTest test;
    test.restricted = restricted.name;
    test.full = full.name;
    test.restriction = pair.embedding.restriction;
    test.on_bound = pair.embedding.on_bound;
    test.degrees = full.parameters - restricted.parameters;
    test.statistic =
        std::max(0.0, 2 * (full.likelihood.log_likelihood - restricted.likelihood.log_likelihood));
    const int64_t rows = full.fit.problem->rows();
    const int free = full.fit.problem->coordinates();
    test.p = RatioTail(test.statistic, test.degrees, rows, free);
    test.p_asymptotic = ChiSquaredTail(test.statistic, test.degrees);
    test.p_on_bound = .5 * (test.p + RatioTail(test.statistic, test.degrees - 1, rows, free));
    tests.push_back(std::move(test));
  }
  return tests;
}

}  // namespace qatlas::compare
