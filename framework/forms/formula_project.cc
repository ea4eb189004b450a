#include "framework/forms/formula_project.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_replace.h>

#include "framework/forms/formula_guess.h"
#include "framework/forms/formula_names.h"

namespace qatlas::forms {
namespace {

std::string Quoted(const std::string& text) {
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}}), "\"");
}

// The largest of a derivative's magnitudes that still counts as none, as a share of the values.
constexpr double kNoShare = 1e-12;

// Values and derivatives at points, parameters at the middle of their start values.
struct Sample {
  std::vector<std::vector<double>> columns;
  std::vector<double> theta, values;
  std::vector<std::vector<double>> jacobian;  // of each parameter
};
Sample Evaluated(const LawForm& form, std::vector<std::vector<double>> columns) {
  const LawSpec& spec = form.Spec();
  Sample sample;
  sample.columns = std::move(columns);
  for (const LawParameter& parameter : spec.parameters) {
    sample.theta.push_back(parameter.starts[parameter.starts.size() / 2]);
  }
  const size_t points = sample.columns.empty() ? 0 : sample.columns[0].size();
  sample.values.resize(points);
  std::vector<double> jacobian(points * spec.parameters.size());
  form.Evaluate(LawPoints(sample.columns).Batch(), sample.theta.data(), sample.values.data(),
                jacobian.data(), static_cast<int64_t>(points));
  for (size_t p = 0; p < spec.parameters.size(); ++p) {
    const auto begin = jacobian.begin() + static_cast<std::ptrdiff_t>(p * points);
    sample.jacobian.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(points));
  }
  return sample;
}

// Points within the covariates' typical ranges.
std::vector<std::vector<double>> TypicalPoints(const LawSpec& spec) {
  constexpr int kPoints = 5;
  std::vector<std::vector<double>> columns;
  for (size_t c = 0; c < spec.covariates.size(); ++c) {
    auto [low, high] = TypicalRange(spec.covariates[c].name);
    low = std::max(low, spec.covariates[c].minimum);
    std::vector<double>& column = columns.emplace_back();
    for (int i = 0; i < kPoints; ++i) {
      const double share = static_cast<double>(i * (c + 2) % kPoints) / (kPoints - 1);
      column.push_back(std::round(low + (high - low) * share * share));
    }
  }
  return columns;
}

// Bits of an operand of which the formula has a limit: rows that lack them are not quantized there.
// By parameter, the bits without which its derivative is 0.
struct MissingBits {
  std::set<size_t> covariates;
  std::map<size_t, std::string> only_with;
};
MissingBits FindMissingBits(const LawForm& form) {
  const LawSpec& spec = form.Spec();
  MissingBits found;
  const std::vector<std::vector<double>> typical = TypicalPoints(spec);
  const Sample there = Evaluated(form, typical);
  for (size_t c = 0; c < spec.covariates.size(); ++c) {
    const std::string& name = spec.covariates[c].name;
    if (name != "weight_bits" && name != "input_bits" && name != "kv_bits") continue;
    std::vector<std::vector<double>> columns = typical;
    std::fill(columns[c].begin(), columns[c].end(), kUnquantizedBits);
    const Sample without = Evaluated(form, columns);
    std::fill(columns[c].begin(), columns[c].end(), 2 * kUnquantizedBits);
    const Sample further = Evaluated(form, columns);
    bool limit = true;
    for (size_t i = 0; i < without.values.size(); ++i) {
      const double value = without.values[i];
      limit = limit && std::isfinite(value) &&
              std::abs(further.values[i] - value) <=
                  kNoShare * std::max(std::abs(value), std::abs(there.values[i]));
    }
    if (!limit) continue;
    found.covariates.insert(c);
    for (size_t p = 0; p < spec.parameters.size(); ++p) {
      const auto zero = [](double d) { return d == 0; };
      if (std::all_of(without.jacobian[p].begin(), without.jacobian[p].end(), zero) &&
          !std::all_of(there.jacobian[p].begin(), there.jacobian[p].end(), zero)) {
        found.only_with.insert({p, name});
      }
    }
  }
  return found;
}

// The helpers of law_parts.h where they say the same.
std::string Covariates(const LawSpec& spec, const MissingBits& missing) {
  std::string text;
  for (size_t c = 0; c < spec.covariates.size(); ++c) {
    const LawCovariate& covariate = spec.covariates[c];
    absl::StrAppend(&text, text.empty() ? "" : ",\n        ");
    if (covariate.name == kQuantized) {
      absl::StrAppend(&text, "qatlas::QuantizedCovariate()");
    } else if (covariate.name == "N" || covariate.name == "D" || covariate.name == "G") {
      absl::StrAppend(&text, covariate.name == "N"   ? "Size()"
                             : covariate.name == "D" ? "Data()"
                                                     : "GroupSize()");
    } else if (missing.covariates.count(c) != 0 && covariate.name == "kv_bits") {
      absl::StrAppend(&text, R"(Bits("kv_bits", "bits of the key-value cache"))");
    } else if (missing.covariates.count(c) != 0) {
      absl::StrAppend(&text, covariate.name == "weight_bits" ? "WeightBits()" : "InputBits()");
    } else {
      absl::StrAppend(
          &text, "{.name = ", Quoted(covariate.name), ", .meaning = ", Quoted(covariate.meaning),
          ", .unit = ", Quoted(covariate.unit), ", .minimum = ", CppNumber(covariate.minimum), "}");
    }
  }
  return text;
}

