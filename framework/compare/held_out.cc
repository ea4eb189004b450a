#include "framework/compare/held_out.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "framework/fit/dense.h"
#include "framework/fit/parallel.h"
#include "framework/fit/stats.h"

namespace qatlas::compare {
namespace {

using fit::kNan;

// Beyond this condition of the scaled Jacobian a direction is left open.
constexpr double kWorstCondition = 1e7;

// Whether the rows determine all free parameters at these values.
bool Determined(const fit::Problem& problem, const std::vector<double>& values) {
  const int m = problem.coordinates();
  const int64_t n = problem.rows();
  std::vector<double> prediction(n);
  std::vector<double> jacobian(n * m);
  std::vector<double> scratch;
  problem.Evaluate(values, prediction.data(), jacobian.data(), n, &scratch);
  std::vector<std::vector<double>> columns;
  for (int c = 0; c < m; ++c) {
    std::vector<double> column(jacobian.begin() + c * n, jacobian.begin() + (c + 1) * n);
    double norm = 0;
    for (int64_t i = 0; i < n; ++i) {
      // By relative errors where the loss takes logarithms.
      if (problem.loss().space == fit::Space::kLog) column[i] /= prediction[i];
      norm += column[i] * column[i];
    }
    if (!(norm > 0) || !std::isfinite(norm)) return false;
    for (double& x : column) x /= std::sqrt(norm);
    columns.push_back(std::move(column));
  }
  if (m == 0) return true;
  const fit::dense::Svd svd = fit::dense::RightSvd(std::move(columns));
  return svd.values.back() * kWorstCondition > svd.values.front();
}

}  // namespace

LeftOut LeaveRowsOut(const fit::FitResult& fit, const std::vector<char>& keep, NoiseModel noise,
                     const fit::FitOptions& options) {
  const fit::Problem& problem = *fit.problem;
  LeftOut fold;
  for (int64_t i = 0; i < problem.rows(); ++i) {
    if (!keep[i]) fold.rows.push_back(i);
  }
  const fit::Problem rest = problem.Subset(keep);
  const int m = rest.coordinates();
  if (rest.rows() <= m) return fold;
  if (!Determined(rest, fit.values)) return fold;
  const fit::Refit refit = fit::FitFrom(rest, fit.coordinates, options);
  if (!std::isfinite(refit.objective)) return fold;
  const std::vector<double> values = problem.Values(refit.coordinates);
  if (!Determined(rest, values)) return fold;
  std::vector<double> scratch;
  std::vector<double> prediction(rest.rows());
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

std::vector<Score> ScoresOf(const std::vector<double>& errors, const std::vector<size_t>& rows,
                            const fit::Problem& problem, const observe::Table& table) {
  std::vector<Score> scores;
  for (const char* of : {kTargetLoss, kTargetDelta}) {
    const bool own = problem.form().Spec().target == of;
    const std::vector<double>* target = table.FindNumbers(own ? problem.target_name() : of);
    if (target == nullptr) continue;
    Score score;
    score.of = of;
    double squares = 0;
    double relative = 0;
    double mean = 0;
    int64_t nonzero = 0;
    for (size_t i = 0; i < errors.size(); ++i) {
      const double y = (*target)[rows[i]];
      if (!std::isfinite(errors[i]) || !std::isfinite(y)) continue;
      ++score.rows;
      mean += y;
      squares += errors[i] * errors[i];
      if (y != 0) {
        relative += std::abs(errors[i] / y);
        ++nonzero;
      }
    }
    const double count = static_cast<double>(score.rows);
    if (score.rows > 0) mean /= count;
    double spread = 0;
    for (size_t i = 0; i < errors.size(); ++i) {
      const double y = (*target)[rows[i]];
      if (std::isfinite(errors[i]) && std::isfinite(y)) spread += (y - mean) * (y - mean);
    }
    score.rmse = score.rows > 0 ? std::sqrt(squares / count) : kNan;
    score.mean_relative_error = nonzero > 0 ? relative / static_cast<double>(nonzero) : kNan;
    score.skill = spread > 0 ? 1 - squares / spread : kNan;
    scores.push_back(score);
  }
  return scores;
}

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
  // Scattered values are no levels: ranges of them are left out.
  constexpr size_t kMostLevels = 12;
  constexpr size_t kRanges = 10;
  auto groups = table.GroupBy({column});
  if (!groups.ok() || groups->size() < 3) return {};
  std::vector<int> result(table.rows(), 0);
  const bool ranges = groups->size() > kMostLevels && table.FindNumbers(column) != nullptr;
  if (ranges) {
    const auto value = [&](const observe::Group& group) {
      const double x = table.NumberAt(group.rows[0], column);
      return std::isnan(x) ? -std::numeric_limits<double>::infinity() : x;
    };
    std::stable_sort(
        groups->begin(), groups->end(),
        [&](const observe::Group& a, const observe::Group& b) { return value(a) < value(b); });
  }
  size_t before = 0;
  for (size_t level = 0; level < groups->size(); ++level) {
    const size_t fold = ranges ? before * kRanges / table.rows() : level;
    for (size_t row : (*groups)[level].rows) result[row] = static_cast<int>(fold);
    before += (*groups)[level].rows.size();
  }
  return result;
}

HeldOut LeaveOut(const fit::FitResult& fit, const std::vector<int>& fold_of_row, NoiseModel noise,
                 const fit::FitOptions& options, const std::string& what,
                 const observe::Table& table) {
  const fit::Problem& problem = *fit.problem;
  const int count = 1 + *std::max_element(fold_of_row.begin(), fold_of_row.end());
  std::vector<LeftOut> folds(count);
  fit::ParallelFor(count, options.threads, 1, [&] {
    return [&](int64_t begin, int64_t end) {
      for (int64_t f = begin; f < end; ++f) {
        std::vector<char> keep(problem.rows());
        for (int64_t i = 0; i < problem.rows(); ++i) {
          keep[i] = fold_of_row[problem.row(i)] != f;
        }
        folds[f] = LeaveRowsOut(fit, keep, noise, options);
      }
    };
  });
  HeldOut result;
  result.what = what;
  result.errors.assign(fold_of_row.size(), kNan);
  double squares = 0;
  double relative = 0;
  double density = 0;
  for (const LeftOut& fold : folds) {
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
  std::vector<size_t> all(fold_of_row.size());
  std::iota(all.begin(), all.end(), 0);
  result.scores = ScoresOf(result.errors, all, problem, table);
  return result;
}

}  // namespace qatlas::compare
