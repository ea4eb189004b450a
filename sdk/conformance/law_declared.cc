// Checks of what a law says of itself: its spec, and its published constants.
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "sdk/conformance/law_check_list.h"
#include "sdk/conformance/law_subject.h"

namespace qatlas::conformance {
namespace {

void CheckCovariate(const LawSpec& spec, const LawCovariate& covariate, Probe& probe) {
  const std::string who = absl::StrCat("covariate '", covariate.name, "'");
  probe.Trying(who);
  if (covariate.meaning.empty()) probe.Fail(absl::StrCat(who, " has no meaning"));
  if (!(covariate.minimum >= 0)) {
    probe.Fail(absl::StrCat(who, " begins at ", covariate.minimum,
                            "; laws take logarithms, so it may not begin below 0"));
  }
  if (!(covariate.minimum <= covariate.maximum)) {
    probe.Fail(
        absl::StrCat(who, " has no value between ", covariate.minimum, " and ", covariate.maximum));
  }
  if (covariate.only_with.empty()) return;
  const int with = spec.CovariateIndex(covariate.only_with);
  if (with < 0 || std::isnan(spec.covariates[with].missing)) {
    probe.Fail(absl::StrCat(who, " needs '", covariate.only_with,
                            "', which is no covariate that may be missing"));
  }
}

void CheckParameter(const LawSpec& spec, const LawParameter& parameter, Probe& probe) {
  const std::string who = absl::StrCat("parameter '", parameter.name, "'");
  probe.Trying(who);
  if (parameter.meaning.empty()) probe.Fail(absl::StrCat(who, " has no meaning"));
  if (!(parameter.lower < parameter.upper)) {
    probe.Fail(
        absl::StrCat(who, " has no room between ", parameter.lower, " and ", parameter.upper));
  }
  if (parameter.log && !(parameter.lower >= 0)) {
    probe.Fail(absl::StrCat(who, " is searched as its logarithm, and may be ", parameter.lower));
  }
  if (parameter.starts.empty()) probe.Fail(absl::StrCat(who, " has no start value"));
  for (double start : parameter.starts) {
    if (!std::isfinite(start) || start < parameter.lower || start > parameter.upper ||
        (parameter.log && start <= 0)) {
      probe.Fail(absl::StrCat(who, " starts at ", start, ", outside of its bounds"));
    }
  }
  if (!parameter.pins.empty() && parameter.per.size() != 1) {
    probe.Fail(absl::StrCat(who, " has pins, which need exactly one column in `per`"));
  }
  if (parameter.only_with.empty()) return;
  const int with = spec.CovariateIndex(parameter.only_with);
  if (with < 0 || std::isnan(spec.covariates[with].missing)) {
    probe.Fail(absl::StrCat(who, " matters only with '", parameter.only_with,
                            "', which is no covariate that may be missing"));
  }
}

void CheckPreset(const LawSpec& spec, const LawPreset& preset, Probe& probe) {
  const std::string who = absl::StrCat("preset '", preset.name, "'");
  probe.Trying(who);
  if (preset.citation.empty()) probe.Fail(absl::StrCat(who, " has no citation"));
  if (preset.values.empty()) probe.Fail(absl::StrCat(who, " has no value"));
  std::set<std::string> seen;
  for (const auto& [name, value] : preset.values) {
    const int p = spec.ParameterIndex(name);
    if (p < 0) {
      probe.Fail(absl::StrCat(who, " gives '", name, "', which is no parameter"));
      continue;
    }
    if (!seen.insert(name).second) probe.Fail(absl::StrCat(who, " gives '", name, "' twice"));
    const LawParameter& parameter = spec.parameters[p];
    if (!(value >= parameter.lower && value <= parameter.upper)) {
      probe.Fail(absl::StrFormat("%s has %s = %g, outside of its bounds", who, name, value));
    }
  }
  for (const LawFigure& figure : preset.figures) {
    for (const auto* point : {&figure.at, &figure.over}) {
      for (const auto& [name, value] : *point) {
        if (spec.CovariateIndex(name) >= 0) continue;
        probe.Fail(absl::StrCat(who, " has a figure at '", name, "', which is no covariate"));
      }
    }
    if (!(figure.tolerance > 0)) {
      probe.Fail(absl::StrCat(who, " has a figure without a tolerance"));
    }
  }
}

template <typename Named>
void CheckNames(const std::vector<Named>& all, const char* what, Probe& probe) {
  std::set<std::string> seen;
  for (const Named& one : all) {
    probe.Trying(absl::StrCat(what, "s"));
    if (one.name.empty()) probe.Fail(absl::StrCat("a ", what, " has no name"));
    if (!seen.insert(one.name).second) {
      probe.Fail(absl::StrCat("there are two ", what, "s '", one.name, "'"));
    }
  }
}

void DeclaredOfLaw(const LawForm& law, Probe& probe) {
  const LawSpec& spec = law.Spec();
  probe.Trying("the law's spec");
  if (spec.target.empty()) probe.Fail("it has no target");
  if (spec.formula.empty()) probe.Fail("it has no formula for people");
  if (spec.parameters.empty()) probe.Fail("it has no parameter");
  CheckNames(spec.covariates, "covariate", probe);
  CheckNames(spec.parameters, "parameter", probe);
  CheckNames(spec.presets, "preset", probe);
  for (const LawCovariate& covariate : spec.covariates) CheckCovariate(spec, covariate, probe);
  for (const LawParameter& parameter : spec.parameters) CheckParameter(spec, parameter, probe);
  for (const LawPreset& preset : spec.presets) CheckPreset(spec, preset, probe);
}

// The law at a figure's point; NaN where a covariate without a `missing` value is not given.
double At(const LawForm& law, const Theta& theta,
          const std::vector<std::pair<std::string, double>>& at) {
  const LawSpec& spec = law.Spec();
  Point point;
  for (const LawCovariate& covariate : spec.covariates) {
    double given = covariate.missing;
    for (const auto& [name, value] : at) {
      if (name == covariate.name) given = value;
    }
    point.push_back(given);
  }
  for (double value : point) {
    if (std::isnan(value)) return value;
  }
  return Values(law, MakePoints({point}), theta)[0];
}

std::string Place(const std::vector<std::pair<std::string, double>>& at) {
  std::string text;
  for (const auto& [name, value] : at) {
    absl::StrAppendFormat(&text, "%s%s = %.10g", text.empty() ? "" : ", ", name, value);
  }
  return text;
}

void PublishedOfLaw(const LawForm& law, Probe& probe) {
  const LawSpec& spec = law.Spec();
  int compared = 0;
  for (const LawPreset& preset : spec.presets) {
    Theta theta;
    for (const LawParameter& parameter : spec.parameters) {
      theta.push_back(preset.Value(parameter.name));
    }
    for (const LawFigure& figure : preset.figures) {
      std::string where = absl::StrCat("preset '", preset.name, "' at ", Place(figure.at));
      if (!figure.over.empty()) absl::StrAppend(&where, ", over that at ", Place(figure.over));
      probe.Trying(where);
      double value = At(law, theta, figure.at);
      if (!figure.over.empty()) value /= At(law, theta, figure.over);
      ++compared;
      // Negated, so that NaN fails.
      if (std::abs(value - figure.value) <= figure.tolerance) continue;
      probe.Fail(absl::StrFormat("it gives %.8g; published: %.8g, to within %g", value,
                                 figure.value, figure.tolerance));
    }
  }
  if (compared == 0) {
    return probe.Skip(spec.presets.empty() ? "it has no preset"
                                           : "none of its presets has a published figure");
  }
  probe.Measured("compared", compared, "figures");
}

}  // namespace

void LawDeclared(const Subject& subject, Probe& probe) {
  ForEachLaw(subject, probe, [&probe](const LawForm& law) { DeclaredOfLaw(law, probe); });
}
void LawPublished(const Subject& subject, Probe& probe) {
  ForEachLaw(subject, probe, [&probe](const LawForm& law) { PublishedOfLaw(law, probe); });
}

}  // namespace qatlas::conformance
