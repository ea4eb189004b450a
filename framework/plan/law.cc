#include "framework/plan/law.h"

#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>
#include <qatlas/check.h>

#include "framework/observe/names.h"
#include "framework/observe/number.h"
#include "framework/observe/problems.h"

namespace qatlas::plan {
namespace {

// The texts by which a parameter is split at a point; nullptr in `missing` where all are there.
std::vector<std::string> Keys(const LawValue& parameter, const Point& point,
                              std::vector<std::string>* missing) {
  std::vector<std::string> keys;
  for (const std::string& column : parameter.split_by) {
    const auto text = point.texts.find(column);
    const auto number = point.numbers.find(column);
    if (text != point.texts.end()) {
      keys.push_back(text->second);
    } else if (number != point.numbers.end()) {
      keys.push_back(observe::FormatNumber(number->second));
    } else {
      missing->push_back(column);
    }
  }
  return keys;
}

}  // namespace

double NumberAt(const Point& point, const std::string& name) {
  const auto found = point.numbers.find(name);
  return found == point.numbers.end() ? std::numeric_limits<double>::quiet_NaN() : found->second;
}

std::string Show(const Point& point) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : point.numbers) {
    parts.push_back(absl::StrCat(name, "=", observe::ShowNumber(value)));
  }
  for (const auto& [name, text] : point.texts) parts.push_back(absl::StrCat(name, "=", text));
  return absl::StrJoin(parts, ", ");
}

absl::StatusOr<BoundLaw> BoundLaw::Create(const Law& law, const Point& point,
                                          const std::vector<std::string>& open) {
  BoundLaw bound;
  bound.law_ = &law;
  bound.point_ = point;
  const LawSpec& spec = law.form->Spec();
  observe::Problems problems;
  const auto is_open = [&](const std::string& name) {
    return std::find(open.begin(), open.end(), name) != open.end();
  };
  for (const LawCovariate& covariate : spec.covariates) {
    double value = std::max(covariate.minimum, 1.0);
    const auto found = point.numbers.find(covariate.name);
    if (found != point.numbers.end()) {
      value = found->second;
      const bool missing = value == covariate.missing;
      if (!missing &&
          (!std::isfinite(value) || value < covariate.minimum || value > covariate.maximum)) {
        problems.Add(absl::StrCat(law.name, ": ", covariate.name, " = ", observe::ShowNumber(value),
                                  " lies outside what it takes, ",
                                  observe::ShowNumber(covariate.minimum), " to ",
                                  observe::ShowNumber(covariate.maximum)));
      }
    } else if (covariate.name == kQuantized) {
      value = 1;
    } else if (std::isfinite(covariate.missing)) {
      value = covariate.missing;
    } else if (!is_open(covariate.name)) {
      problems.Add(absl::StrCat(law.name, " needs ", covariate.name, " (", covariate.meaning,
                                "); give ", covariate.name, "=..."));
    }
    bound.covariates_.push_back(value);
  }
  for (size_t c = 0; c < spec.covariates.size(); ++c) {
    const int with = spec.CovariateIndex(spec.covariates[c].only_with);
    if (with >= 0 && bound.Missing(with)) bound.covariates_[c] = spec.covariates[c].minimum;
    bound.logs_.push_back(LawPoints::LogOf(std::max(bound.covariates_[c], 0.0)));
  }
  QATLAS_RETURN_IF_ERROR(problems.ToStatus());
  bound.slots_.assign(spec.parameters.size(), -1);
  bound.Resolve();
  for (size_t p = 0; p < bound.slots_.size(); ++p) {
    if (bound.slots_[p] >= 0) continue;
    std::set<std::string> seen;
    std::vector<std::string> columns;
    bool waits = false;
    for (const LawValue& parameter : law.parameters) {
      if (parameter.base != static_cast<int>(p) || parameter.unused) continue;
      seen.insert(parameter.category);
      columns = parameter.split_by;
      for (const std::string& column : columns) waits = waits || is_open(column);
    }
    if (waits) continue;
    if (seen.empty()) {
      problems.Add(absl::StrCat(law.name, ": no run of the fit told ", spec.parameters[p].name,
                                ", on which this point depends"));
      continue;
    }
    const std::vector<std::string> known(seen.begin(), seen.end());
    problems.Add(absl::StrCat(law.name, ": ", spec.parameters[p].name, " has one value for each ",
                              absl::StrJoin(columns, ", "), "; this fit knows '",
                              absl::StrJoin(known, "', '"), "'; give one of these"));
  }
  QATLAS_RETURN_IF_ERROR(problems.ToStatus());
  return bound;
}

