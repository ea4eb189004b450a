// The data sets on which the coverage of intervals is counted, for tests and for the table of
// docs/laws.md.
#ifndef QATLAS_TESTS_FRAMEWORK_FIT_COVERAGE_H_
#define QATLAS_TESTS_FRAMEWORK_FIT_COVERAGE_H_

#include <cmath>
#include <ostream>
#include <string>
#include <vector>

#include "framework/fit/fit.h"
#include "framework/fit/stats.h"
#include "framework/observe/table.h"

namespace qatlas::testing {

struct CoverageCase {
  std::string law;
  int runs = 0;
  double noise = 0;    // standard deviation of ln(target)
  bool heavy = false;  // Student's t with 3 degrees of freedom, of the same standard deviation

  std::string Name() const {
    return law + ", " + std::to_string(runs) + " runs, " +
           std::to_string(noise * 100).substr(0, 4) + "%" + (heavy ? ", heavy tails" : "");
  }
};

// What GoogleTest names a case by.
inline void PrintTo(const CoverageCase& of, std::ostream* out) { *out << of.Name(); }

// Every case that the default intervals are held to.
inline std::vector<CoverageCase> CoverageCases() {
  std::vector<CoverageCase> cases;
  for (bool heavy : {false, true}) {
    for (int runs : {60, 240}) {
      for (double noise : {.003, .01}) cases.push_back({"chinchilla", runs, noise, heavy});
    }
    for (double noise : {.05, .2}) cases.push_back({"qat-unified", 80, noise, heavy});
  }
  return cases;
}

// One draw of the case's noise, standard deviation 1.
inline double Noise(const CoverageCase& of, fit::Random* random) {
  const double z = random->Normal();
  if (!of.heavy) return z;
  double chi = 0;
  for (int k = 0; k < 3; ++k) {
    const double x = random->Normal();
    chi += x * x;
  }
  return z / std::sqrt(chi / 3) / std::sqrt(3.0);
}

// Targets of data set number s; truth: the noiseless ones.
inline std::vector<double> Draw(const CoverageCase& of, absl::Span<const double> truth, int s) {
  fit::Random random(20260, s);
  std::vector<double> target(truth.begin(), truth.end());
  for (double& y : target) y *= std::exp(of.noise * Noise(of, &random));
  return target;
}

// Far outside the runs: Chinchilla itself (70e9 parameters, 1.4e12 tokens), and a 7e9-parameter
// model on 1e12 tokens.
inline observe::Table Extrapolated(const std::string& law) {
  observe::Table table;
  const bool loss = law == "chinchilla";
  table.SetNumbers("N", {loss ? 70e9 : 7e9}).IgnoreError();
  table.SetNumbers("D", {loss ? 1.4e12 : 1e12}).IgnoreError();
  if (!loss) table.SetNumbers("G", {128}).IgnoreError();
  return table;
}

inline bool Contains(const fit::Interval& interval, double value) {
  return interval.low <= value && value <= interval.high;
}

}  // namespace qatlas::testing

#endif  // QATLAS_TESTS_FRAMEWORK_FIT_COVERAGE_H_
