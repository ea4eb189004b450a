// qatlas simulate: a table of runs as a law makes them, to try fits and laws of one's own on.
#include <cmath>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/cli/lab_laws.h"
#include "framework/cli/lab_options.h"
#include "framework/cli/plan_inputs.h"
#include "framework/cli/session.h"
#include "framework/fit/problem.h"
#include "framework/fit/stats.h"
#include "framework/observe/csv.h"
#include "qatlas/law.h"

namespace qatlas::cli {
namespace {

struct SimulateArguments {
  std::vector<std::string> items;
  std::string law, preset, target = kTargetDelta, output;
  ParameterItems parameters;
  double error = .05;
  uint64_t seed = 1;
};

// The points as rows, in the order of the command line's product.
absl::StatusOr<observe::Table> TableOf(const PlanAxes& axes) {
  observe::Table table;
  for (const plan::Point& point : axes.Points()) {
    observe::Table::Row row;
    for (const auto& [name, value] : point.numbers) row.emplace_back(name, value);
    for (const auto& [name, text] : point.texts) row.emplace_back(name, text);
    if (absl::Status status = table.Append(row); !status.ok()) return status;
  }
  return table;
}

// A value for each parameter: what --fix says, else the preset's.
absl::StatusOr<std::vector<double>> ValuesOf(const forms::MadeLaw& law, const std::string& preset) {
  const LawSpec& spec = law.form->Spec();
  const LawPreset* published = preset.empty() ? nullptr : spec.FindPreset(preset);
  if (!preset.empty() && published == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(law.name, " has no preset '", preset, "'"));
  }
  std::vector<double> values;
  std::vector<std::string> open;
  for (const LawParameter& parameter : spec.parameters) {
    const auto fixed = law.fixed.find(parameter.name);
    const auto per = law.per.find(parameter.name);
    if (!(per == law.per.end() ? parameter.per : per->second).empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(parameter.name, " has a value for each category; give it one with --per ",
                       parameter.name, "= and simulate category by category"));
    }
    double value = std::nan("");
    if (published != nullptr) value = published->Value(parameter.name);
    if (fixed != law.fixed.end()) value = fixed->second;
    if (std::isnan(value)) open.push_back(absl::StrCat("--fix ", parameter.name, "=..."));
    values.push_back(value);
  }
  if (open.empty()) return values;
  return absl::InvalidArgumentError(
      absl::StrCat("parameters without a value; add ", absl::StrJoin(open, " ")));
}

absl::StatusOr<int> Run(Session& session, const SimulateArguments& a) {
  LabSettings settings;
  settings.laws = {a.law};
  settings.target = a.target;
  if (absl::Status status = ReadParameterItems(a.parameters, &settings); !status.ok()) {
    return status;
  }
  auto axes = ReadAxes(a.items);
  if (!axes.ok()) return axes.status();
  auto table = TableOf(*axes);
  if (!table.ok()) return table.status();
  auto laws = MakeLaws(session, settings, *table);
  if (!laws.ok()) return laws.status();
  const forms::MadeLaw& law = laws->front().law;
  auto values = ValuesOf(law, a.preset);
  if (!values.ok()) return values.status();
  auto columns = fit::ReadCovariates(*law.form, {}, *table);
  if (!columns.ok()) return columns.status();
  const LawPoints points(*std::move(columns));
  std::vector<double> target(table->rows());
  law.form->Evaluate(points.Batch(), values->data(), target.data(), nullptr, 0);
  fit::Random random(a.seed, /*stream=*/0);
  for (size_t row = 0; row < target.size(); ++row) {
    target[row] *= std::exp(a.error * random.Normal());
    if (!std::isfinite(target[row])) {
      return absl::InvalidArgumentError(
          absl::StrCat(table->Where(row), ": the law is not finite there"));
    }
  }
  const std::string name = law.form->Spec().target;
  if (absl::Status status = table->SetNumbers(name, std::move(target)); !status.ok()) {
    return status;
  }
  if (absl::Status status = observe::WriteCsv(a.output, *table); !status.ok()) return status;
  if (session.json) {
    return Session::Answer({{"rows", table->rows()}, {"target", name}, {"file", a.output}});
  }
  std::printf("%s: %zu rows of %s\n", a.output.c_str(), table->rows(), name.c_str());
  return kDone;
}

}  // namespace

void AddSimulateVerb(CLI::App& app, Session& session) {
  static SimulateArguments arguments;
  CLI::App* verb = app.add_subcommand(
      "simulate", "Write a table of runs as a law makes them, to try fits and laws on");
  verb->add_option("POINT", arguments.items,
                   "Values of the law's covariates; every combination is a row: N=30M,100M "
                   "D=1B,10B G=32,128 weight_bits=4. One that is left out is missing in every row")
      ->type_name("NAME=VALUES")
      ->required();
  verb->add_option("--law", arguments.law, "The law (a name, sum or formula, as for `qatlas fit`)")
      ->type_name("LAW")
      ->required();
  verb->add_option("--preset", arguments.preset,
                   "Published constants of the law, for what --fix leaves open")
      ->type_name("NAME");
  AddParameterOptions(verb, arguments.parameters);
  verb->add_option("--target", arguments.target,
                   "What a formula without a left side predicts: delta, loss")
      ->capture_default_str();
  verb->add_option("--error", arguments.error,
                   "Standard deviation of the target's logarithm from run to run")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  verb->add_option("--seed", arguments.seed, "Of the noise")->capture_default_str();
  verb->add_option("--output,-o", arguments.output, "The table, CSV")
      ->type_name("FILE")
      ->required();
  verb->callback([&session] {
    session.verb = [&session] {
      auto code = Run(session, arguments);
      return code.ok() ? *code
                       : static_cast<int>(session.Fail(CodeOfTable(code.status()), code.status()));
    };
  });
}

}  // namespace qatlas::cli
