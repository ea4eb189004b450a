// How many runs name the right law: designed runs against random ones of the same grid, counted by
// simulating runs from the published constants of qat-unified (W4A4), fitting the laws anew and
// ranking them. One iteration each; read the counters: `named` is the share of simulated sets in
// which the truth leads by 6 in AICc, `flops` the cost as a share of the whole grid's.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "framework/fit/stats.h"
#include "framework/plan/design.h"
#include "framework/plan/naming.h"
#include "framework/plan/sources.h"
#include "framework/plugin/catalog.h"
#include "framework/plugin/loader.h"

namespace qatlas::plan {
namespace {

constexpr double kEvidence = 6;
constexpr int kSets = 200;

struct Setting {
  std::vector<Law> own;  // the study's law of the loss, and of δ
  Law rival;
  std::vector<const Law*> laws;
  std::vector<Candidate> candidates;
  RunError error;
};

const Setting& Get(double error) {
  static std::map<double, std::unique_ptr<Setting>> settings;
  std::unique_ptr<Setting>& slot = settings[error];
  if (slot != nullptr) return *slot;
  slot = std::make_unique<Setting>();
  static const plugin::Catalog catalog = plugin::Catalog::Scan({QATLAS_BENCH_PLUGINS});
  const LawFactory make = [](const std::string& text) { return forms::LawFromText(text, catalog); };
  slot->own = *LawsFromPreset(catalog, make, "qat-unified:w4a4");
  slot->candidates = *CandidateGrid({{"N", {74.32e6, 144.70e6, 297.27e6, 594.54e6}},
                                     {"D", {10e9, 20e9, 50e9, 100e9}},
                                     {"G", {32, 64, 128, 256, 1024}}},
                                    {}, true);
  slot->rival = *LawNear(make("qat-no-data")->form, "qat-no-data", slot->own[0], slot->candidates);
  slot->laws = {&slot->own[0], &slot->rival};
  slot->error = {error, 0};
  return *slot;
}

double CostOf(const Setting& setting, const std::vector<size_t>& chosen) {
  double cost = 0;
  std::vector<std::string> there;
  for (size_t i : chosen) {
    const Candidate& c = setting.candidates[i];
    cost += c.cost;
    if (std::find(there.begin(), there.end(), c.baseline) != there.end()) continue;
    there.push_back(c.baseline);
    cost += c.baseline_cost;
  }
  return cost;
}

double Named(const Setting& setting, const std::vector<size_t>& chosen, int sets, uint64_t seed) {
  std::vector<Point> points;
  for (size_t i : chosen) points.push_back(setting.candidates[i].point);
  const auto naming = SimulateNaming(setting.laws, 0, points, setting.error, kEvidence, sets, seed);
  return naming.ok() ? naming->Right() : 0;
}

std::vector<size_t> All(const Setting& setting) {
  std::vector<size_t> all(setting.candidates.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  return all;
}

// Args: error in permille, number of runs (0: by budget), budget in permille of the grid's cost.
void Designed(benchmark::State& state) {
  const Setting& setting = Get(static_cast<double>(state.range(0)) / 1000);
  const double grid = CostOf(setting, All(setting));
  for (auto _ : state) {
    DesignOptions options;
    options.error = setting.error;
    options.runs = static_cast<int>(state.range(1));
    options.budget = grid * static_cast<double>(state.range(2)) / 1000;
    const auto design = Discriminate(setting.laws, setting.candidates, options);
    if (!design.ok()) {
      state.SkipWithError(std::string(design.status().message()).c_str());
      return;
    }
    std::vector<size_t> chosen;
    for (const Chosen& run : design->runs) chosen.push_back(run.candidate);
    state.counters["runs"] = static_cast<double>(chosen.size());
    state.counters["flops"] = CostOf(setting, chosen) / grid;
    state.counters["expected"] = design->named;
    state.counters["named"] = Named(setting, chosen, kSets, 3);
  }
}

// The same number of runs drawn at random from the grid: the mean over 40 draws.
void AtRandom(benchmark::State& state) {
  const Setting& setting = Get(static_cast<double>(state.range(0)) / 1000);
  const double grid = CostOf(setting, All(setting));
  for (auto _ : state) {
    double named = 0, cost = 0;
    constexpr int kDraws = 40;
    for (int draw = 0; draw < kDraws; ++draw) {
      fit::Random random(17, static_cast<uint64_t>(draw));
      std::vector<size_t> left = All(setting), chosen;
      while (static_cast<int64_t>(chosen.size()) < state.range(1)) {
        const size_t k = random.Below(left.size());
        chosen.push_back(left[k]);
        left.erase(left.begin() + static_cast<int64_t>(k));
      }
      named += Named(setting, chosen, kSets / kDraws, 100 + static_cast<uint64_t>(draw)) / kDraws;
      cost += CostOf(setting, chosen) / kDraws;
    }
    state.counters["runs"] = static_cast<double>(state.range(1));
    state.counters["flops"] = cost / grid;
    state.counters["named"] = named;
  }
}

void RunCounts(benchmark::internal::Benchmark* benchmark) {
  for (const int64_t error : {50, 100}) {
    for (const int64_t runs : {6, 8, 10, 12, 16, 20, 30, 40, 60, 80}) {
      benchmark->Args({error, runs, 0});
    }
  }
}
void Budgets(benchmark::internal::Benchmark* benchmark) {
  for (const int64_t error : {50, 100}) {
    for (const int64_t budget : {20, 50, 100, 200, 400}) benchmark->Args({error, 0, budget});
  }
}

BENCHMARK(Designed)->Apply(RunCounts)->Apply(Budgets)->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK(AtRandom)->Apply(RunCounts)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace qatlas::plan
