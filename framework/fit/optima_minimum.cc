#include "framework/fit/optima_minimum.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "framework/fit/dense.h"
#include "framework/fit/distributions.h"
#include "framework/fit/stats.h"

namespace qatlas::fit {
namespace {

// A polynomial in u = (x - center) / scale by weighted least squares.
struct Polynomial {
  int terms = 0;
  std::vector<double> beta;
  std::vector<double> inverse;  // of the weighted normal matrix, [terms][terms]
  std::vector<double> residual;
  double chi_square = 0;

  // Variance of the derivative at u, per unit of residual variance, and the derivative.
  double Slope(double u) const {
    double slope = 0, power = 1;
    for (int k = 1; k < terms; ++k, power *= u) slope += k * beta[k] * power;
    return slope;
  }
  double SlopeVariance(double u) const {
    std::vector<double> a(terms, 0.0);
    double power = 1;
    for (int k = 1; k < terms; ++k, power *= u) a[k] = k * power;
    return Form(a);
  }
  double Curvature(double u) const { return 2 * beta[2] + (terms > 3 ? 6 * beta[3] * u : 0); }
  double CurvatureVariance(double u) const {
    std::vector<double> a(terms, 0.0);
    a[2] = 2;
    if (terms > 3) a[3] = 6 * u;
    return Form(a);
  }
  double Value(double u) const {
    double value = 0, power = 1;
    for (int k = 0; k < terms; ++k, power *= u) value += beta[k] * power;
    return value;
  }
  double ValueVariance(double u) const {
    std::vector<double> a(terms);
    double power = 1;
    for (int k = 0; k < terms; ++k, power *= u) a[k] = power;
    return Form(a);
  }
  double Form(const std::vector<double>& a) const {
    double sum = 0;
    for (int i = 0; i < terms; ++i) {
      for (int j = 0; j < terms; ++j) sum += a[i] * a[j] * inverse[i * terms + j];
    }
    return sum;
  }
  // The minimum within reach; nullopt where the slope has no upward zero.
  std::optional<double> Minimum() const {
    const double b = beta[1], c = beta[2], d = terms > 3 ? beta[3] : 0;
    if (std::abs(d) < 1e-12 * std::abs(c)) {
      if (!(c > 0)) return std::nullopt;
      return -b / (2 * c);
    }
    const double discriminant = c * c - 3 * b * d;
    if (!(discriminant > 0)) return std::nullopt;
    // The zero at which the slope rises, in the form that does not cancel.
    const double root = std::sqrt(discriminant);
    return c > 0 ? -b / (c + root) : (-c + root) / (3 * d);
  }
};

std::optional<Polynomial> FitPolynomial(const std::vector<double>& u, const std::vector<double>& y,
                                        const std::vector<double>& weight, int terms) {
  Polynomial fit;
  fit.terms = terms;
  std::vector<double> a(terms * terms, 0.0), b(terms, 0.0);
  std::vector<std::vector<double>> power(u.size(), std::vector<double>(terms, 1.0));
  for (size_t i = 0; i < u.size(); ++i) {
    for (int k = 1; k < terms; ++k) power[i][k] = power[i][k - 1] * u[i];
    for (int k = 0; k < terms; ++k) {
      b[k] += weight[i] * power[i][k] * y[i];
      for (int l = 0; l <= k; ++l) a[k * terms + l] += weight[i] * power[i][k] * power[i][l];
    }
  }
  if (!dense::Cholesky(terms, a.data())) return std::nullopt;
  dense::CholeskySolve(terms, a.data(), b.data());
  fit.inverse.resize(terms * terms);
  dense::CholeskyInverse(terms, a.data(), fit.inverse.data());
  fit.beta = std::move(b);
  for (size_t i = 0; i < u.size(); ++i) {
    double value = 0;
    for (int k = 0; k < terms; ++k) value += fit.beta[k] * power[i][k];
    fit.residual.push_back(y[i] - value);
    fit.chi_square += weight[i] * fit.residual[i] * fit.residual[i];
  }
  return fit;
}

struct Curve {
  std::vector<double> u, y, weight;  // weights have mean 1 unless noise is known
  std::vector<size_t> used;
  double center = 0, scale = 1;
  double low = 0, high = 0;  // of u
  int levels = 0;
};

int Levels(std::vector<double> x) {
  std::sort(x.begin(), x.end());
  return static_cast<int>(std::unique(x.begin(), x.end()) - x.begin());
}

Curve MakeCurve(absl::Span<const double> x, absl::Span<const double> y,
                absl::Span<const double> noise, std::vector<size_t> used) {
  Curve curve;
  double low = x[used[0]], high = low;
  for (size_t i : used) {
    low = std::min(low, x[i]);
    high = std::max(high, x[i]);
  }
  curve.center = (low + high) / 2;
  curve.scale = std::max((high - low) / 2, 1e-300);
  for (size_t i : used) {
    curve.u.push_back((x[i] - curve.center) / curve.scale);
    curve.y.push_back(y[i]);
    curve.weight.push_back(noise.empty() ? 1 : 1 / (noise[i] * noise[i]));
  }
  curve.low = -1;
  curve.high = 1;
  curve.levels = Levels(curve.u);
  curve.used = std::move(used);
  return curve;
}

// The level of x whose mean of y is lowest.
double LowestLevel(absl::Span<const double> x, absl::Span<const double> y,
                   const std::vector<size_t>& used) {
  std::map<double, std::pair<double, int>> means;
  for (size_t i : used) {
    means[x[i]].first += y[i];
    ++means[x[i]].second;
  }
  double best = 0, lowest = std::numeric_limits<double>::infinity();
  for (const auto& [level, sum] : means) {
    if (sum.first / sum.second < lowest) {
      lowest = sum.first / sum.second;
      best = level;
    }
  }
  return best;
}

struct Noise {
  double variance = 0;  // scale of the inverse normal matrix
  double degrees = 0;
};

Noise NoiseOf(const Polynomial& fit, const Curve& curve, bool known,
              const MinimumOptions& options) {
  if (known) return {1, std::numeric_limits<double>::infinity()};
  if (options.variance > 0) return {options.variance, options.degrees};
  const double degrees = static_cast<double>(curve.u.size()) - fit.terms;
  return {degrees > 0 ? fit.chi_square / degrees : kNan, degrees};
}

double TQuantile(double level, double degrees) {
  // Beyond 1e6 degrees Student's t is the normal distribution to all digits that matter.
  return StudentQuantile(.5 + level / 2, std::min(degrees, 1e6));
}

// Whether a term above those of a fit is clear of noise at the level of the intervals: the curve
// bends more than the fit can follow.
bool BendsMore(const Curve& curve, int terms, bool known, const MinimumOptions& options) {
  ++terms;
  if (curve.levels < terms || static_cast<int>(curve.u.size()) <= terms) return false;
  const auto fit = FitPolynomial(curve.u, curve.y, curve.weight, terms);
  if (!fit) return false;
  const Noise noise = NoiseOf(*fit, curve, known, options);
  const double variance = fit->inverse[terms * terms - 1] * noise.variance;
  return std::abs(fit->beta[terms - 1]) >
         TQuantile(options.level, noise.degrees) * std::sqrt(variance);
}

// The end of the set of u where a slope of 0 is not rejected, from the minimum in one direction;
// NaN where it has none within four times the range.
double SlopeEnd(const Polynomial& fit, double from, double direction, double t2) {
  const auto rejected = [&](double u) {
    const double slope = fit.Slope(u);
    return slope * direction > 0 && slope * slope > t2 * fit.SlopeVariance(u);
  };
  constexpr double kStep = .02, kReach = 8;
  double inside = from;
  for (double distance = kStep; distance <= kReach; distance += kStep) {
    double outside = from + direction * distance;
    if (!rejected(outside)) {
      inside = outside;
      continue;
    }
    for (int i = 0; i < 60; ++i) {
      const double middle = (inside + outside) / 2;
      (rejected(middle) ? outside : inside) = middle;
    }
    return outside;
  }
  return kNan;
}

Interval IntervalOfMinimum(const Polynomial& fit, const Curve& curve,
                           const MinimumOptions& options) {
  Interval none{kNan, kNan};
  if (options.replicates < 2) return none;
  const size_t n = curve.u.size();
  // Residuals brought to one variance, leverage included, and centred.
  std::vector<double> standard(n);
  double mean = 0;
  for (size_t i = 0; i < n; ++i) {
    const double leverage = std::min(.999, fit.ValueVariance(curve.u[i]) * curve.weight[i]);
    standard[i] = fit.residual[i] * std::sqrt(curve.weight[i] / (1 - leverage));
    mean += standard[i] / static_cast<double>(n);
  }
  std::vector<double> minima;
  for (int replicate = 0; replicate < options.replicates; ++replicate) {
    Random random(options.seed, static_cast<uint64_t>(replicate));
    std::vector<double> y(n);
    for (size_t i = 0; i < n; ++i) {
      y[i] = curve.y[i] - fit.residual[i] +
             (standard[random.Below(n)] - mean) / std::sqrt(curve.weight[i]);
    }
    const auto refit = FitPolynomial(curve.u, y, curve.weight, fit.terms);
    const std::optional<double> u = refit ? refit->Minimum() : std::nullopt;
    if (u && std::abs(*u) < 8) minima.push_back(*u);
  }
  if (static_cast<double>(minima.size()) < .99 * options.replicates) return none;
  std::sort(minima.begin(), minima.end());
  const double tail = (1 - options.level) / 2;
  const auto at = [&](double p) {
    const double place = p * static_cast<double>(minima.size() - 1);
    const size_t below = std::min(static_cast<size_t>(place), minima.size() - 2);
    const double u = minima[below] + (place - below) * (minima[below + 1] - minima[below]);
    return curve.center + curve.scale * u;
  };
  return {at(tail), at(1 - tail)};
}

}  // namespace

Minimum FitMinimum(absl::Span<const double> x, absl::Span<const double> y,
                   absl::Span<const double> noise, const MinimumOptions& options) {
  Minimum result;
  const bool known = !noise.empty();
  std::vector<size_t> used(x.size());
  for (size_t i = 0; i < used.size(); ++i) used[i] = i;
  const int least = known || options.variance > 0 ? 3 : 4;
  const auto count_levels = [&] {
    std::vector<double> values;
    for (size_t i : used) values.push_back(x[i]);
    return Levels(std::move(values));
  };
  const auto refuse = [&](std::string reason) {
    result.reason = std::move(reason);
    result.points = static_cast<int>(used.size());
    result.levels = count_levels();
    return result;
  };
  if (count_levels() < least) return refuse("too few different values");
  const double lowest = LowestLevel(x, y, used);
  if (options.window > 0) {
    used.erase(std::remove_if(used.begin(), used.end(),
                              [&](size_t i) { return std::abs(x[i] - lowest) > options.window; }),
               used.end());
    if (count_levels() < least) return refuse("too few different values within the window");
  }
  Curve curve = MakeCurve(x, y, noise, used);
  double low = x[used[0]], high = low;
  for (size_t i : used) {
    low = std::min(low, x[i]);
    high = std::max(high, x[i]);
  }
  if (lowest == low) return refuse("the lowest value lies at the lower edge");
  if (lowest == high) return refuse("the lowest value lies at the upper edge");
  // A third term always, and not where it seems needed: choosing by the data would make the
  // intervals too narrow. Four levels, or too few points, leave no room for it.
  const bool room = curve.levels > 4 && (known || options.variance > 0 || curve.u.size() > 4);
  const int terms = options.degree > 0 ? options.degree + 1 : room ? 4 : 3;
  if (curve.levels < terms) return refuse("too few different values for the degree");
  const auto fit = FitPolynomial(curve.u, curve.y, curve.weight, terms);
  if (!fit) return refuse("the values lie too close together to fit a curve");
  const Noise scale = NoiseOf(*fit, curve, known, options);
  if (!(scale.degrees > 0)) return refuse("too few points to tell the noise");
  const std::optional<double> u = fit->Minimum();
  if (!u) return refuse("the curve has no minimum");
  if (*u <= curve.low) return refuse("the curve's minimum lies beyond the lower edge");
  if (*u >= curve.high) return refuse("the curve's minimum lies beyond the upper edge");
  const double t = TQuantile(options.level, scale.degrees);
  const double curvature = fit->Curvature(*u);
  if (!(curvature > t * std::sqrt(scale.variance * fit->CurvatureVariance(*u)))) {
    return refuse("the curve is flat within its noise");
  }
  const double t2 = t * t * scale.variance;
  const double left = SlopeEnd(*fit, *u, -1, t2), right = SlopeEnd(*fit, *u, 1, t2);
  if (std::isnan(left) || std::isnan(right)) return refuse("the curve is flat within its noise");
  result.found = true;
  result.x = curve.center + curve.scale * *u;
  result.standard_error =
      curve.scale * std::sqrt(scale.variance * fit->SlopeVariance(*u)) / curvature;
  result.interval = {curve.center + curve.scale * left, curve.center + curve.scale * right};
  result.delta = {result.x - t * result.standard_error, result.x + t * result.standard_error};
  result.bootstrap = IntervalOfMinimum(*fit, curve, options);
  result.value = fit->Value(*u);
  result.value_se = std::sqrt(scale.variance * fit->ValueVariance(*u));
  result.points = static_cast<int>(used.size());
  result.levels = curve.levels;
  result.degree = terms - 1;
  result.bends_more = BendsMore(curve, terms, known, options);
  result.residual_variance =
      fit->chi_square / std::max(1.0, static_cast<double>(used.size()) - terms);
  result.degrees = scale.degrees;
  result.used = std::move(used);
  return result;
}

}  // namespace qatlas::fit