bool BoundLaw::Missing(int covariate) const {
  return covariates_[covariate] == law_->form->Spec().covariates[covariate].missing;
}

bool BoundLaw::Resolve() {
  const LawSpec& spec = law_->form->Spec();
  resolved_ = true;
  for (size_t p = 0; p < slots_.size(); ++p) {
    slots_[p] = -1;
    const int with = spec.CovariateIndex(spec.parameters[p].only_with);
    const bool needed = with < 0 || !Missing(with);
    int only = -1, count = 0;
    for (size_t i = 0; i < law_->parameters.size(); ++i) {
      const LawValue& parameter = law_->parameters[i];
      if (parameter.base != static_cast<int>(p)) continue;
      if (!needed) {
        slots_[p] = static_cast<int>(i);  // whichever: the value does not depend on it
        break;
      }
      if (parameter.unused) continue;
      only = static_cast<int>(i);
      ++count;
      std::vector<std::string> missing;
      if (parameter.category == absl::StrJoin(Keys(parameter, point_, &missing), ", ") &&
          missing.empty()) {
        slots_[p] = static_cast<int>(i);
      } else if (missing.empty()) {
        only = -1;  // the point names another category
      }
    }
    if (slots_[p] < 0 && count == 1) slots_[p] = only;
    resolved_ = resolved_ && slots_[p] >= 0;
  }
  return resolved_;
}

bool BoundLaw::Set(const std::string& name, double value) {
  const int c = law_->form->Spec().CovariateIndex(name);
  if (c >= 0) {
    covariates_[c] = value;
    logs_[c] = LawPoints::LogOf(value);
  }
  point_.numbers[name] = value;
  for (const LawValue& parameter : law_->parameters) {
    for (const std::string& column : parameter.split_by) {
      if (column == name) return Resolve();
    }
  }
  return resolved_;
}

double BoundLaw::Value(int draw) const {
  if (!resolved_) return kNone;
  const std::vector<double>& values =
      draw < 0 || law_->draws.empty() ? law_->values : law_->draws[draw];
  std::vector<double> theta(slots_.size());
  for (size_t p = 0; p < slots_.size(); ++p) theta[p] = values[slots_[p]];
  std::vector<const double*> pointers(2 * covariates_.size());
  for (size_t c = 0; c < covariates_.size(); ++c) {
    pointers[c] = &covariates_[c];
    pointers[covariates_.size() + c] = &logs_[c];
  }
  double result = kNone;
  law_->form->Evaluate({1, pointers.data(), pointers.data() + covariates_.size()}, theta.data(),
                       &result, nullptr, 1);
  if (draw >= 0 && !law_->factors.empty()) result *= law_->factors[draw];
  return std::isnan(result) ? kNone : result;
}

void Widen(Law* law, const std::string& covariate, double value) {
  const auto [range, fresh] = law->fitted.insert({covariate, {value, value}});
  if (fresh) return;
  range->second.low = std::min(range->second.low, value);
  range->second.high = std::max(range->second.high, value);
}

std::vector<std::string> OutsideRange(const Law& law, const Point& point) {
  std::vector<std::string> warnings;
  for (const auto& [name, range] : law.fitted) {
    const auto found = point.numbers.find(name);
    if (found == point.numbers.end()) continue;
    const double value = found->second;
    const double slack = 1e-6;
    if (value >= range.low * (1 - slack) && value <= range.high * (1 + slack)) continue;
    const bool above = value > range.high;
    const double edge = above ? range.high : range.low;
    std::string factor;
    if (edge > 0 && value > 0) {
      // Three digits tell how far; the range itself is told in full.
      factor = absl::StrFormat(", %.3g times %s", above ? value / edge : edge / value,
                               above ? "above" : "below");
    }
    warnings.push_back(absl::StrCat(law.name, " was fitted on ", name, " ",
                                    observe::ShowNumber(range.low), " to ",
                                    observe::ShowNumber(range.high), "; ", name, " = ",
                                    observe::ShowNumber(value), " lies outside", factor));
  }
  return warnings;
}

}  // namespace qatlas::plan
