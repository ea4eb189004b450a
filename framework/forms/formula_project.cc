#include "framework/forms/formula_project.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include <absl/strings/ascii.h>
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

struct Names {
  std::string plugin;  // half-life
  std::string file;    // half_life
  std::string type;    // HalfLife
};

absl::StatusOr<Names> NamesOf(const std::string& name) {
  Names names{name, "", ""};
  bool good = !name.empty() && absl::ascii_islower(static_cast<unsigned char>(name[0])) &&
              name.back() != '-';
  bool upper = true;
  for (char c : name) {
    const bool letter = absl::ascii_islower(static_cast<unsigned char>(c)) ||
                        absl::ascii_isdigit(static_cast<unsigned char>(c));
    good = good && (letter || (c == '-' && !upper));
    names.file += c == '-' ? '_' : c;
    if (c != '-') names.type += upper ? absl::ascii_toupper(static_cast<unsigned char>(c)) : c;
    upper = c == '-';
  }
  if (good) return names;
  return absl::InvalidArgumentError(
      absl::StrCat("'", name,
                   "' cannot name a plugin: small letters, digits and single '-' between them, "
                   "beginning with a letter"));
}

std::string Covariates(const LawSpec& spec) {
  std::string text;
  for (const LawCovariate& covariate : spec.covariates) {
    absl::StrAppend(&text, text.empty() ? "" : ",\n      ", "{", Quoted(covariate.name), ", ",
                    Quoted(covariate.meaning), ", ", Quoted(covariate.unit), ", ",
                    CppNumber(covariate.minimum), covariate.name == kQuantized ? ", 1.0, 0.0" : "",
                    "}");
  }
  return text;
}

std::string Parameters(const LawSpec& spec) {
  std::string text;
  for (const LawParameter& parameter : spec.parameters) {
    std::vector<std::string> starts;
    for (double start : parameter.starts) starts.push_back(CppNumber(start));
    absl::StrAppend(
        &text, "  {\n    qatlas::LawParameter p;\n    p.name = ", Quoted(parameter.name),
        ";\n    p.meaning = ", Quoted(parameter.meaning),
        ";\n    p.unit = ", Quoted(parameter.unit), ";\n    p.lower = ", CppNumber(parameter.lower),
        ";\n    p.upper = ", CppNumber(parameter.upper), ";\n    p.starts = {",
        absl::StrJoin(starts, ", "), "};\n    p.linear = ", parameter.linear ? "true" : "false",
        ";\n    p.log = ", parameter.log ? "true" : "false",
        ";\n    spec.parameters.push_back(p);\n  }\n");
  }
  return text;
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

constexpr char kCMake[] = R"(cmake_minimum_required(VERSION 3.25)
project($file LANGUAGES CXX)
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_EXTENSIONS OFF)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_package(Qatlas REQUIRED)
qatlas_add_plugin(law $plugin SOURCES $file.cc register.cc)

enable_testing()
add_executable($file_test $file_test.cc $file.cc)
target_link_libraries($file_test PRIVATE qatlas::sdk)
add_test(NAME $plugin COMMAND $file_test)
)";

constexpr char kHeader[] = R"(// $target = $formula
#pragma once

#include "qatlas/component.h"
#include "qatlas/law_formula.h"

namespace $file_law {

class $type : public qatlas::LawFormula<$type, $covariate_count, $parameter_count> {
 public:
  static constexpr qatlas::ComponentInfo kInfo = {$plugin_text, $summary_text, ""};
  static qatlas::LawSpec MakeSpec();

  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [$covariates] = covariates;
    const auto [$parameters] = parameters;
    return $expression;
  }
};

}  // namespace $file_law
)";

constexpr char kSource[] = R"(#include "$file.h"

namespace $file_law {

// Say what covariates and parameters mean: reports show it. Bounds and start values were guessed
// from the formula's structure, or are what was said of them.
qatlas::LawSpec $type::MakeSpec() {
  qatlas::LawSpec spec;
  spec.target = $target_text;
  spec.formula = $formula_text;
  spec.covariates = {
      $covariate_specs};
$parameter_specs  return spec;
}

}  // namespace $file_law
)";

constexpr char kRegister[] = R"(#include "$file.h"

QATLAS_PLUGIN($plugin_text, "1.0.0", qatlas::Component<$file_law::$type>())
)";

constexpr char kTest[] =
    R"(// The values that the formula had when this was written, and derivatives against differences.
