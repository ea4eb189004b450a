// A table of 10^4 to 10^6 runs: reading its CSV, pairing it, and profiling it.
#include <benchmark/benchmark.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "framework/observe/load.h"
#include "framework/observe/profile.h"

namespace qatlas::observe {
namespace {

// Twelve columns, half of the rows full precision; the loss wanders by .3% without a random number.
std::string WriteStudy(int64_t rows) {
  const std::string path =
      (std::filesystem::temp_directory_path() /
       ("qatlas-bench-" + std::to_string(getpid()) + "-" + std::to_string(rows) + ".csv"))
          .string();
  std::ofstream out(path);
  out << "run,model,N,D,scheme,part,weight_bits,input_bits,G,seed,loss,loss_se\n";
  char line[256];
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t pair = i / 2;
    const double n = 1e6 * std::pow(1.7, static_cast<double>(pair % 20));
    const double d = 1e9 * std::pow(1.9, static_cast<double>(pair / 20 % 12));
    const double wild = std::sin(12.9898 * static_cast<double>(i + 1)) * 43758.5453;
    const double loss = (1.8 + 480 * std::pow(n, -.35) + 2000 * std::pow(d, -.37)) *
                        (1 + .01 * (wild - std::floor(wild) - .5));
    const bool full = i % 2 == 0;
    std::snprintf(line, sizeof(line), "r%lld,m%lld,%.0f,%.0f,%s,%s,%s,%s,%s,%lld,%.17g,.001\n",
                  static_cast<long long>(i), static_cast<long long>(pair % 20), n, d,
                  full ? "fp" : "w4a4", full ? "none" : "both", full ? "" : "4", full ? "" : "4",
                  full ? "" : "128", static_cast<long long>(pair / 240), loss + (full ? 0 : .05));
    out << line;
  }
  return path;
}

LoadSpec Spec(const std::string& path) {
  LoadSpec spec;
  spec.files = {path};
  return spec;
}

double PeakMebibytes() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void LoadAndPair(benchmark::State& state) {
  const std::string path = WriteStudy(state.range(0));
  for (auto _ : state) {
    auto loaded = Load(Spec(path));
    if (!loaded.ok() || loaded->unpaired.size() != 0) std::abort();
    benchmark::DoNotOptimize(loaded->table.rows());
  }
  state.counters["MiB_of_file"] =
      static_cast<double>(std::filesystem::file_size(path)) / (1024 * 1024);
  state.counters["peak_MiB"] = PeakMebibytes();
  std::filesystem::remove(path);
}

void ProfileAll(benchmark::State& state) {
  const std::string path = WriteStudy(state.range(0));
  const auto loaded = Load(Spec(path));
  if (!loaded.ok()) std::abort();
  for (auto _ : state) {
    const Profile profile = ProfileTable(*loaded);
    benchmark::DoNotOptimize(profile.findings.size());
  }
  state.counters["peak_MiB"] = PeakMebibytes();
  std::filesystem::remove(path);
}

BENCHMARK(LoadAndPair)->Arg(10000)->Arg(100000)->Arg(1000000)->Unit(benchmark::kMillisecond);
BENCHMARK(ProfileAll)->Arg(10000)->Arg(100000)->Arg(1000000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace qatlas::observe
