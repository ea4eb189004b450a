#include "framework/fit/predict.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include <absl/strings/str_cat.h>
#include <qatlas/check.h>

#include "framework/fit/profile.h"
#include "framework/fit/scatter.h"
#include "framework/fit/distributions.h"
#include "framework/fit/stats.h"

namespace qatlas::fit {
namespace {

// Rows of a table by block of the fit, with their covariates laid out for evaluation.
struct BlockRows {
  int block;
  std::vector<size_t> rows;
  LawPoints points;
};

std::vector<BlockRows> Arrange(const std::vector<int>& blocks,
                               const std::vector<std::vector<double>>& covariates) {
  std::map<int, std::vector<size_t>> by_block;
  for (size_t row = 0; row < blocks.size(); ++row) by_block[blocks[row]].push_back(row);
  std::vector<BlockRows> result;
  for (auto& [block, rows] : by_block) {
    std::vector<std::vector<double>> columns(covariates.size());
    for (size_t c = 0; c < covariates.size(); ++c) {
      for (size_t row : rows) columns[c].push_back(covariates[c][row]);
    }
    result.push_back({block, std::move(rows), LawPoints(std::move(columns))});
  }
  return result;
}

// Evaluates all rows at natural values of the parameters. jacobian: by free coordinates as
// searched, [coordinates][rows], or nullptr.
void EvaluateRows(const Problem& problem, const std::vector<BlockRows>& arranged,
                  const std::vector<double>& values, std::vector<double>* prediction,
                  std::vector<std::vector<double>>* jacobian) {
  const size_t base = problem.form().Spec().parameters.size();
  for (const BlockRows& part : arranged) {
    const int64_t n = part.points.size();
    std::vector<double> theta(base);
    const absl::Span<const int> parameters = problem.BlockParameters(part.block);
    for (size_t p = 0; p < base; ++p) theta[p] = values[parameters[p]];
    std::vector<double> f(n);
    std::vector<double> j(jacobian != nullptr ? base * n : 0);
    problem.form().Evaluate(part.points.Batch(), theta.data(), f.data(),
                            jacobian != nullptr ? j.data() : nullptr, n);
    for (int64_t i = 0; i < n; ++i) (*prediction)[part.rows[i]] = f[i];
    if (jacobian == nullptr) continue;
    for (size_t p = 0; p < base; ++p) {
      const Parameter& parameter = problem.parameters()[parameters[p]];
      if (parameter.coordinate < 0) continue;
      const double scale = parameter.log ? theta[p] : 1.0;
      for (int64_t i = 0; i < n; ++i) {
        (*jacobian)[parameter.coordinate][part.rows[i]] += scale * j[p * n + i];
      }
    }
  }
}

// The curve's interval from half its width; on the logarithm where the loss is.
Interval Around(const Loss& loss, double value, double half) {
  if (loss.space == Space::kLinear || !(value > 0)) return {value - half, value + half};
  return {value * std::exp(-half / value), value * std::exp(half / value)};
}

std::vector<Interval> Percentiles(const Problem& problem, const std::vector<BlockRows>& arranged,
                                  const BootstrapResult& bootstrap, size_t rows, double level) {
  std::vector<std::vector<double>> samples(rows);
  std::vector<double> values(rows);
  for (const std::vector<double>& coordinates : bootstrap.coordinates) {
    EvaluateRows(problem, arranged, problem.Values(coordinates), &values, nullptr);
    for (size_t row = 0; row < rows; ++row) samples[row].push_back(values[row]);
  }
  std::vector<Interval> intervals;
  for (std::vector<double>& sample : samples) {
    std::sort(sample.begin(), sample.end());
    intervals.push_back({Quantile(sample, (1 - level) / 2), Quantile(sample, (1 + level) / 2)});
  }
  return intervals;
}

// Half the interval of a new run's residual, in standard errors where the fit has noise.
double NoiseQuantile(const FitResult& fit, double level) {
  if (std::isinf(fit.degrees)) return TwoSidedQuantile(level, fit.degrees);
  const Residuals residuals = ResidualsOf(fit);
  std::vector<double> sizes;
  double squares = 0;
  for (size_t i = 0; i < residuals.r.size(); ++i) {
    const double leverage = fit.leverage.empty() ? 0 : fit.leverage[residuals.row[i]];
    const double size = std::abs(residuals.r[i]) / std::sqrt(std::max(1 - leverage, 1e-2));
    sizes.push_back(size);
    squares += size * size / static_cast<double>(residuals.r.size());
  }
  std::sort(sizes.begin(), sizes.end());
  const double position = (static_cast<double>(sizes.size()) + 1) * level - 1;
  if (position > static_cast<double>(sizes.size()) - 1) {
    return TwoSidedQuantile(level, fit.degrees) * std::sqrt(squares);
  }
  return Quantile(sizes, std::max(position, 0.0) / (static_cast<double>(sizes.size()) - 1));
}

absl::Status FillNewRun(const FitResult& fit, const observe::Table& table,
                        const PredictOptions& options, Prediction* result) {
  if (result->interval.empty() || !(fit.degrees > 0)) return absl::OkStatus();
  const Problem& problem = *fit.problem;
  const bool log = problem.loss().space == Space::kLog;
  std::vector<double> noise(result->value.size(), 1.0);
  if (!options.noise.empty()) {
    if (problem.noise().empty()) {
      return absl::InvalidArgumentError(
          "standard errors of new runs mean something only to a fit that was given those of its "
          "own");
    }
    QATLAS_ASSIGN_OR_RETURN(const auto column, table.Numbers(options.noise));
    for (size_t row = 0; row < noise.size(); ++row) {
      if (!(column[row] > 0)) {
        return absl::InvalidArgumentError(
            absl::StrCat("row ", row + 1, " has no standard error in '", options.noise, "'"));
      }
      noise[row] = column[row] / (log ? result->value[row] : 1.0);
    }
  } else if (!problem.noise().empty()) {
    const double median = Median({problem.noise().begin(), problem.noise().end()});
    std::fill(noise.begin(), noise.end(), median);
  }
  const double quantile = NoiseQuantile(fit, options.level);
  for (size_t row = 0; row < noise.size(); ++row) {
    const double value = result->value[row];
    const Interval& curve = result->interval[row];
    const double q = quantile * noise[row];
    if (log) {
      result->new_run.push_back({value * std::exp(-std::hypot(std::log(value / std::max(curve.low, 0.0)), q)),
                                 value * std::exp(std::hypot(std::log(curve.high / value), q))});
    } else {
      result->new_run.push_back(
          {value - std::hypot(value - curve.low, q), value + std::hypot(curve.high - value, q)});
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Prediction> Predict(const FitResult& fit, const observe::Table& table,
                                   const PredictOptions& options) {
  if (!(options.level > 0 && options.level < 1)) {
    return absl::InvalidArgumentError("the level of intervals must lie between 0 and 1");
  }
  const Problem& problem = *fit.problem;
  const size_t rows = table.rows();
  Prediction result;
  result.value.resize(rows);
  if (rows == 0) return result;
  QATLAS_ASSIGN_OR_RETURN(const std::vector<int> blocks, problem.Blocks(table));
  QATLAS_ASSIGN_OR_RETURN(const auto covariates,
                          ReadCovariates(problem.form(), problem.options().columns, table));
  const std::vector<BlockRows> arranged = Arrange(blocks, covariates);
  const int m = problem.coordinates();
  std::vector<std::vector<double>> jacobian(m, std::vector<double>(rows, 0.0));
  EvaluateRows(problem, arranged, fit.values, &result.value, &jacobian);
  if (!fit.covariance.empty()) {
    const double t = fit.degrees > 0 ? TwoSidedQuantile(options.level, fit.degrees) : 0;
    for (size_t row = 0; row < rows; ++row) {
      double variance = 0;
      for (int a = 0; a < m; ++a) {
        for (int b = 0; b < m; ++b) {
          variance += jacobian[a][row] * fit.covariance[a * m + b] * jacobian[b][row];
        }
      }
      const double se = std::sqrt(std::max(variance, 0.0));
      result.standard_error.push_back(se);
      result.interval.push_back(Around(problem.loss(), result.value[row], t * se));
    }
  }
  if (options.bootstrap != nullptr) {
    result.interval = Percentiles(problem, arranged, *options.bootstrap, rows, options.level);
  } else if (options.profile && HasNoise(fit)) {
    ProfileOptions profile;
    profile.level = options.level;
    QATLAS_ASSIGN_OR_RETURN(const std::vector<Profile> profiles,
                            ProfilePredictions(fit, table, profile));
    result.interval.clear();
    for (const Profile& p : profiles) result.interval.push_back(p.interval);
  }
  if (absl::Status status = FillNewRun(fit, table, options, &result); !status.ok()) return status;
  return result;
}

absl::StatusOr<Prediction> Predict(const FitResult& fit, const observe::Table& table, double level,
                                   const BootstrapResult* bootstrap) {
  PredictOptions options;
  options.level = level;
  options.bootstrap = bootstrap;
  return Predict(fit, table, options);
}

absl::StatusOr<std::vector<double>> Evaluate(const LawForm& form, const std::vector<double>& theta,
                                             const observe::Table& table) {
  if (theta.size() != form.Spec().parameters.size()) {
    return absl::InvalidArgumentError(absl::StrCat("the form has ", form.Spec().parameters.size(),
                                                   " parameters, not ", theta.size()));
  }
  QATLAS_ASSIGN_OR_RETURN(auto covariates, ReadCovariates(form, {}, table));
  const LawPoints points(std::move(covariates));
  std::vector<double> values(table.rows());
  form.Evaluate(points.Batch(), theta.data(), values.data(), nullptr, points.size());
  return values;
}

observe::Table Grid(const std::vector<Axis>& axes,
                    const std::vector<std::pair<std::string, std::string>>& labels) {
  size_t rows = 1;
  for (const Axis& axis : axes) rows *= axis.values.size();
  observe::Table table;
  size_t repeat = rows;
  for (const Axis& axis : axes) {
    repeat = axis.values.empty() ? 0 : repeat / axis.values.size();
    std::vector<double> column(rows);
    for (size_t row = 0; row < rows; ++row) {
      column[row] = axis.values[row / repeat % axis.values.size()];
    }
    QATLAS_CHECK(table.SetNumbers(axis.column, std::move(column)).ok(), "axes of one grid");
  }
  for (const auto& [column, text] : labels) {
    QATLAS_CHECK(table.SetTexts(column, std::vector<std::string>(rows, text)).ok(),
                 "labels of one grid");
  }
  return table;
}

std::vector<double> LogSpaced(double low, double high, int count) {
  std::vector<double> values;
  for (int i = 0; i < count; ++i) {
    const double share = count > 1 ? static_cast<double>(i) / (count - 1) : 0;
    values.push_back(i + 1 == count && count > 1 ? high : low * std::pow(high / low, share));
  }
  return values;
}

}  // namespace qatlas::fit
