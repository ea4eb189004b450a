#include "framework/compare/extrapolation.h"
#include "framework/fit/stats.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "framework/compare/held_out.h"
#include "framework/fit/parallel.h"

namespace qatlas::compare {
namespace {

using fit::kNan;
constexpr size_t kMostThresholds = 8;

// Sums of errors that make the figures of a window, a step of the fan, or all.
struct Sums {
  int64_t count = 0;
  double squares = 0, relative = 0, signed_relative = 0;
  void Add(double error, double target) {
    ++count;
    squares += error * error;
    if (target == 0) return;
    relative += std::abs(error / target);
    signed_relative -= error / target;
  }
  double Rmse() const { return count > 0 ? std::sqrt(squares / count) : kNan; }
  double Relative() const { return count > 0 ? relative / count : kNan; }
  double Bias() const { return count > 0 ? signed_relative / count : kNan; }
};

}  // namespace

std::vector<double> AxisValues(const observe::Table& table, const std::string& axis) {
  std::vector<double> values;
  const auto given = table.FindNumbers(axis == "compute" ? "flops" : axis);
  const auto usable = [](double x) { return std::isfinite(x) && x > 0; };
  if (given != nullptr) values = *given;
  if (axis == "compute" && !std::all_of(values.begin(), values.end(), usable)) values.clear();
  if (axis == "compute" && values.empty()) {
    const std::vector<double>* n = table.FindNumbers("N");
    const std::vector<double>* d = table.FindNumbers("D");
    if (n == nullptr || d == nullptr) return {};
    for (size_t row = 0; row < table.rows(); ++row) values.push_back(6 * (*n)[row] * (*d)[row]);
  }
  if (!std::all_of(values.begin(), values.end(), usable)) return {};
  if (std::set<double>(values.begin(), values.end()).size() < 3) return {};
  return values;
}

std::vector<double> Thresholds(const std::vector<double>& values) {
  const std::set<double> distinct(values.begin(), values.end());
  std::vector<double> levels(distinct.begin(), distinct.end());
  if (levels.size() < 3) return {};
  if (levels.size() <= kMostThresholds + 1) return {levels.begin() + 1, levels.end() - 1};
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  std::set<double> chosen;
  for (size_t k = 0; k < kMostThresholds; ++k) {
    const double share = .2 + .7 * static_cast<double>(k) / (kMostThresholds - 1);
    const double value =
        sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1))];
    if (value > levels.front() && value < levels.back()) chosen.insert(value);
  }
  return {chosen.begin(), chosen.end()};
}

Extrapolation Extrapolate(const fit::FitResult& fit, const std::string& axis,
                          const std::vector<double>& values, NoiseModel noise,
                          const fit::FitOptions& options, const observe::Table& table) {
  const fit::Problem& problem = *fit.problem;
  Extrapolation result;
  result.axis = axis;
  const std::vector<double> thresholds = Thresholds(values);
  result.windows.resize(thresholds.size());
  std::vector<LeftOut> predicted(thresholds.size());
  fit::ParallelFor(static_cast<int64_t>(thresholds.size()), options.threads, 1, [&] {
    return [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; ++k) {
        Window& window = result.windows[k];
        window.threshold = thresholds[k];
        std::vector<char> keep(problem.rows());
        for (int64_t i = 0; i < problem.rows(); ++i) {
          keep[i] = values[problem.row(i)] <= thresholds[k];
          window.trained += keep[i];
        }
        predicted[k] = LeaveRowsOut(fit, keep, noise, options);
        window.fitted = predicted[k].fitted;
      }
    };
  });
  Sums all;
  std::map<int, Sums> steps;  // by the power of two that a distance is at most
  std::vector<double> errors;
  std::vector<size_t> rows;
  for (size_t k = 0; k < thresholds.size(); ++k) {
    Window& window = result.windows[k];
    Sums sums;
    for (size_t i = 0; window.fitted && i < predicted[k].rows.size(); ++i) {
      const int64_t row = predicted[k].rows[i];
      const double y = problem.target()[row];
      const double error = y - predicted[k].prediction[i];
      const double distance = values[problem.row(row)] / thresholds[k];
      window.row.push_back(problem.row(row));
      window.distance.push_back(distance);
      window.error.push_back(error);
      sums.Add(error, y);
      all.Add(error, y);
      steps[std::max(1, static_cast<int>(std::ceil(std::log2(distance) - 1e-9)))].Add(error, y);
    }
    window.rmse = sums.Rmse();
    window.mean_relative_error = sums.Relative();
    errors.insert(errors.end(), window.error.begin(), window.error.end());
    rows.insert(rows.end(), window.row.begin(), window.row.end());
  }
  for (const auto& [power, sums] : steps) {
    result.fan.push_back({std::exp2(power - 1), std::exp2(power), sums.count, sums.Rmse(),
                          sums.Relative(), sums.Bias()});
  }
  result.predictions = all.count;
  result.rmse = all.Rmse();
  result.mean_relative_error = all.Relative();
  result.scores = ScoresOf(errors, rows, problem, table);
  return result;
}

void CompareExtrapolation(const Extrapolation& best, const Clusterings& clusterings,
                          Extrapolation* other) {
  std::vector<double> differences;
  std::vector<size_t> rows;
  std::vector<size_t> windows;
  for (size_t k = 0; k < best.windows.size() && k < other->windows.size(); ++k) {
    std::map<size_t, double> squares;
    for (size_t i = 0; i < best.windows[k].row.size(); ++i) {
      squares[best.windows[k].row[i]] = best.windows[k].error[i] * best.windows[k].error[i];
    }
    for (size_t i = 0; i < other->windows[k].row.size(); ++i) {
      const auto found = squares.find(other->windows[k].row[i]);
      if (found == squares.end()) continue;
      const double error = other->windows[k].error[i];
      differences.push_back(error * error - found->second);
      rows.push_back(found->first);
      windows.push_back(k);
    }
  }
  // What one fit predicts shares that fit's error: windows are draws, too.
  const PairedMean by_row = MeanOfPairs(differences, rows, clusterings);
  const PairedMean by_window = MeanOfPairs(differences, windows, {});
  const PairedMean& mean = by_window.p > by_row.p ? by_window : by_row;
  other->difference = mean.mean;
  other->difference_se = mean.standard_error;
  other->difference_p = mean.p;
}

}  // namespace qatlas::compare
