// The Chinchilla replication (Besiroglu et al. 2024): 240 runs simulated from the published
// constants, 4,500 starts each searched to its local optimum, 4,000 bootstrap refits from the best.
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "framework/fit/bootstrap.h"
#include "framework/fit/fit.h"
#include "framework/fit/stats.h"
#include "framework/plugin/catalog.h"
#include "framework/plugin/loader.h"

namespace qatlas {
namespace {

std::shared_ptr<const LawForm> Chinchilla() {
  const plugin::Catalog catalog = plugin::Catalog::Scan({QATLAS_BENCH_PLUGINS});
  auto form = plugin::Create<LawForm>(catalog, "chinchilla");
  if (!form.ok()) {
    std::fprintf(stderr, "%s\n", form.status().ToString().c_str());
    std::exit(1);
  }
  return *std::move(form);
}

// Sizes and budgets as in Hoffmann et al. 2022, noise of .3% of the loss.
fit::Problem Simulated(int count) {
  const auto form = Chinchilla();
  fit::Random random(7, 0);
  std::vector<double> n, d;
  while (static_cast<int>(n.size()) < count) {
    const double size = 44e6 * std::pow(16e9 / 44e6, random.Uniform());
    const double tokens = 1e18 * std::pow(3e3, random.Uniform()) / (6 * size);
    if (tokens < 1e8 || tokens > 6e11) continue;
    n.push_back(size);
    d.push_back(tokens);
  }
  const double truth[] = {1.8172, 482.01, .3478, 2085.43, .3658};
  std::vector<double> loss(count);
  form->Evaluate(LawPoints({n, d}).Batch(), truth, loss.data(), nullptr, 0);
  for (double& value : loss) value *= std::exp(.003 * random.Normal());
  observe::Table table;
  fit::ProblemOptions options;
  options.loss = fit::LossByName("log-huber").value();
  if (!table.SetNumbers("N", n).ok() || !table.SetNumbers("D", d).ok() ||
      !table.SetNumbers("loss", loss).ok()) {
    std::exit(1);
  }
  return fit::Problem::Create(form, "chinchilla", table, options).value();
}

void EveryStart(benchmark::State& state) {
  const fit::Problem problem = Simulated(240);
  fit::FitOptions options = fit::FitOptions::EveryStart();
  options.threads = static_cast<int>(state.range(0));
  for (auto _ : state) {
    const auto fit = fit::Fit(problem, options);
    state.counters["agreeing"] = fit->agreeing;
    state.counters["objective"] = fit->objective;
  }
}
BENCHMARK(EveryStart)
    ->Arg(1)
    ->Arg(2)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->MeasureProcessCPUTime();

void Bootstrap4000(benchmark::State& state) {
  const fit::Problem problem = Simulated(240);
  const auto fit = fit::Fit(problem);
  fit::BootstrapOptions options;
  options.replicates = 4000;
  options.threads = static_cast<int>(state.range(0));
  for (auto _ : state) {
    const auto result = fit::Bootstrap(*fit, options);
    benchmark::DoNotOptimize(result->coordinates.data());
  }
}
BENCHMARK(Bootstrap4000)
    ->Arg(1)
    ->Arg(2)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->MeasureProcessCPUTime();

// The whole of it on two threads.
void Replication(benchmark::State& state) {
  const fit::Problem problem = Simulated(240);
  fit::FitOptions options = fit::FitOptions::EveryStart();
  options.threads = 2;
  fit::BootstrapOptions resampling;
  resampling.replicates = 4000;
  resampling.threads = 2;
  for (auto _ : state) {
    const auto fit = fit::Fit(problem, options);
    const auto result = fit::Bootstrap(*fit, resampling);
    benchmark::DoNotOptimize(result->coordinates.data());
  }
}
BENCHMARK(Replication)->Unit(benchmark::kMillisecond)->UseRealTime()->MeasureProcessCPUTime();

// The default way: linear parameters in closed form, the best starts searched.
void DefaultFit(benchmark::State& state) {
  const fit::Problem problem = Simulated(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    const auto fit = fit::Fit(problem);
    state.counters["agreeing"] = fit->agreeing;
    state.counters["objective"] = fit->objective;
  }
}
BENCHMARK(DefaultFit)
    ->Arg(240)
    ->Arg(10000)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->MeasureProcessCPUTime();

}  // namespace
}  // namespace qatlas
