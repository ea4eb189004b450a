#include "framework/cli/law_info.h"

#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "framework/observe/number.h"

namespace qatlas::cli {
namespace {

nlohmann::json FiniteOrNull(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json();
}

// "0 to 2", "above 0" where there is no upper bound, "any" where there is none at all.
std::string BoundsText(double low, double high) {
  if (std::isinf(low) && std::isinf(high)) return "any number";
  if (std::isinf(high)) return absl::StrCat("at least ", observe::FormatNumber(low));
  if (std::isinf(low)) return absl::StrCat("at most ", observe::FormatNumber(high));
  return absl::StrCat(observe::FormatNumber(low), " to ", observe::FormatNumber(high));
}

// "name   first", and what else there is to say below.
void AppendLines(const std::string& name, const std::vector<std::string>& lines,
                 std::string* text) {
  for (size_t i = 0; i < lines.size(); ++i) {
    absl::StrAppendFormat(text, "    %-18s %s\n", i == 0 ? name : "", lines[i]);
  }
}

std::string WithUnit(const std::string& meaning, const std::string& unit) {
  return unit.empty() ? meaning : absl::StrCat(meaning, " (", unit, ")");
}

}  // namespace

nlohmann::json LawJson(const LawSpec& spec) {
  nlohmann::json covariates = nlohmann::json::array();
  for (const LawCovariate& covariate : spec.covariates) {
    covariates.push_back({{"name", covariate.name},
                          {"meaning", covariate.meaning},
                          {"unit", covariate.unit},
                          {"minimum", FiniteOrNull(covariate.minimum)},
                          {"maximum", FiniteOrNull(covariate.maximum)},
                          {"missing", FiniteOrNull(covariate.missing)}});
    if (!covariate.only_with.empty()) covariates.back()["only_with"] = covariate.only_with;
  }
  nlohmann::json parameters = nlohmann::json::array();
  for (const LawParameter& parameter : spec.parameters) {
    parameters.push_back({{"name", parameter.name},
                          {"meaning", parameter.meaning},
                          {"unit", parameter.unit},
                          {"lower", FiniteOrNull(parameter.lower)},
                          {"upper", FiniteOrNull(parameter.upper)},
                          {"starts", parameter.starts},
                          {"per", parameter.per}});
  }
  nlohmann::json presets = nlohmann::json::array();
  for (const LawPreset& preset : spec.presets) {
    nlohmann::json values = nlohmann::json::object();
    for (const auto& [name, value] : preset.values) values[name] = value;
    presets.push_back({{"name", preset.name},
                       {"values", values},
                       {"citation", preset.citation},
                       {"note", preset.note},
                       {"verified", preset.verified}});
  }
  return {{"target", spec.target},
          {"formula", spec.formula},
          {"covariates", covariates},
          {"parameters", parameters},
          {"presets", presets}};
}

std::string LawText(const LawSpec& spec) {
  std::string text =
      absl::StrCat("  predicts  ", spec.target, " = ", spec.formula, "\n  covariates\n");
  for (const LawCovariate& covariate : spec.covariates) {
    std::string missing;
    if (!std::isnan(covariate.missing)) {
      missing = absl::StrCat("; where a row has none: ", observe::FormatNumber(covariate.missing));
    }
    AppendLines(covariate.name,
                {WithUnit(covariate.meaning, covariate.unit),
                 BoundsText(covariate.minimum, covariate.maximum) + missing},
                &text);
  }
  absl::StrAppend(&text, "  parameters\n");
  for (const LawParameter& parameter : spec.parameters) {
    const std::string per =
        parameter.per.empty()
            ? ""
            : absl::StrCat("; one value for each ", absl::StrJoin(parameter.per, ", "));
    AppendLines(parameter.name,
                {WithUnit(parameter.meaning, parameter.unit),
                 BoundsText(parameter.lower, parameter.upper) + per},
                &text);
  }
  absl::StrAppend(&text, "  presets", spec.presets.empty() ? "   none are published\n" : "\n");
  for (const LawPreset& preset : spec.presets) {
    std::vector<std::string> values;
    for (const auto& [name, value] : preset.values) {
      values.push_back(absl::StrCat(name, " = ", observe::FormatNumber(value)));
    }
    std::vector<std::string> lines = {
        absl::StrJoin(values, ", "),
        absl::StrCat(preset.citation, preset.verified ? " (verified)" : " (second-hand)")};
    if (!preset.note.empty()) lines.push_back(preset.note);
    AppendLines(preset.name, lines, &text);
  }
  return text;
}

}  // namespace qatlas::cli
