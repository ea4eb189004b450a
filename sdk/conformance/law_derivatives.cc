// Checks of a law's derivatives: against differences over the whole start grid, linearity, and
// which covariates a parameter acts through.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "sdk/conformance/law_check_list.h"
#include "sdk/conformance/law_subject.h"

namespace qatlas::conformance {
namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
// Of the value (of exponents: of 1 at least). Two central differences, at this and half of it, are
// extrapolated: the error is of fourth order, and their disagreement bounds it.
constexpr double kStep = 1e-3;
constexpr double kTolerance = 1e-6;
constexpr double kBudget = 4e6;  // values of the law, over all cells
constexpr size_t kPoints = 48;

// Values and the Jacobian, [parameter][point].
struct Evaluated {
  std::vector<double> values;
  std::vector<double> jacobian;
};
Evaluated Evaluate(const LawForm& law, const LawPoints& points, const Theta& theta) {
  const size_t n = static_cast<size_t>(points.size());
  Evaluated result = {std::vector<double>(n), std::vector<double>(n * theta.size())};
  law.Evaluate(points.Batch(), theta.data(), result.values.data(), result.jacobian.data(),
               points.size());
  return result;
}

double StepOf(const LawParameter& parameter, double value) {
  return kStep * (parameter.log ? value : std::max(std::abs(value), .1));
}

// A derivative by differences, and how far it may be off.
struct Difference {
  double value;
  double error;
};

class Differences {
 public:
  Differences(const LawForm& law, const LawPoints& points, Theta theta)
      : law_(law), points_(points), theta_(std::move(theta)) {}

  std::vector<Difference> By(size_t parameter) {
    const double h = StepOf(law_.Spec().parameters[parameter], theta_[parameter]);
    const double scale = std::max(std::abs(theta_[parameter]), h);
    const std::vector<double> a = At(parameter, h), b = At(parameter, -h);
    const std::vector<double> c = At(parameter, h / 2), d = At(parameter, -h / 2);
    std::vector<Difference> result;
    for (size_t i = 0; i < a.size(); ++i) {
      const double coarse = (a[i] - b[i]) / (2 * h), fine = (c[i] - d[i]) / h;
      // Rounding: of the values, by a few units for what a formula adds up, and of the argument.
      const double rounding = 64 * kEpsilon * std::max(std::abs(a[i]), std::abs(b[i])) / h +
                              4 * kEpsilon * std::abs(fine) * scale / h;
      result.push_back({(4 * fine - coarse) / 3, std::abs(fine - coarse) * .05 + rounding});
    }
    return result;
  }

