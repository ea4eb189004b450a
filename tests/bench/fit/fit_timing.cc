// Fits a table once and prints as JSON what it took: wall time, processor time, peak memory and the
// best objective. tests/bench/fit/side_by_side.py holds it beside scipy.
// usage: fit_timing --points FILE [options]
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "framework/fit/bootstrap.h"
#include "framework/fit/fit.h"
#include "framework/fit/procedure.h"
#include "framework/observe/csv.h"
#include "framework/plugin/catalog.h"
#include "framework/plugin/loader.h"

namespace qatlas {
namespace {

template <typename T>
T Must(absl::StatusOr<T> result) {
  if (!result.ok()) {
    std::fprintf(stderr, "%s\n", std::string(result.status().message()).c_str());
    std::exit(1);
  }
  return *std::move(result);
}

// Wall and processor time of this process, in seconds.
struct Clock {
  double wall, processor;
  static Clock Now() {
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    };
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return {std::chrono::duration<double>(now).count(),
            seconds(usage.ru_utime) + seconds(usage.ru_stime)};
  }
};

// Of this program alone: rusage counts what the process was before it, too.
double PeakMib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::atof(line.c_str() + 6) / 1024;
  }
  return 0;
}

int Main(int argc, char** argv) {
  std::string points, law = "chinchilla", loss;
  std::string procedure = "default", search = "own";
  int bootstrap = 0, threads = 2;
  int64_t starts = 200000;
  CLI::App app("Times one fit and its bootstrap.");
  app.add_option("--points", points, "CSV file with the form's columns")->required();
  app.add_option("--law", law, "law form");
  app.add_option("--procedure", procedure, "named procedure");
  app.add_option("--loss", loss, "in place of the procedure's loss");
  app.add_option("--search", search, "own, lbfgs, slsqp, mlsl, crs2 or isres");
  app.add_option("--starts", starts, "at most so many, spread over the grid");
  app.add_option("--bootstrap", bootstrap, "refits from the best");
  app.add_option("--threads", threads, "threads");
  CLI11_PARSE(app, argc, argv);

  const plugin::Catalog catalog = plugin::Catalog::Scan({QATLAS_BENCH_PLUGINS});
  const std::shared_ptr<const LawForm> form = Must(plugin::Create<LawForm>(catalog, law));
  const observe::Table table = Must(observe::ReadTable(points, false));
  fit::ProblemOptions posed;
  const fit::Procedure chosen = Must(fit::ProcedureByName(procedure));
  posed.loss = loss.empty() ? chosen.loss : Must(fit::LossByName(loss));
  const fit::Problem problem = Must(fit::Problem::Create(form, law, table, posed));

  fit::FitOptions options = chosen.options;
  if (!fit::SetSearch(search, &options).ok()) return 1;
  options.threads = threads;
  options.max_starts = starts;
  const Clock before = Clock::Now();
  const fit::FitResult fit = Must(fit::Fit(problem, options));
  const Clock after = Clock::Now();
  nlohmann::json result = {{"rows", problem.rows()},
                           {"starts", fit.starts},
                           {"searched", fit.searched},
                           {"agreeing", fit.agreeing},
                           {"optima", fit.optima},
                           {"objective", fit.objective},
                           {"seconds", after.wall - before.wall},
                           {"processor_seconds", after.processor - before.processor}};
  for (const fit::Estimate& e : fit.estimates) result["values"][e.name] = e.value;
  if (bootstrap > 0) {
    fit::BootstrapOptions resampling;
    resampling.replicates = bootstrap;
    resampling.threads = threads;
    const Clock start = Clock::Now();
    Must(fit::Bootstrap(fit, resampling));
    const Clock end = Clock::Now();
    result["bootstrap_seconds"] = end.wall - start.wall;
    result["bootstrap_processor_seconds"] = end.processor - start.processor;
  }
  result["peak_mib"] = PeakMib();
  std::printf("%s\n", result.dump(1).c_str());
  return 0;
}

}  // namespace
}  // namespace qatlas

int main(int argc, char** argv) { return qatlas::Main(argc, argv); }
