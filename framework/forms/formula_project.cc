#include "framework/forms/formula_project.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_replace.h>

#include "framework/forms/formula_guess.h"
#include "framework/forms/formula_names.h"

namespace qatlas::forms {
namespace {

std::string Quoted(const std::string& text) {
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}}), "\"");
}

std::string Covariates(const LawSpec& spec) {
  std::string text;
  for (const LawCovariate& covariate : spec.covariates) {
    absl::StrAppend(&text, text.empty() ? "" : ",\n        ", "{", Quoted(covariate.name), ", ",
                    Quoted(covariate.meaning), ", ", Quoted(covariate.unit), ", ",
                    CppNumber(covariate.minimum), covariate.name == kQuantized ? ", 1.0, 0.0" : "",
                    "}");
  }
  return text;
}

std::string Parameters(const LawSpec& spec) {
  return absl::StrJoin(spec.parameters, ",\n        ", [](std::string* out, const auto& parameter) {
    std::vector<std::string> starts;
    for (double start : parameter.starts) starts.push_back(CppNumber(start));
    absl::StrAppend(
        out, "{.name = ", Quoted(parameter.name), ", .meaning = ", Quoted(parameter.meaning),
        ", .unit = ", Quoted(parameter.unit), ",\n         .lower = ", CppNumber(parameter.lower),
        ", .upper = ", CppNumber(parameter.upper), ",\n         .starts = {",
        absl::StrJoin(starts, ", "), "}", parameter.linear ? ", .linear = true" : "",
        parameter.log ? ", .log = true" : "", "}");
  });
}

template <typename List>
std::string Bindings(const List& list) {
  return absl::StrJoin(list, ", ", [](std::string* out, const auto& entry) {
    absl::StrAppend(out, CppName(entry.name));
  });
}

// Points and parameters of the test, with the formula's own values.
struct Sample {
  std::vector<std::vector<double>> columns;
  std::vector<double> theta, values;
};
Sample MakeSample(const LawForm& form) {
  constexpr int kPoints = 5;
  Sample sample;
  const LawSpec& spec = form.Spec();
  for (size_t c = 0; c < spec.covariates.size(); ++c) {
    auto [low, high] = TypicalRange(spec.covariates[c].name);
    low = std::max(low, spec.covariates[c].minimum);
    std::vector<double>& column = sample.columns.emplace_back();
    for (int i = 0; i < kPoints; ++i) {
      const double share = static_cast<double>(i * (c + 2) % kPoints) / (kPoints - 1);
      column.push_back(std::round(low + (high - low) * share * share));
    }
  }
  for (const LawParameter& parameter : spec.parameters) {
    sample.theta.push_back(parameter.starts[parameter.starts.size() / 2]);
  }
  sample.values.resize(kPoints);
  form.Evaluate(LawPoints(sample.columns).Batch(), sample.theta.data(), sample.values.data(),
                nullptr, 0);
  return sample;
}

std::string List(const std::vector<double>& numbers) {
  return absl::StrCat("{",
                      absl::StrJoin(numbers, ", ",
                                    [](std::string* out, double number) {
                                      absl::StrAppend(out, CppNumber(number));
                                    }),
                      "}");
}

}  // namespace

absl::StatusOr<TemplateValues> LawValues(const FormulaLaw& law) {
  const LawSpec& spec = law.form->Spec();
  std::set<std::string> cpp_names;
  for (const std::string& symbol : law.text.Symbols()) {
    if (!cpp_names.insert(CppName(symbol)).second) {
      return absl::InvalidArgumentError(absl::StrCat("'", symbol, "' and '", CppName(symbol),
                                                     "' would be one name in C++; rename one"));
    }
  }
  const Sample sample = MakeSample(*law.form);
  if (!std::all_of(sample.values.begin(), sample.values.end(),
                   [](double value) { return std::isfinite(value); })) {
    return absl::InvalidArgumentError(
        "the formula is not finite at typical covariates and the middle of its start values; give "
        "start values");
  }
  std::vector<std::string> columns;
  for (const std::vector<double>& column : sample.columns) columns.push_back(List(column));
  return TemplateValues{
      {"target", spec.target},
      {"target_text", Quoted(spec.target)},
      {"formula", spec.formula},
      {"formula_text", Quoted(spec.formula)},
      {"summary_text", Quoted(absl::StrCat(spec.target, " = ", spec.formula))},
      {"covariate_count", absl::StrCat(spec.covariates.size())},
      {"parameter_count", absl::StrCat(spec.parameters.size())},
      {"covariate_specs", Covariates(spec)},
      {"parameter_specs", Parameters(spec)},
      {"covariates", Bindings(spec.covariates)},
      {"parameters", Bindings(spec.parameters)},
      {"expression", FormulaAsCpp(law.text, spec)},
      {"sample_columns", absl::StrJoin(columns, ",\n                                  ")},
      {"sample_theta", List(sample.theta)},
      {"sample_values", List(sample.values)}};
}

}  // namespace qatlas::forms