#include "$file.h"

#include <cmath>
#include <cstdio>
#include <vector>

int main() {
  const std::vector<std::vector<double>> columns = {$sample_columns};
  const std::vector<double> theta = $sample_theta;
  const std::vector<double> expected = $sample_values;
  const $file_law::$type law;
  const qatlas::LawPoints points(columns);
  const auto n = static_cast<int64_t>(expected.size());
  const size_t parameters = theta.size();
  std::vector<double> values(n), jacobian(parameters * n), above(n), below(n);
  law.Evaluate(points.Batch(), theta.data(), values.data(), jacobian.data(), n);
  int wrong = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (std::abs(values[i] - expected[i]) <= 1e-12 * std::abs(expected[i])) continue;
    std::printf("point %d: %.17g, not %.17g\n", static_cast<int>(i), values[i], expected[i]);
    ++wrong;
  }
  for (size_t p = 0; p < parameters; ++p) {
    const double step = 1e-6 * std::fmax(std::abs(theta[p]), 1e-3);
    std::vector<double> moved = theta;
    moved[p] = theta[p] + step;
    law.Evaluate(points.Batch(), moved.data(), above.data(), nullptr, 0);
    moved[p] = theta[p] - step;
    law.Evaluate(points.Batch(), moved.data(), below.data(), nullptr, 0);
    for (int64_t i = 0; i < n; ++i) {
      const double slope = (above[i] - below[i]) / (2 * step);
      const double scale = std::abs(slope) + 1e-3 * std::abs(values[i] / step) * 1e-3;
      if (std::abs(jacobian[p * n + i] - slope) <= 1e-4 * scale) continue;
      std::printf("parameter %d, point %d: derivative %.9g, difference %.9g\n",
                  static_cast<int>(p), static_cast<int>(i), jacobian[p * n + i], slope);
      ++wrong;
    }
  }
  if (wrong == 0) std::printf("values and derivatives agree\n");
  return wrong == 0 ? 0 : 1;
}
)";

constexpr char kReadme[] = R"(# $plugin

A law form for Qatlas: $target = $formula

| covariate | parameter |
|---|---|
| $covariates | $parameters |

Build it against an installed Qatlas, test it, and use it:

```
cmake -S . -B build -DCMAKE_PREFIX_PATH=<where Qatlas is installed>
cmake --build build
ctest --test-dir build
qatlas --plugin-path build fit runs.csv --target $target --law $plugin
```

The formula stands in `$file.h`, its covariates, parameters, bounds and start values in `$file.cc`.
)";

}  // namespace

absl::StatusOr<std::vector<ProjectFile>> LawProject(const std::string& name,
                                                    const FormulaLaw& law) {
  auto names = NamesOf(name);
  if (!names.ok()) return names.status();
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
  const std::vector<std::pair<std::string, std::string>> values = {
      {"$file", names->file},
      {"$plugin_text", Quoted(names->plugin)},
      {"$plugin", names->plugin},
      {"$type", names->type},
      {"$target_text", Quoted(spec.target)},
      {"$target", spec.target},
      {"$formula_text", Quoted(spec.formula)},
      {"$formula", spec.formula},
      {"$summary_text", Quoted(absl::StrCat(spec.target, " = ", spec.formula))},
      {"$covariate_count", absl::StrCat(spec.covariates.size())},
      {"$parameter_count", absl::StrCat(spec.parameters.size())},
      {"$covariate_specs", Covariates(spec)},
      {"$parameter_specs", Parameters(spec)},
      {"$covariates", Bindings(spec.covariates)},
      {"$parameters", Bindings(spec.parameters)},
      {"$expression", FormulaAsCpp(law.text, spec)},
      {"$sample_columns",
       absl::StrJoin(columns, ",\n                                                    ")},
      {"$sample_theta", List(sample.theta)},
      {"$sample_values", List(sample.values)}};
  // Longer names win over shorter ones that they begin with.
  std::vector<ProjectFile> files;
  for (const auto& [path, text] : {std::pair<std::string, const char*>{"CMakeLists.txt", kCMake},
                                   {names->file + ".h", kHeader},
                                   {names->file + ".cc", kSource},
                                   {"register.cc", kRegister},
                                   {names->file + "_test.cc", kTest},
                                   {"README.md", kReadme}}) {
    files.push_back({path, absl::StrReplaceAll(text, values)});
  }
  return files;
}

}  // namespace qatlas::forms
