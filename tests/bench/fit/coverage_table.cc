// The table of docs/benchmarks/coverage.md: how often 95% intervals of every kind contain the
// truth.
//
//   coverage_table [data sets, 2000] [of them with bootstraps, 250] [losses, comma between; all]
//
// Rows of Markdown; each cell the least and the greatest share over parameters, in percent.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <absl/strings/str_split.h>

#include "framework/fit/bootstrap.h"
#include "framework/fit/fit.h"
#include "framework/fit/parallel.h"
#include "framework/fit/predict.h"
#include "framework/plugin/catalog.h"
#include "framework/plugin/loader.h"
#include "tests/framework/fit/coverage.h"

namespace qatlas {
namespace {

constexpr const char* kKinds[] = {"profile",           "covariance",    "sandwich",
                                  "pairs, percentile", "pairs, basic",  "residuals, perc",
                                  "residuals, basic",  "curve far out", "curve, profile",
                                  "new run",           "identifiable"};
constexpr int kReplicates = 199;

struct Design {
  std::shared_ptr<const LawForm> form;
  observe::Table table;  // with noiseless targets
  std::vector<double> truth;
};

// The same designs as the tests': tests/framework/fit/simulate.h.
Design DesignOf(const plugin::Catalog& catalog, const testing::CoverageCase& of) {
  Design design;
  design.form = plugin::Create<LawForm>(catalog, of.law).value();
  bool set = true;
  if (of.law == "chinchilla") {
    design.truth = {1.8172, 482.01, .3478, 2085.43, .3658};
    fit::Random random(99, 0);
    std::vector<double> n, d;
    while (static_cast<int>(n.size()) < of.runs) {
      const double size = 44e6 * std::pow(16e9 / 44e6, random.Uniform());
      const double tokens = 1e18 * std::pow(3e3, random.Uniform()) / (6 * size);
      if (tokens < 1e8 || tokens > 6e11) continue;
      n.push_back(size);
      d.push_back(tokens);
    }
    set = design.table.SetNumbers("N", n).ok() && design.table.SetNumbers("D", d).ok();
  } else {
    design.truth = {.1582, .2186, .0745, .7779};
    design.table = fit::Grid({{"N", {74.32e6, 144.70e6, 297.27e6, 594.54e6}},
                              {"D", {10e9, 20e9, 50e9, 100e9}},
                              {"G", {32, 64, 128, 256, 1024}}});
  }
  auto values = fit::Evaluate(*design.form, design.truth, design.table);
  if (!set || !values.ok() ||
      !design.table.SetNumbers(design.form->Spec().target, *std::move(values)).ok()) {
    std::fprintf(stderr, "the design of %s cannot be built\n", of.Name().c_str());
    std::exit(1);
  }
  return design;
}

// Counts of one data set, by kind and parameter; a kind that was not tried is absent.
using Hits = std::map<std::string, std::vector<int>>;

void Bootstraps(const fit::FitResult& fit, int s, const std::vector<double>& truth, Hits* hits) {
  for (const auto& [resampling, name] : {std::pair{fit::Resampling::kPairs, "pairs, "},
                                         std::pair{fit::Resampling::kResiduals, "residuals, "}}) {
    fit::BootstrapOptions options;
    options.resampling = resampling;
    options.replicates = kReplicates;
    options.seed = s;
    options.threads = 1;
    const auto result = fit::Bootstrap(fit, options);
    if (!result.ok()) continue;
    const bool pairs = resampling == fit::Resampling::kPairs;
    for (size_t p = 0; p < truth.size(); ++p) {
      (*hits)[std::string(name) + (pairs ? "percentile" : "perc")].push_back(
          testing::Contains(result->parameters[p].percentile, truth[p]));
      (*hits)[std::string(name) + "basic"].push_back(
          testing::Contains(result->parameters[p].basic, truth[p]));
    }
  }
}

Hits Try(const testing::CoverageCase& of, const Design& design, const fit::Problem& problem, int s,
         bool bootstraps) {
  Hits hits;
  const fit::Problem drawn = problem.WithTarget(testing::Draw(of, problem.target(), s));
  fit::FitOptions options;
  options.threads = 1;
  const auto fit = fit::Fit(drawn, options);
  options.intervals = fit::Intervals::kCovariance;
  options.covariance = fit::Covariance::kSandwich;
  const auto sandwich = fit::Fit(drawn, options);
  if (!fit.ok() || !sandwich.ok()) return hits;
  for (size_t p = 0; p < design.truth.size(); ++p) {
    const double truth = design.truth[p];
    hits["profile"].push_back(testing::Contains(fit->estimates[p].interval, truth));
    hits["covariance"].push_back(testing::Contains(fit->estimates[p].covariance_interval, truth));
    hits["sandwich"].push_back(testing::Contains(sandwich->estimates[p].interval, truth));
  }
  hits["identifiable"].push_back(fit->identifiability.identifiable);
  const observe::Table far = testing::Extrapolated(of.law);
  const double value = fit::Evaluate(*design.form, design.truth, far)->front();
  fit::Random random(555, s);
  const double run = value * std::exp(of.noise * testing::Noise(of, &random));
  fit::PredictOptions by_profile;
  by_profile.profile = true;
  const auto prediction = fit::Predict(*fit, far);
  const auto profiled = fit::Predict(*fit, far, by_profile);
  if (prediction.ok() && profiled.ok() && !prediction->interval.empty()) {
    hits["curve far out"].push_back(testing::Contains(prediction->interval[0], value));
    hits["new run"].push_back(testing::Contains(prediction->new_run[0], run));
    hits["curve, profile"].push_back(testing::Contains(profiled->interval[0], value));
  }
  if (bootstraps) Bootstraps(*fit, s, design.truth, &hits);
  return hits;
}

void Row(const testing::CoverageCase& of, const Design& design, const std::string& loss,
         int data_sets, int with_bootstraps) {
  fit::ProblemOptions options;
  options.loss = fit::LossByName(loss).value();
  const fit::Problem problem =
      fit::Problem::Create(design.form, of.law, design.table, options).value();
  std::vector<Hits> all(data_sets);
  fit::ParallelFor(data_sets, 0, 8, [&] {
    return [&](int64_t begin, int64_t end) {
      for (int64_t s = begin; s < end; ++s) {
        all[s] = Try(of, design, problem, static_cast<int>(s), s < with_bootstraps);
      }
    };
  });
  std::printf("| %s | `%s` |", of.Name().c_str(), loss.c_str());
  for (const char* kind : kKinds) {
    std::vector<double> inside;
    double tried = 0;
    for (const Hits& hits : all) {
      const auto found = hits.find(kind);
      if (found == hits.end()) continue;
      inside.resize(found->second.size());
      tried += 1;
      for (size_t p = 0; p < inside.size(); ++p) inside[p] += found->second[p];
    }
    if (inside.empty()) {
      std::printf(" |");
      continue;
    }
    const auto [low, high] = std::minmax_element(inside.begin(), inside.end());
    if (inside.size() == 1) {
      std::printf(" %.1f |", 100 * *low / tried);
    } else {
      std::printf(" %.1f–%.1f |", 100 * *low / tried, 100 * *high / tried);
    }
  }
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace
}  // namespace qatlas

int main(int argc, char** argv) {
  using namespace qatlas;
  const int data_sets = argc > 1 ? std::atoi(argv[1]) : 2000;
  const int with_bootstraps = argc > 2 ? std::atoi(argv[2]) : 250;
  const std::string chosen = argc > 3 ? argv[3] : "log-student-t,log-least-squares,log-huber";
  const std::vector<std::string> losses = absl::StrSplit(chosen, ',');
  if (data_sets < 1) {
    std::fprintf(stderr, "usage: %s [data sets] [of them with bootstraps] [losses]\n", argv[0]);
    return 2;
  }
  for (const std::string& loss : losses) {
    if (auto known = fit::LossByName(loss); !known.ok()) {
      std::fprintf(stderr, "%s\n", known.status().ToString().c_str());
      return 2;
    }
  }
  const plugin::Catalog catalog = plugin::Catalog::Scan({QATLAS_BENCH_PLUGINS});
  std::printf("| case | loss |");
  for (const char* kind : kKinds) std::printf(" %s |", kind);
  std::printf("\n|---|---|");
  for (size_t i = 0; i < std::size(kKinds); ++i) std::printf("---|");
  std::printf("\n");
  for (const testing::CoverageCase& of : testing::CoverageCases()) {
    const Design design = DesignOf(catalog, of);
    for (const std::string& loss : losses) Row(of, design, loss, data_sets, with_bootstraps);
  }
  return 0;
}
