// Checks that a law finds its own parameters again, from values with and without noise.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "sdk/conformance/law_check_list.h"
#include "sdk/conformance/law_subject.h"
#include "sdk/conformance/least_squares.h"

namespace qatlas::conformance {
namespace {

constexpr size_t kRows = 400;
constexpr int kCells = 2000;    // of the start grid that are looked at
constexpr size_t kStarts = 16;  // of these from which the fit goes downhill
constexpr int kSteps = 400;
constexpr double kNoise = 1e-3;     // relative
constexpr double kExact = 1e-6;     // relative residual that counts as none
constexpr double kDetermined = .1;  // standard error below which a parameter is held to its value
constexpr double kIdentified = 1e-11;  // ratio of singular values below which it is rounding

// A column of the fit: a parameter, for all rows or those of one category.
struct Unknown {
  size_t parameter;
  int category;  // -1: all
};

// A fit of a law to rows of two categories. A parameter that has a value for each category (`per`)
// has one in each here too; one with pins is known in the first.
class Fit {
 public:
  Fit(const LawForm& law, uint64_t seed) : law_(law), spec_(law.Spec()) {
    const std::vector<Point> usual = UsualPoints(spec_, kRows, seed);
    bool categories = false;
    for (size_t p = 0; p < spec_.parameters.size(); ++p) {
      const LawParameter& parameter = spec_.parameters[p];
      if (parameter.per.empty()) {
        unknowns_.push_back({p, -1});
        continue;
      }
      categories = true;
      if (parameter.pins.empty()) unknowns_.push_back({p, 0});
      unknowns_.push_back({p, 1});
    }
    for (int category = 0; category < (categories ? 2 : 1); ++category) {
      points_.push_back(MakePoints(usual));
    }
    for (const Unknown& unknown : unknowns_) {
      const LawParameter& parameter = spec_.parameters[unknown.parameter];
      const double tiny = 1e-300;
      lower_.push_back(parameter.log ? std::log(std::max(parameter.lower, tiny)) : parameter.lower);
      upper_.push_back(parameter.log ? std::log(std::min(parameter.upper, 1e300))
                                     : parameter.upper);
    }
  }

  size_t count() const { return unknowns_.size(); }
  size_t rows() const { return points_.size() * static_cast<size_t>(points_[0].size()); }
  const std::vector<double>& lower() const { return lower_; }
  const std::vector<double>& upper() const { return upper_; }

  std::string Name(size_t k) const {
    const Unknown& unknown = unknowns_[k];
    const std::string& name = spec_.parameters[unknown.parameter].name;
    return unknown.category < 0
               ? name
               : absl::StrCat(name, "[", unknown.category == 0 ? "first" : "second", " category]");
  }

  // Coordinates of one parameter set; where there are categories, the first differs a little.
  std::vector<double> Coordinates(const Theta& theta) const {
    std::vector<double> x;
    for (const Unknown& unknown : unknowns_) {
      const LawParameter& parameter = spec_.parameters[unknown.parameter];
      double value = theta[unknown.parameter];
      if (unknown.category == 0) value = std::clamp(value * 1.15, parameter.lower, parameter.upper);
      x.push_back(parameter.log ? std::log(value) : value);
    }
    return x;
  }

  Theta ThetaOf(const std::vector<double>& x, int category) const {
    Theta theta(spec_.parameters.size());
    for (size_t p = 0; p < theta.size(); ++p) {
      if (!spec_.parameters[p].pins.empty()) theta[p] = spec_.parameters[p].pins[0].value;
    }
    for (size_t k = 0; k < x.size(); ++k) {
      const Unknown& unknown = unknowns_[k];
      if (unknown.category >= 0 && unknown.category != category) continue;
      theta[unknown.parameter] = spec_.parameters[unknown.parameter].log ? std::exp(x[k]) : x[k];
    }
    return theta;
  }

