// A formula beside the plugin of the same law: values with derivatives, and a full fit. Each pair
// runs in one benchmark, round about, so that a busy machine slows both alike; `ratio` is the
// formula's time over the plugin's.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "framework/fit/fit.h"
#include "framework/fit/stats.h"
#include "framework/forms/formula.h"
#include "framework/plugin/catalog.h"
#include "framework/plugin/loader.h"

namespace qatlas {
namespace {

using Form = std::shared_ptr<const LawForm>;

template <typename T>
T Need(absl::StatusOr<T> value) {
  if (value.ok()) return *std::move(value);
  std::fprintf(stderr, "%s\n", value.status().ToString().c_str());
  std::exit(1);
}

struct Law {
  const char* plugin;
  const char* formula;
  std::vector<double> truth;  // in the plugin's order
};
const Law& LawAt(int64_t index) {
  static const Law laws[] = {
      {"chinchilla", "L = E + A/N^alpha + B/D^beta", {1.8172, 482.01, .3478, 2085.43, .3658}},
      {"qat-unified",
       "delta = k * D^gammaD * (log2 G)^gammaG / N^gammaN",
       {.1582, .2186, .0745, .7779}}};
  return laws[index];
}

Form Plugin(const Law& law) {
  const plugin::Catalog catalog = plugin::Catalog::Scan({QATLAS_BENCH_PLUGINS});
  return Need(plugin::Create<LawForm>(catalog, law.plugin));
}

std::vector<double> Theta(const Law& law, const LawSpec& theirs, const LawSpec& ours) {
  std::vector<double> theta(law.truth.size());
  for (size_t i = 0; i < theta.size(); ++i) {
    theta[ours.ParameterIndex(theirs.parameters[i].name)] = law.truth[i];
  }
  return theta;
}

std::vector<double> Column(const std::string& name, int64_t rows, fit::Random* random) {
  std::vector<double> column;
  for (int64_t i = 0; i < rows; ++i) {
    column.push_back(name == "G" ? 16 << (i % 5)
                                 : std::pow(10, (name == "N" ? 7.5 : 9) + 3 * random->Uniform()));
  }
  return column;
}

LawPoints Points(const LawSpec& spec, const std::vector<std::string>& names,
                 const std::vector<std::vector<double>>& columns) {
  std::vector<std::vector<double>> chosen;
  for (const LawCovariate& covariate : spec.covariates) {
    for (size_t i = 0; i < names.size(); ++i) {
      if (names[i] == covariate.name) chosen.push_back(columns[i]);
    }
  }
  return LawPoints(chosen);
}

double Seconds(const std::chrono::steady_clock::time_point& since) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

void Report(benchmark::State& state, const Law& law, double plugin, double formula) {
  state.SetLabel(law.plugin);
  state.counters["plugin_us"] = 1e6 * plugin / static_cast<double>(state.iterations());
  state.counters["formula_us"] = 1e6 * formula / static_cast<double>(state.iterations());
  state.counters["ratio"] = formula / plugin;
}

// Arguments: the law, points.
void Evaluation(benchmark::State& state, bool derivatives) {
  const Law& law = LawAt(state.range(0));
  const int64_t rows = state.range(1);
  const Form plugin = Plugin(law);
  const Form formula = Need(forms::MakeFormulaLaw(law.formula)).form;
  fit::Random random(3, 0);
  std::vector<std::string> names;
  std::vector<std::vector<double>> columns;
  for (const LawCovariate& covariate : plugin->Spec().covariates) {
    names.push_back(covariate.name);
    columns.push_back(Column(covariate.name, rows, &random));
  }
  const LawPoints theirs = Points(plugin->Spec(), names, columns);
  const LawPoints ours = Points(formula->Spec(), names, columns);
  const std::vector<double> theta = Theta(law, plugin->Spec(), formula->Spec());
  std::vector<double> values(rows), jacobian(rows * theta.size());
  double* j = derivatives ? jacobian.data() : nullptr;
  double plugin_time = 0;
  double formula_time = 0;
  constexpr int kRounds = 64;
  for (auto _ : state) {
    auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kRounds; ++i) {
      plugin->Evaluate(theirs.Batch(), law.truth.data(), values.data(), j, rows);
      benchmark::DoNotOptimize(values.data());
    }
    plugin_time += Seconds(begin) / kRounds;
    begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kRounds; ++i) {
      formula->Evaluate(ours.Batch(), theta.data(), values.data(), j, rows);
      benchmark::DoNotOptimize(values.data());
    }
    formula_time += Seconds(begin) / kRounds;
  }
  Report(state, law, plugin_time, formula_time);
}
void ValueAndJacobian(benchmark::State& state) { Evaluation(state, true); }
void Value(benchmark::State& state) { Evaluation(state, false); }
BENCHMARK(ValueAndJacobian)->ArgsProduct({{0, 1}, {80, 240, 10000}});
BENCHMARK(Value)->ArgsProduct({{0, 1}, {80, 240, 10000}});

// The default fit on 240 simulated runs, one thread.
void FullFit(benchmark::State& state) {
  const Law& law = LawAt(state.range(0));
  const Form plugin = Plugin(law);
  const Form formula = Need(forms::MakeFormulaLaw(law.formula)).form;
  fit::Random random(7, 0);
  observe::Table table;
  std::vector<std::vector<double>> columns;
  for (const LawCovariate& covariate : plugin->Spec().covariates) {
    columns.push_back(Column(covariate.name, 240, &random));
    if (!table.SetNumbers(covariate.name, columns.back()).ok()) std::exit(1);
  }
  std::vector<double> target(240);
  plugin->Evaluate(LawPoints(columns).Batch(), law.truth.data(), target.data(), nullptr, 0);
  for (double& y : target) y *= std::exp(.003 * random.Normal());
  if (!table.SetNumbers(plugin->Spec().target, target).ok()) std::exit(1);
  fit::ProblemOptions options;
  options.loss = fit::LossByName("log-huber").value();
  const fit::Problem theirs = Need(fit::Problem::Create(plugin, "plugin", table, options));
  const fit::Problem ours = Need(fit::Problem::Create(formula, "formula", table, options));
  fit::FitOptions fit_options;
  fit_options.threads = 1;
  double plugin_time = 0;
  double formula_time = 0;
  for (auto _ : state) {
    auto begin = std::chrono::steady_clock::now();
    const double their_objective = Need(fit::Fit(theirs, fit_options)).objective;
    plugin_time += Seconds(begin);
    begin = std::chrono::steady_clock::now();
    const double our_objective = Need(fit::Fit(ours, fit_options)).objective;
    formula_time += Seconds(begin);
    state.counters["objective_ratio"] = our_objective / their_objective;
  }
  Report(state, law, plugin_time, formula_time);
}
BENCHMARK(FullFit)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace qatlas