// Start values as powers of e where they are, as guesses of scales.
std::string Starts(const std::vector<double>& starts) {
  std::vector<std::string> plain, logarithms;
  bool powers = false;
  for (const double start : starts) {
    plain.push_back(CppNumber(start));
    powers = powers || plain.back().size() > 8;
    const double logarithm = start > 0 ? std::round(2 * std::log(start)) / 2 : 0;
    if (std::exp(logarithm) == start) logarithms.push_back(CppNumber(logarithm));
  }
  if (!powers || logarithms.size() != starts.size()) {
    return absl::StrCat("{", absl::StrJoin(plain, ", "), "}");
  }
  return absl::StrCat("Exponentials({", absl::StrJoin(logarithms, ", "), "})");
}

std::string Parameters(const LawSpec& spec, const MissingBits& missing) {
  std::vector<std::string> list;
  for (size_t p = 0; p < spec.parameters.size(); ++p) {
    const LawParameter& parameter = spec.parameters[p];
    const auto with = missing.only_with.find(p);
    const bool only = with != missing.only_with.end();
    list.push_back(absl::StrCat(
        only ? absl::StrCat("OnlyWith(", Quoted(with->second), ",\n         ") : "",
        "{.name = ", Quoted(parameter.name), ", .meaning = ", Quoted(parameter.meaning),
        ", .unit = ", Quoted(parameter.unit), ",\n         .lower = ", CppNumber(parameter.lower),
        ", .upper = ", CppNumber(parameter.upper), ",\n         .starts = ",
        Starts(parameter.starts), parameter.linear ? ", .linear = true" : "",
        parameter.log ? ", .log = true" : "", "}", only ? ")" : ""));
  }
  return absl::StrJoin(list, ",\n        ");
}

template <typename List>
std::string Bindings(const List& list) {
  return absl::StrJoin(list, ", ", [](std::string* out, const auto& entry) {
    absl::StrAppend(out, CppName(entry.name));
  });
}

std::string List(const std::vector<double>& numbers) {
  return absl::StrCat("{",
                      absl::StrJoin(numbers, ", ",
                                    [](std::string* out, double number) {
                                      absl::StrAppend(out, CppNumber(number));
                                    }),
                      "}");
}

// A table to try the law on: a grid over the typical ranges, the formula's values with noise of 2%.
std::string SimulatedRuns(const LawForm& form) {
  const LawSpec& spec = form.Spec();
  std::vector<std::vector<double>> columns(spec.covariates.size());
  std::vector<std::vector<double>> levels;
  size_t rows = 1;
  for (const LawCovariate& covariate : spec.covariates) {
    auto [low, high] = TypicalRange(covariate.name);
    low = std::max(low, covariate.minimum);
    const int count = covariate.name == kQuantized ? 2 : 4;
    std::vector<double>& own = levels.emplace_back();
    for (int i = 0; i < count; ++i) {
      const double share = static_cast<double>(i) / (count - 1);
      const double value = low > 0 ? low * std::pow(high / low, share) : low + (high - low) * share;
      own.push_back(value >= 2 ? std::round(value) : value);
    }
    rows *= own.size();
  }
  constexpr size_t kMostRows = 256;  // of more covariates every so many cells of the grid
  const size_t step = (rows + kMostRows - 1) / kMostRows | 1;
  for (size_t row = 0; row < rows; row += step) {
    size_t rest = row;
    for (size_t c = 0; c < columns.size(); ++c) {
      columns[c].push_back(levels[c][rest % levels[c].size()]);
      rest /= levels[c].size();
    }
  }
  const Sample sample = Evaluated(form, std::move(columns));
  std::string text;
  for (const LawCovariate& covariate : spec.covariates) absl::StrAppend(&text, covariate.name, ",");
  absl::StrAppend(&text, spec.target, "\n");
  std::mt19937_64 random(1);
  for (size_t row = 0; row < sample.values.size(); ++row) {
    // Box and Muller's, so that every machine writes the same.
    const double radius =
        std::sqrt(-2 * std::log(static_cast<double>((random() >> 11) + 1) * 0x1p-53));
    const double angle = 6.283185307179586 * static_cast<double>(random() >> 11) * 0x1p-53;
    const double value = sample.values[row] * std::exp(.02 * radius * std::cos(angle));
    for (const std::vector<double>& column : sample.columns) {
      absl::StrAppend(&text, ShortestNumber(column[row]), ",");
    }
    absl::StrAppend(&text, absl::StrFormat("%.6g", value), "\n");
  }
  return text;
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
  const Sample sample = Evaluated(*law.form, TypicalPoints(spec));
  const MissingBits missing = FindMissingBits(*law.form);
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
      {"covariate_specs", Covariates(spec, missing)},
      {"parameter_specs", Parameters(spec, missing)},
      {"runs", SimulatedRuns(*law.form)},
      {"covariates", Bindings(spec.covariates)},
      {"parameters", Bindings(spec.parameters)},
      {"expression", FormulaAsCpp(law.text, spec)},
      {"sample_columns", absl::StrJoin(columns, ",\n                                  ")},
      {"sample_theta", List(sample.theta)},
      {"sample_values", List(sample.values)}};
}

}  // namespace qatlas::forms
