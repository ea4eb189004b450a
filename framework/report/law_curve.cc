#include "framework/report/law_curve.h"

#include <cmath>
#include <cstdio>
#include <iterator>

#include "framework/fit/predict.h"
#include "framework/report/figure.h"

namespace qatlas::report {
namespace {

constexpr int kPoints = 48;

// Bits below 16, from their columns or the label.
void ReadBits(const observe::Table& table, size_t row, double* weight, double* input) {
  *weight = table.NumberAt(row, "weight_bits");
  *input = table.NumberAt(row, "input_bits");
  int from_label[2] = {0, 0};
  const std::string label(table.TextAt(row, "precision"));
  if (std::sscanf(label.c_str(), "W%dA%d", &from_label[0], &from_label[1]) == 2) {
    if (!std::isfinite(*weight)) *weight = from_label[0];
    if (!std::isfinite(*input)) *input = from_label[1];
  }
}

double Plain(double bits) { return std::isfinite(bits) && bits < 16 ? bits : 16; }

}  // namespace

bool FittedTo(const FittedLaw& law, double weight_bits, double input_bits) {
  for (int64_t i = 0; i < law.fit->problem->rows(); ++i) {
    double weight = 0;
    double input = 0;
    ReadBits(*law.table, law.fit->problem->row(i), &weight, &input);
    if (Plain(weight) == Plain(weight_bits) && Plain(input) == Plain(input_bits)) return true;
  }
  return false;
}

bool CanVary(const FittedLaw& law, const std::string& column, bool must_read) {
  const fit::Problem& problem = *law.fit->problem;
  for (const LawCovariate& covariate : problem.form().Spec().covariates) {
    const auto mapped = problem.options().columns.find(covariate.name);
    const std::string& read =
        mapped == problem.options().columns.end() ? covariate.name : mapped->second;
    if (read == column) return true;
    // It reads this quantity from another column, which would stay as it is.
    if (covariate.name == column) return false;
  }
  return !must_read;
}

std::optional<Curve> CurveAlong(const FittedLaw& law, const observe::Table& table, size_t row,
                                const std::string& column, double low, double high) {
  if (!(low > 0) || !(low < high) || !std::isfinite(high)) return std::nullopt;
  Curve curve;
  curve.x = fit::LogSpaced(low, high, kPoints);
  observe::Table grid = table.Take(std::vector<size_t>(curve.x.size(), row));
  if (!grid.SetNumbers(column, curve.x).ok()) return std::nullopt;
  absl::StatusOr<fit::Prediction> prediction = fit::Predict(*law.fit, grid);
  if (!prediction.ok()) return std::nullopt;
  curve.y = std::move(prediction->value);
  for (double value : curve.y) {
    if (!std::isfinite(value)) return std::nullopt;
  }
  // The interval of a law that the runs do not determine says nothing.
  if (law.fit->identifiability.identifiable && prediction->interval.size() == curve.x.size()) {
    for (const fit::Interval& interval : prediction->interval) {
      if (!std::isfinite(interval.low) || !std::isfinite(interval.high)) {
        curve.low.clear();
        curve.high.clear();
        break;
      }
      curve.low.push_back(interval.low);
      curve.high.push_back(interval.high);
    }
  }
  return curve;
}

std::optional<std::vector<std::vector<double>>> SurfaceOver(const FittedLaw& law,
                                                            const observe::Table& table, size_t row,
                                                            const std::vector<double>& sizes,
                                                            const std::vector<double>& budgets) {
  observe::Table grid = table.Take(std::vector<size_t>(sizes.size() * budgets.size(), row));
  std::vector<double> size_column;
  std::vector<double> budget_column;
  for (double size : sizes) {
    for (double budget : budgets) {
      size_column.push_back(size);
      budget_column.push_back(budget);
    }
  }
  if (!grid.SetNumbers("N", std::move(size_column)).ok() ||
      !grid.SetNumbers("D", std::move(budget_column)).ok()) {
    return std::nullopt;
  }
  const absl::StatusOr<fit::Prediction> prediction = fit::Predict(*law.fit, grid);
  if (!prediction.ok()) return std::nullopt;
  std::vector<std::vector<double>> surface;
  size_t next = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    std::vector<double>& line = surface.emplace_back();
    for (size_t j = 0; j < budgets.size(); ++j) {
      if (!std::isfinite(prediction->value[next])) return std::nullopt;
      line.push_back(prediction->value[next++]);
    }
  }
  return surface;
}

const char* LawDash(size_t i) {
  constexpr const char* kDashes[] = {"dot", "dash", "dashdot", "longdash"};
  return kDashes[i % std::size(kDashes)];
}

const char* LawDashWord(size_t i) {
  constexpr const char* kWords[] = {"dotted", "dashed", "dash-dotted", "in long dashes"};
  return kWords[i % std::size(kWords)];
}

std::vector<nlohmann::json> CurveTraces(const Curve& curve, size_t series, const char* dash) {
  std::vector<nlohmann::json> traces;
  if (!curve.low.empty()) {
    // Forth along the upper edge and back along the lower one.
    std::vector<double> x(curve.x);
    std::vector<double> y(curve.high);
    x.insert(x.end(), curve.x.rbegin(), curve.x.rend());
    y.insert(y.end(), curve.low.rbegin(), curve.low.rend());
    traces.push_back({{"type", "scatter"},
                      {"mode", "lines"},
                      {"x", NumbersOrNull(x)},
                      {"y", NumbersOrNull(y)},
                      {"fill", "toself"},
                      {"fillcolor", PaleColor(series, .12)},
                      {"line", {{"width", 0}}},
                      {"showlegend", false},
                      {"hoverinfo", "skip"}});
  }
  traces.push_back({{"type", "scatter"},
                    {"mode", "lines"},
                    {"x", NumbersOrNull(curve.x)},
                    {"y", NumbersOrNull(curve.y)},
                    {"line", {{"color", SeriesColor(series)}, {"width", 1.5}, {"dash", dash}}},
                    {"showlegend", false},
                    {"hoverinfo", "skip"}});
  return traces;
}

}  // namespace qatlas::report
