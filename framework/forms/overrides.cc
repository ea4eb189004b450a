#include "framework/forms/overrides.h"

#include <algorithm>
#include <cmath>

#include <absl/strings/str_cat.h>

namespace qatlas::forms {
namespace {

// Values spread over an interval, for parameters whose own starts lie outside it.
std::vector<double> Spread(double lower, double upper, bool log) {
  std::vector<double> values;
  const bool geometric = log && lower > 0;
  for (double share : {.1, .3, .5, .7, .9}) {
    values.push_back(geometric ? lower * std::pow(upper / lower, share)
                               : lower + (upper - lower) * share);
  }
  return values;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> ParameterOverrides::Names() const {
  std::vector<std::pair<std::string, std::string>> named;
  for (const auto& [name, values] : start) named.emplace_back("start", name);
  for (const auto& [name, values] : bounds) named.emplace_back("bounds", name);
  for (const auto& [name, unit] : units) named.emplace_back("units", name);
  for (const std::string& name : positive) named.emplace_back("positive", name);
  return named;
}

absl::Status Override(const ParameterOverrides& options, LawParameter* parameter) {
  const std::string& name = parameter->name;
  const auto fail = [](const std::string& what) { return absl::InvalidArgumentError(what); };
  const auto bounds = options.bounds.find(name);
  const auto start = options.start.find(name);
  const auto unit = options.units.find(name);
  if (unit != options.units.end()) parameter->unit = unit->second;
  const bool positive =
      std::find(options.positive.begin(), options.positive.end(), name) != options.positive.end();
  if (positive) {
    parameter->log = true;
    parameter->lower = std::max(parameter->lower, 0.0);
  }
  if (bounds != options.bounds.end()) {
    const auto [lower, upper] = bounds->second;
    if (!(lower < upper)) {
      return fail(absl::StrCat("the bounds of '", name, "' are ", lower, " to ", upper));
    }
    if (positive && lower < 0) {
      return fail(
          absl::StrCat("'", name, "' is declared positive, but its lower bound is ", lower));
    }
    if (lower < 0) parameter->log = false;
    parameter->lower = lower;
    parameter->upper = upper;
  }
  if (start != options.start.end()) {
    if (start->second.empty()) return fail(absl::StrCat("'", name, "' has no start value"));
    const double least = *std::min_element(start->second.begin(), start->second.end());
    const double largest = *std::max_element(start->second.begin(), start->second.end());
    if (least <= 0 && parameter->log) {
      if (positive)
        return fail(absl::StrCat("'", name, "' is declared positive, but starts at ", least));
      parameter->log = false;
      if (bounds == options.bounds.end()) parameter->lower = -kNoBound;
    }
    if (bounds == options.bounds.end()) {
      // A start outside the guessed bounds says that they are wrong.
      if (least < parameter->lower) parameter->lower = -kNoBound;
      if (largest > parameter->upper) parameter->upper = kNoBound;
    } else if (least < parameter->lower || largest > parameter->upper) {
      return fail(absl::StrCat("a start value of '", name, "' lies outside its bounds, ",
                               parameter->lower, " to ", parameter->upper));
    }
    parameter->starts = start->second;
    return absl::OkStatus();
  }
  std::vector<double> inside;
  for (double value : parameter->starts) {
    const bool kept =
        value >= parameter->lower && value <= parameter->upper && (!parameter->log || value > 0);
    if (kept) inside.push_back(value);
  }
  const bool bounded = std::isfinite(parameter->lower) && std::isfinite(parameter->upper);
  if (inside.empty() || (bounds != options.bounds.end() && bounded && !parameter->linear)) {
    if (bounded) {
      inside = Spread(parameter->lower, parameter->upper, parameter->log);
    } else if (inside.empty()) {
      const double edge = std::isfinite(parameter->lower) ? parameter->lower : parameter->upper;
      const double away = std::isfinite(parameter->lower) ? 1 : -1;
      const double unit = std::max(1.0, std::abs(edge));
      inside = {edge + away * unit * .1, edge + away * unit, edge + away * unit * 10};
    }
  }
  parameter->starts = std::move(inside);
  return absl::OkStatus();
}

}  // namespace qatlas::forms