  std::vector<double> ValuesAt(const std::vector<double>& x) const {
    std::vector<double> all;
    for (size_t c = 0; c < points_.size(); ++c) {
      const std::vector<double> values = Values(law_, points_[c], ThetaOf(x, static_cast<int>(c)));
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  }

  // (values - y) / scale, and derivatives by the coordinates.
  void Residuals(const std::vector<double>& x, const std::vector<double>& y,
                 const std::vector<double>& scale, std::vector<double>* r, Matrix* jacobian) const {
    const size_t n = static_cast<size_t>(points_[0].size());
    r->assign(rows(), 0);
    if (jacobian != nullptr) *jacobian = Matrix(rows(), count());
    std::vector<double> derivatives(n * spec_.parameters.size());
    for (size_t c = 0; c < points_.size(); ++c) {
      const Theta theta = ThetaOf(x, static_cast<int>(c));
      law_.Evaluate(points_[c].Batch(), theta.data(), r->data() + c * n,
                    jacobian == nullptr ? nullptr : derivatives.data(), points_[c].size());
      for (size_t k = 0; jacobian != nullptr && k < count(); ++k) {
        const Unknown& unknown = unknowns_[k];
        if (unknown.category >= 0 && unknown.category != static_cast<int>(c)) continue;
        const double inner = spec_.parameters[unknown.parameter].log ? theta[unknown.parameter] : 1;
        for (size_t i = 0; i < n; ++i) {
          (*jacobian)(c * n + i, k) =
              derivatives[unknown.parameter * n + i] * inner / scale[c * n + i];
        }
      }
    }
    for (size_t i = 0; i < rows(); ++i) (*r)[i] = ((*r)[i] - y[i]) / scale[i];
  }

  // The cell with its linear parameters solved for.
  std::vector<double> SolveLinear(std::vector<double> x, const std::vector<double>& y,
                                  const std::vector<double>& scale) const {
    std::vector<size_t> linear;
    for (size_t k = 0; k < count(); ++k) {
      if (spec_.parameters[unknowns_[k].parameter].linear) linear.push_back(k);
    }
    if (linear.empty()) return x;
    std::vector<double> r;
    Matrix jacobian;
    Residuals(x, y, scale, &r, &jacobian);
    Matrix a(rows(), linear.size());
    std::vector<double> lengths, value;
    for (size_t j = 0; j < linear.size(); ++j) {
      const LawParameter& parameter = spec_.parameters[unknowns_[linear[j]].parameter];
      value.push_back(parameter.log ? std::exp(x[linear[j]]) : x[linear[j]]);
      double length = 0;
      for (size_t i = 0; i < rows(); ++i) {
        a(i, j) = jacobian(i, linear[j]) / (parameter.log ? value[j] : 1);
        length += a(i, j) * a(i, j);
      }
      lengths.push_back(length > 0 ? std::sqrt(length) : 1);
      for (size_t i = 0; i < rows(); ++i) a(i, j) /= lengths[j];
    }
    for (double& each : r) each = -each;
    const std::vector<double> move = LeastSquares(std::move(a), std::move(r));
    for (size_t j = 0; j < linear.size(); ++j) {
      const LawParameter& parameter = spec_.parameters[unknowns_[linear[j]].parameter];
      const double solved = value[j] + move[j] / lengths[j];
      // A positive one that came out negative keeps a trace, from where it can come back.
      x[linear[j]] =
          parameter.log ? std::log(solved > 1e-3 * value[j] ? solved : 1e-3 * value[j]) : solved;
    }
    return x;
  }

 private:
  const LawForm& law_;
  const LawSpec& spec_;
  std::vector<LawPoints> points_;  // by category
  std::vector<Unknown> unknowns_;
  std::vector<double> lower_, upper_;  // of the coordinates
};

// Where the check's data come from: the first preset that gives most, completed from the middle of
// the starts.
Theta Truth(const LawSpec& spec) {
  Theta theta = MiddleStart(spec);
  const LawPreset* best = nullptr;
  for (const LawPreset& preset : spec.presets) {
    if (best == nullptr || preset.values.size() > best->values.size()) best = &preset;
  }
  if (best == nullptr) return theta;
  for (size_t p = 0; p < theta.size(); ++p) {
    const double value = best->Value(spec.parameters[p].name);
    if (!std::isnan(value)) theta[p] = value;
  }
  return theta;
}

// Relative to the value, and to a thousandth of the largest where it is less.
std::vector<double> Scales(const std::vector<double>& y) {
  double largest = 0;
  for (double value : y) largest = std::max(largest, std::abs(value));
  std::vector<double> scales;
  for (double value : y) scales.push_back(std::max({std::abs(value), 1e-3 * largest, 1e-300}));
  return scales;
}

// Standard errors of the coordinates for residuals of unit variance; infinite where none.
std::vector<double> StandardErrors(const Matrix& jacobian) {
  const Singular singular = SingularValues(jacobian);
  std::vector<double> errors;
  for (size_t k = 0; k < jacobian.columns; ++k) {
    double sum = 0;
    for (size_t j = 0; j < jacobian.columns; ++j) {
      const double part = singular.v(k, j) / std::max(singular.values[j], 1e-300);
      sum += part * part;
    }
    errors.push_back(std::sqrt(sum));
  }
  return errors;
}

// Coordinates that can change together without the values changing, beyond rounding; "" where none.
std::string Confounded(const Fit& fit, Matrix jacobian) {
  for (size_t k = 0; k < jacobian.columns; ++k) {
    double length = 0;
    for (size_t i = 0; i < jacobian.rows; ++i) length += jacobian(i, k) * jacobian(i, k);
    for (size_t i = 0; i < jacobian.rows && length > 0; ++i) jacobian(i, k) /= std::sqrt(length);
  }
  const Singular singular = SingularValues(jacobian);
  if (singular.values.back() > kIdentified * singular.values.front()) return "";
  std::vector<std::string> names;
  for (size_t k = 0; k < jacobian.columns; ++k) {
    if (std::abs(singular.v(k, jacobian.columns - 1)) > .1) names.push_back(fit.Name(k));
  }
  return absl::StrJoin(names, ", ");
}

double Root(double cost, size_t rows) { return std::sqrt(cost / static_cast<double>(rows)); }

// The best solution from the start grid.
Solution FromGrid(const LawForm& law, const Fit& fit, const std::vector<double>& y,
                  const std::vector<double>& scale, const Residuals& residuals, uint64_t seed) {
  const int64_t cells = GridSize(law.Spec());
  std::mt19937_64 random(seed);
  std::vector<Solution> starts;
  for (int64_t i = 0; i < std::min<int64_t>(cells, kCells); ++i) {
    const int64_t cell = cells <= kCells ? i : static_cast<int64_t>(random() % cells);
    const std::vector<double> x =
        fit.SolveLinear(fit.Coordinates(GridCell(law.Spec(), cell)), y, scale);
    std::vector<double> r;
    residuals(x, &r, nullptr);
    const double cost = std::inner_product(r.begin(), r.end(), r.begin(), 0.0);
    if (std::isfinite(cost)) starts.push_back({x, cost});
  }
  std::sort(starts.begin(), starts.end(),
            [](const Solution& a, const Solution& b) { return a.cost < b.cost; });
  if (starts.size() > kStarts) starts.resize(kStarts);
  Solution best = {{}, std::numeric_limits<double>::infinity()};
  for (const Solution& start : starts) {
    const Solution found = Minimize(residuals, start.x, fit.lower(), fit.upper(), kSteps, 1e-24);
    if (found.cost < best.cost) best = found;
    if (Root(best.cost, fit.rows()) < 1e-12) break;
  }
  return best;
}

void RecoversOfLaw(const LawForm& law, Probe& probe) {
  const LawSpec& spec = law.Spec();
  const Fit fit(law, probe.seed());
  const Theta truth = Truth(spec);
  const std::vector<double> right = fit.Coordinates(truth);
  const std::vector<double> y = fit.ValuesAt(right);
  const std::vector<double> scale = Scales(y);
  const Residuals residuals = [&](const std::vector<double>& x, std::vector<double>* r,
                                  Matrix* jacobian) { fit.Residuals(x, y, scale, r, jacobian); };
  probe.Trying(absl::StrCat(Text(spec, truth), "; ", fit.rows(), " usual points without noise"));
  std::vector<double> r;
  Matrix jacobian;
  residuals(right, &r, &jacobian);
  const std::string confounded = Confounded(fit, jacobian);
  Solution found = FromGrid(law, fit, y, scale, residuals, probe.seed());
  if (!(Root(found.cost, fit.rows()) < kExact)) {
    std::vector<double> near = right;
    for (size_t k = 0; k < near.size(); ++k) near[k] += (k % 2 == 0 ? .05 : -.05);
    found = Minimize(residuals, near, fit.lower(), fit.upper(), kSteps, 1e-24);
    if (Root(found.cost, fit.rows()) < kExact) {
      probe.Warn("no start of its grid leads to its own parameters, though a start close by does");
    }
  }
  const double rms = Root(found.cost, fit.rows());
  probe.Measured("relative residual", rms, "");
  if (!(rms < kExact)) {
    return probe.Fail(absl::StrFormat(
        "a fit leaves a relative residual of %.3g of values that it could reproduce", rms));
  }
  if (!confounded.empty()) {
    return probe.Warn(
        absl::StrCat("these parameters can change together without changing a value: ", confounded,
                     "; fix one of them, or tie two"));
  }
  residuals(found.x, &r, &jacobian);
  const std::vector<double> errors = StandardErrors(jacobian);
  int determined = 0;
  for (size_t k = 0; k < fit.count(); ++k) {
    determined += errors[k] * kNoise < kDetermined;
    const double off = std::abs(found.x[k] - right[k]);
    if (off <= 1e-3 + 20 * errors[k] * std::max(rms, 1e-12)) continue;
    probe.Fail(absl::StrFormat("it reproduces the values with '%s' off by %.3g", fit.Name(k), off));
  }
  probe.Measured("determined at 0.1% noise", determined,
                 absl::StrCat("of ", fit.count(), " parameters"));
}

void RecoversNoisyOfLaw(const LawForm& law, Probe& probe) {
  const LawSpec& spec = law.Spec();
  const Fit fit(law, probe.seed());
  const Theta truth = Truth(spec);
  const std::vector<double> right = fit.Coordinates(truth);
  std::vector<double> y = fit.ValuesAt(right);
  std::vector<double> scale = Scales(y);
  std::mt19937_64 random(probe.seed());
  for (size_t i = 0; i < y.size(); ++i) {
    scale[i] *= kNoise;
    // Twelve uniform numbers: their sum has unit variance, and is the same everywhere.
    double normal = -6;
    for (int j = 0; j < 12; ++j) normal += static_cast<double>(random() >> 11) * 0x1p-53;
    y[i] += scale[i] * normal;
  }
  const Residuals residuals = [&](const std::vector<double>& x, std::vector<double>* r,
                                  Matrix* jacobian) { fit.Residuals(x, y, scale, r, jacobian); };
  probe.Trying(absl::StrCat(Text(spec, truth), "; ", fit.rows(), " usual points, noise 0.1%, seed ",
                            probe.seed()));
  std::vector<double> r;
  Matrix jacobian;
  residuals(right, &r, &jacobian);
  if (const std::string names = Confounded(fit, jacobian); !names.empty()) {
    return probe.Skip(absl::StrCat("values do not determine ", names));
  }
  const Solution found = Minimize(residuals, right, fit.lower(), fit.upper(), kSteps, 0);
  residuals(found.x, &r, &jacobian);
  const std::vector<double> errors = StandardErrors(jacobian);
  double worst = 0;
  int determined = 0;
  for (size_t k = 0; k < fit.count(); ++k) {
    if (!(errors[k] < kDetermined)) continue;
    ++determined;
    const double z = std::abs(found.x[k] - right[k]) / errors[k];
    worst = std::max(worst, z);
    if (z > 6) {
      probe.Fail(absl::StrFormat("'%s' comes out %.1f standard errors off", fit.Name(k), z));
    }
  }
  if (determined == 0) return probe.Skip("0.1% noise leaves no parameter determined");
  const double freedom =
      std::max(static_cast<double>(fit.rows()) - static_cast<double>(fit.count()), 1.0);
  probe.Measured("worst", worst, "standard errors");
  // The mean of `freedom` squares of unit variance scatters by sqrt(2 / freedom).
  const double chi = found.cost / freedom;
  if (!(std::abs(chi - 1) < .1 + 6 * std::sqrt(2 / freedom))) {
    probe.Fail(
        absl::StrFormat("the residuals are %.2f times the noise that was added", std::sqrt(chi)));
  }
}

}  // namespace

void LawRecovers(const Subject& subject, Probe& probe) {
  ForEachLaw(subject, probe, [&probe](const LawForm& law) { RecoversOfLaw(law, probe); });
}
void LawRecoversNoisy(const Subject& subject, Probe& probe) {
  ForEachLaw(subject, probe, [&probe](const LawForm& law) { RecoversNoisyOfLaw(law, probe); });
}

}  // namespace qatlas::conformance