 private:
  std::vector<double> At(size_t parameter, double step) {
    Theta theta = theta_;
    theta[parameter] += step;
    return Values(law_, points_, theta);
  }
  const LawForm& law_;
  const LawPoints& points_;
  Theta theta_;
};

void JacobianOfLaw(const LawForm& law, Probe& probe) {
  const LawSpec& spec = law.Spec();
  const std::vector<Point> usual = UsualPoints(spec, kPoints, probe.seed());
  const int64_t cells = GridSize(spec);
  const double each = kBudget / (static_cast<double>(cells) * 4 * spec.parameters.size());
  const size_t points =
      static_cast<size_t>(std::clamp(each, 2.0, static_cast<double>(usual.size())));
  // Of a grid that is too large for this, cells at even distances.
  const int64_t stride = static_cast<int64_t>(std::ceil(std::max(1.0, 2 / each)));
  std::mt19937_64 random(probe.seed());
  double worst = 0;
  std::vector<bool> seen(spec.parameters.size());
  int64_t compared = 0;
  for (int64_t cell = 0; cell < cells; cell += stride) {
    const Theta theta = GridCell(spec, cell, 4 * kStep);
    std::vector<Point> chosen;
    for (size_t i = 0; i < points; ++i) {
      chosen.push_back(points == usual.size() ? usual[i] : usual[random() % usual.size()]);
    }
    probe.Trying(Text(spec, theta, chosen[0]));
    const LawPoints batch = MakePoints(chosen);
    const Evaluated at = Evaluate(law, batch, theta);
    Differences differences(law, batch, theta);
    for (size_t p = 0; p < theta.size(); ++p) {
      const std::vector<Difference> expected = differences.By(p);
      for (size_t i = 0; i < chosen.size(); ++i) {
        const double given = at.jacobian[p * chosen.size() + i];
        if (!std::isfinite(expected[i].value)) continue;  // of another check
        const double off = std::abs(given - expected[i].value);
        const double size = std::abs(expected[i].value);
        ++compared;
        if (expected[i].error < 1e-3 * size) {
          seen[p] = true;
          worst = std::max(worst, off / size);
        }
        if (off <= expected[i].error + kTolerance * size) continue;
        probe.Trying(Text(spec, theta, chosen[i]));
        probe.Fail(
            absl::StrFormat("the derivative by '%s' is %.10g, by differences of the values %.10g",
                            spec.parameters[p].name, given, expected[i].value));
      }
    }
  }
  for (size_t p = 0; p < seen.size(); ++p) {
    if (seen[p] || probe.failed()) continue;
    probe.Trying("the start grid at usual covariates");
    probe.Fail(absl::StrCat("'", spec.parameters[p].name,
                            "' changes the value nowhere by more than rounding does"));
  }
  probe.Measured("worst relative error", worst, "");
  probe.Measured("compared", static_cast<double>(compared), "derivatives");
}

// f at the middle of two parameter sets is the middle of f, when they differ in `of` alone.
void CheckAffine(const LawForm& law, const std::vector<Point>& usual, const LawPoints& points,
                 const Theta& theta, const std::vector<size_t>& of, Probe& probe) {
  const LawSpec& spec = law.Spec();
  std::mt19937_64 random(probe.seed() + of[0]);
  Theta other = theta, middle = theta;
  for (size_t p : of) {
    // Far enough that a bend shows: one and a half to four times as large.
    const double factor = 1.5 + static_cast<double>(random() % 6) / 2;
    other[p] = theta[p] == 0 ? 1 : theta[p] * factor;
    if (other[p] > spec.parameters[p].upper || other[p] < spec.parameters[p].lower) {
      other[p] =
          (theta[p] + (other[p] > theta[p] ? spec.parameters[p].upper : spec.parameters[p].lower)) /
          2;
    }
    middle[p] = (theta[p] + other[p]) / 2;
  }
  const std::vector<double> a = Values(law, points, theta), b = Values(law, points, other),
                            m = Values(law, points, middle);
  for (size_t i = 0; i < a.size(); ++i) {
    const double expected = (a[i] + b[i]) / 2;
    const double scale = std::max({std::abs(a[i]), std::abs(b[i]), std::abs(m[i])});
    if (!std::isfinite(scale) || std::abs(m[i] - expected) <= 1e-12 * scale) continue;
    std::string names;
    for (size_t p : of)
      absl::StrAppend(&names, names.empty() ? "'" : ", '", spec.parameters[p].name, "'");
    probe.Trying(absl::StrCat(Text(spec, theta, usual[i]), "; and with ", Text(spec, other)));
    probe.Fail(
        absl::StrFormat("it is not affine in %s: half-way between %.12g and %.12g it is "
                        "%.12g",
                        names, a[i], b[i], m[i]));
    return;
  }
}

void LinearOfLaw(const LawForm& law, Probe& probe) {
  const LawSpec& spec = law.Spec();
  std::vector<size_t> linear;
  for (size_t p = 0; p < spec.parameters.size(); ++p) {
    if (spec.parameters[p].linear) linear.push_back(p);
  }
  if (linear.empty()) return probe.Skip("no parameter is declared linear");
  const std::vector<Point> usual = UsualPoints(spec, kPoints, probe.seed());
  const LawPoints points = MakePoints(usual);
  const int64_t cells = GridSize(spec);
  constexpr int64_t kCells = 512;
  std::mt19937_64 random(probe.seed());
  for (int64_t i = 0; i < std::min(cells, kCells); ++i) {
    const int64_t cell = cells <= kCells ? i : static_cast<int64_t>(random() % cells);
    const Theta theta = GridCell(spec, cell);
    probe.Trying(Text(spec, theta));
    CheckAffine(law, usual, points, theta, linear, probe);
    for (size_t p : linear) CheckAffine(law, usual, points, theta, {p}, probe);
    if (probe.failed()) return;
  }
  probe.Measured("linear", static_cast<double>(linear.size()), "parameters");
}

// Where `with` is missing, neither the parameters nor the covariates that need it may matter.
void OnlyWithOfLaw(const LawForm& law, Probe& probe) {
  const LawSpec& spec = law.Spec();
  bool any = false;
  const int64_t cells = std::min<int64_t>(GridSize(spec), 256);
  for (int64_t cell = 0; cell < cells && !probe.failed(); ++cell) {
    const Theta theta = GridCell(spec, cell);
    for (Point point : UsualPoints(spec, 16, probe.seed() + static_cast<uint64_t>(cell))) {
      for (size_t w = 0; w < spec.covariates.size(); ++w) {
        const LawCovariate& with = spec.covariates[w];
        if (std::isnan(with.missing)) continue;
        Point without = point;
        without[w] = with.missing;
        for (size_t c = 0; c < point.size(); ++c) {
          if (spec.covariates[c].only_with == with.name) without[c] = spec.covariates[c].minimum;
        }
        probe.Trying(Text(spec, theta, without));
        const Evaluated at = Evaluate(law, MakePoints({without}), theta);
        for (size_t p = 0; p < theta.size(); ++p) {
          if (spec.parameters[p].only_with != with.name) continue;
          any = true;
          if (at.jacobian[p] == 0) continue;
          probe.Fail(
              absl::StrFormat("'%s' is declared to matter only with '%s', but without it the "
                              "derivative is %.6g",
                              spec.parameters[p].name, with.name, at.jacobian[p]));
        }
      }
    }
  }
  if (!any && !probe.failed()) probe.Skip("no parameter is declared to need a covariate");
}

}  // namespace

void LawJacobian(const Subject& subject, Probe& probe) {
  ForEachLaw(subject, probe, [&probe](const LawForm& law) { JacobianOfLaw(law, probe); });
}
void LawLinear(const Subject& subject, Probe& probe) {
  ForEachLaw(subject, probe, [&probe](const LawForm& law) { LinearOfLaw(law, probe); });
}
void LawOnlyWith(const Subject& subject, Probe& probe) {
  ForEachLaw(subject, probe, [&probe](const LawForm& law) { OnlyWithOfLaw(law, probe); });
}

}  // namespace qatlas::conformance
