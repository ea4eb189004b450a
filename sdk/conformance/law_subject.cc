#include "sdk/conformance/law_subject.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "qatlas/conformance/create.h"

namespace qatlas::conformance {
namespace {

// By the names of the observations' columns, then by the unit.
std::vector<double> Candidates(const LawCovariate& covariate) {
  const std::string& name = covariate.name;
  if (name == "N" || covariate.unit == "parameters") return {3e7, 1e8, 3e8, 1e9, 4e9, 7e10};
  if (name == "D" || covariate.unit == "tokens") return {1e9, 5e9, 3e10, 2e11, 3e12};
  if (name == "G" || covariate.unit == "elements") return {16, 32, 128, 512, 4096};
  if (covariate.unit == "bits") {
    // Exponent and mantissa bits of a format are few, and may be none.
    if (covariate.minimum == 0) return {0, 1, 2, 3, 5};
    return {1.58, 2, 3, 4, 6, 8};
  }
  const double low = covariate.minimum;
  if (std::isfinite(covariate.maximum)) {
    const double width = covariate.maximum - low;
    return {low + .02 * width, low + .1 * width, low + .3 * width, low + .6 * width,
            low + .9 * width};
  }
  return {low + .5, low + 1, low + 3, low + 10, low + 40};
}

bool Missing(const LawCovariate& covariate, double value) { return value == covariate.missing; }

}  // namespace

void ForEachLaw(const Subject& subject, Probe& probe,
                const std::function<void(const LawForm&)>& body) {
  bool first = true;
  for (const Options& options : Variants(*subject.component)) {
    const std::string with = absl::StrCat("options ", Text(options));
    probe.Trying(with);
    auto law = Create<LawForm>(*subject.component, options);
    if (law.ok()) body(**law);
    if (!law.ok() && first) return probe.Fail(std::string(law.status().message()));
    first = false;
    if (probe.failed()) return;
  }
}

std::vector<double> UsualValues(const LawCovariate& covariate) {
  std::vector<double> values;
  for (double value : Candidates(covariate)) {
    value = std::clamp(value, covariate.minimum, covariate.maximum);
    if (values.empty() || value > values.back()) values.push_back(value);
  }
  if (!std::isnan(covariate.missing)) values.push_back(covariate.missing);
  return values;
}

std::vector<Point> UsualPoints(const LawSpec& spec, size_t most, uint64_t seed) {
  std::vector<std::vector<double>> values;
  int64_t count = 1;
  for (const LawCovariate& covariate : spec.covariates) {
    values.push_back(UsualValues(covariate));
    count *= static_cast<int64_t>(values.back().size());
  }
  std::mt19937_64 random(seed);
  std::vector<Point> points;
  const bool all = count <= static_cast<int64_t>(most);
  for (int64_t i = 0; i < (all ? count : static_cast<int64_t>(most)); ++i) {
    int64_t index = all ? i : static_cast<int64_t>(random() % static_cast<uint64_t>(count));
    Point point;
    for (const std::vector<double>& of : values) {
      point.push_back(of[static_cast<size_t>(index) % of.size()]);
      index /= static_cast<int64_t>(of.size());
    }
    for (size_t c = 0; c < point.size(); ++c) {
      const int with = spec.CovariateIndex(spec.covariates[c].only_with);
      if (with >= 0 && Missing(spec.covariates[with], point[with])) {
        point[c] = spec.covariates[c].minimum;
      }
    }
    points.push_back(std::move(point));
  }
  return points;
}

int64_t GridSize(const LawSpec& spec) {
  double size = 1;
  for (const LawParameter& parameter : spec.parameters) {
    size *= static_cast<double>(std::max<size_t>(parameter.starts.size(), 1));
  }
  return static_cast<int64_t>(std::min(size, 1e15));
}

Theta GridCell(const LawSpec& spec, int64_t index, double margin) {
  Theta theta;
  for (const LawParameter& parameter : spec.parameters) {
    const auto count = static_cast<int64_t>(std::max<size_t>(parameter.starts.size(), 1));
    double value = parameter.starts.empty() ? 1 : parameter.starts[index % count];
    index /= count;
    const double room = margin * std::max(std::abs(value), 1.0);
    if (margin > 0 && !parameter.log) {
      if (value - parameter.lower < room) value = parameter.lower + room;
      if (parameter.upper - value < room) value = parameter.upper - room;
    } else if (margin > 0) {
      value = std::clamp(value, parameter.lower * (1 + margin), parameter.upper * (1 - margin));
    }
    theta.push_back(value);
  }
  return theta;
}

Theta MiddleStart(const LawSpec& spec) {
  Theta theta;
  for (const LawParameter& parameter : spec.parameters) {
    std::vector<double> starts = parameter.starts;
    if (starts.empty()) starts = {1};
    std::sort(starts.begin(), starts.end());
    theta.push_back(starts[starts.size() / 2]);
  }
  return theta;
}

LawPoints MakePoints(const std::vector<Point>& points) {
  std::vector<std::vector<double>> columns(points.empty() ? 0 : points[0].size());
  for (const Point& point : points) {
    for (size_t c = 0; c < columns.size(); ++c) columns[c].push_back(point[c]);
  }
  return LawPoints(std::move(columns));
}

std::vector<double> Values(const LawForm& law, const LawPoints& points, const Theta& theta) {
  std::vector<double> values(static_cast<size_t>(points.size()));
  law.Evaluate(points.Batch(), theta.data(), values.data(), nullptr, 0);
  return values;
}

std::string Text(const LawSpec& spec, const Theta& theta) {
  std::string text = spec.parameters.empty() ? "" : "theta: ";
  for (size_t p = 0; p < theta.size(); ++p) {
    absl::StrAppendFormat(&text, "%s%s = %.17g", p == 0 ? "" : ", ", spec.parameters[p].name,
                          theta[p]);
  }
  return text;
}

std::string Text(const LawSpec& spec, const Theta& theta, const Point& point) {
  std::string text = Text(spec, theta);
  for (size_t c = 0; c < point.size(); ++c) {
    absl::StrAppendFormat(&text, "%s%s = %.17g", c == 0 ? "; " : ", ", spec.covariates[c].name,
                          point[c]);
  }
  return text;
}

}  // namespace qatlas::conformance
