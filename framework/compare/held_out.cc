#include "framework/compare/held_out.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "framework/fit/parallel.h"
#include "framework/fit/stats.h"

namespace qatlas::compare {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// What one fold gave; rows are those of the problem.
struct Fold {
  bool fitted = false;
  std::vector<int64_t> rows;
  std::vector<double> prediction;
  std::vector<double> log_density;
};

Fold LeaveOne(const fit::FitResult& fit, const std::vector<char>& keep, NoiseModel noise,
              const fit::FitOptions& options) {
  const fit::Problem& problem = *fit.problem;
  Fold fold;
  for (int64_t i = 0; i < problem.rows(); ++i) {
    if (!keep[i]) fold.rows.push_back(i);
  }
  const fit::Problem rest = problem.Subset(keep);
  const int m = rest.coordinates();
  if (rest.rows() <= m) return fold;
  // A parameter that no remaining row depends on (the category left out) cannot be predicted.
  std::vector<double> scratch;
  std::vector<double> jacobian(rest.rows() * m);
  std::vector<double> prediction(rest.rows());
  rest.Evaluate(fit.values, prediction.data(), jacobian.data(), rest.rows(), &scratch);
  for (int c = 0; c < m; ++c) {
    const auto begin = jacobian.begin() + c * rest.rows();
    if (std::all_of(begin, begin + rest.rows(), [](double x) { return x == 0; })) return fold;
  }
  const fit::Refit refit = fit::FitFrom(rest, fit.coordinates, options);
  if (!std::isfinite(refit.objective)) return fold;
  const std::vector<double> values = problem.Values(refit.coordinates);
  rest.Evaluate(values, prediction.data(), nullptr, rest.rows(), &scratch);
  std::vector<double> all(problem.rows());
  problem.Evaluate(values, all.data(), nullptr, problem.rows(), &scratch);
  std::vector<double> density(problem.rows(), kNan);
  if (const auto likelihood = FitLikelihood(rest, prediction, noise); likelihood.ok()) {
    density = LogDensity(problem, all, noise, likelihood->scale);
  }
  for (int64_t i : fold.rows) {
    if (!std::isfinite(all[i])) return fold;
    fold.prediction.push_back(all[i]);
    fold.log_density.push_back(density[i]);
  }
  fold.fitted = true;
  return fold;
}

}  // namespace

absl::StatusOr<std::vector<int>> RandomFolds(const observe::Table& table, int folds,
                                             const std::vector<std::string>& together,
                                             uint64_t seed) {
  std::vector<std::vector<size_t>> groups;
  if (together.empty()) {
    for (size_t row = 0; row < table.rows(); ++row) groups.push_back({row});
  } else {
    auto found = table.GroupBy(together);
    if (!found.ok()) return found.status();
    for (observe::Group& group : *found) groups.push_back(std::move(group.rows));
  }
  const size_t count = groups.size();
  const size_t parts = folds <= 0 ? count : std::min<size_t>(folds, count);
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  fit::Random random(seed, 0);
  for (size_t i = count; i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
  std::vector<int> result(table.rows(), 0);
  for (size_t i = 0; i < count; ++i) {
    for (size_t row : groups[order[i]]) result[row] = static_cast<int>(i % parts);
  }
  return result;
}

std::vector<int> LevelFolds(const observe::Table& table, const std::string& column) {
  const auto groups = table.GroupBy({column});
  if (!groups.ok() || groups->size() < 3) return {};
  std::vector<int> result(table.rows(), 0);
  for (size_t level = 0; level < groups->size(); ++level) {
    for (size_t row : (*groups)[level].rows) result[row] = static_cast<int>(level);
  }
  return result;
}

HeldOut LeaveOut(const fit::FitResult& fit, const std::vector<int>& fold_of_row, NoiseModel noise,
                 const fit::FitOptions& options, const std::string& what) {
  const fit::Problem& problem = *fit.problem;
  const int count = 1 + *std::max_element(fold_of_row.begin(), fold_of_row.end());
  std::vector<Fold> folds(count);
  fit::ParallelFor(count, options.threads, 1, [&] {
    return [&](int64_t begin, int64_t end) {
      for (int64_t f = begin; f < end; ++f) {
        std::vector<char> keep(problem.rows());
        for (int64_t i = 0; i < problem.rows(); ++i) {
          keep[i] = fold_of_row[problem.row(i)] != f;
        }
        folds[f] = LeaveOne(fit, keep, noise, options);
      }
    };
  });
  HeldOut result;
  result.what = what;
  result.errors.assign(fold_of_row.size(), kNan);
  double squares = 0;
  double relative = 0;
  double density = 0;
  for (const Fold& fold : folds) {
    if (fold.rows.empty()) continue;
    if (!fold.fitted) {
      ++result.refused;
      continue;
    }
    ++result.folds;
    for (size_t k = 0; k < fold.rows.size(); ++k) {
      const double y = problem.target()[fold.rows[k]];
      const double error = y - fold.prediction[k];
      result.errors[problem.row(fold.rows[k])] = error;
      squares += error * error;
      if (y != 0) relative += std::abs(error / y);
      density += fold.log_density[k];
      ++result.rows;
    }
  }
  const double rows = static_cast<double>(result.rows);
  result.rmse = result.rows > 0 ? std::sqrt(squares / rows) : kNan;
  result.mean_relative_error = result.rows > 0 ? relative / rows : kNan;
  result.log_score = result.rows > 0 ? density / rows : kNan;
  return result;
}

}  // namespace qatlas::compare
