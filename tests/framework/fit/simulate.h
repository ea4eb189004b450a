// Runs simulated from published constants.
#ifndef QATLAS_TESTS_FRAMEWORK_FIT_SIMULATE_H_
#define QATLAS_TESTS_FRAMEWORK_FIT_SIMULATE_H_

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "framework/fit/fit.h"
#include "framework/fit/predict.h"
#include "framework/fit/stats.h"
#include "framework/observe/table.h"
#include "tests/plugins/laws/laws.h"

namespace qatlas::testing {

inline constexpr double kBesiroglu[] = {1.8172, 482.01, .3478, 2085.43, .3658};

// Replaces or adds `target`: the form's values times exp(noise · Gaussian).
inline void AddTarget(observe::Table* table, const LawForm& form, const std::vector<double>& theta,
                      const std::string& target, double noise, uint64_t seed) {
  auto values = fit::Evaluate(form, theta, *table);
  ASSERT_TRUE(values.ok()) << values.status();
  fit::Random random(seed, 1);
  for (double& value : *values) value *= std::exp(noise * random.Normal());
  ASSERT_TRUE(table->SetNumbers(target, *values).ok());
}

// Runs over the range of Hoffmann et al. 2022: 44M to 16B parameters, 1e18 to 3e21 FLOPs.
inline observe::Table ChinchillaRuns(int count, double noise, uint64_t seed) {
  fit::Random random(seed, 0);
  std::vector<double> n, d;
  while (static_cast<int>(n.size()) < count) {
    const double size = 44e6 * std::pow(16e9 / 44e6, random.Uniform());
    const double tokens = 1e18 * std::pow(3e3, random.Uniform()) / (6 * size);
    if (tokens < 1e8 || tokens > 6e11) continue;
    n.push_back(size);
    d.push_back(tokens);
  }
  observe::Table table;
  EXPECT_TRUE(table.SetNumbers("N", n).ok());
  EXPECT_TRUE(table.SetNumbers("D", d).ok());
  AddTarget(&table, *Law("chinchilla"), {std::begin(kBesiroglu), std::end(kBesiroglu)}, "loss",
            noise, seed);
  return table;
}

// The grid of Chen et al. 2025: 4 sizes, 4 budgets, 5 group sizes.
inline observe::Table QatRuns(const std::string& preset, double noise, uint64_t seed) {
  observe::Table table = fit::Grid({{"N", {74.32e6, 144.70e6, 297.27e6, 594.54e6}},
                                    {"D", {10e9, 20e9, 50e9, 100e9}},
                                    {"G", {32, 64, 128, 256, 1024}}});
  const auto form = Law("qat-unified");
  AddTarget(&table, *form, Preset(*form, preset), "delta", noise, seed);
  return table;
}

// Full-precision runs and their quantized pairs on the grid of Chen et al. 2025, three G: the loss of
// a pair shares a factor exp(noise · Gaussian), and δ has errors of its own.
inline observe::Table PairedRuns(double noise, double delta_noise, uint64_t seed) {
  observe::Table full = fit::Grid({{"N", {74.32e6, 144.70e6, 297.27e6, 594.54e6}},
                                   {"D", {10e9, 20e9, 50e9, 100e9}}});
  const auto chinchilla = Law("chinchilla");
  AddTarget(&full, *chinchilla, {std::begin(kBesiroglu), std::end(kBesiroglu)}, "loss", noise,
            seed);
  const auto unified = Law("qat-unified");
  observe::Table table;
  fit::Random random(seed, 2);
  for (size_t row = 0; row < full.rows(); ++row) {
    const double n = full.NumberAt(row, "N"), d = full.NumberAt(row, "D");
    const double loss = full.NumberAt(row, "loss");
    EXPECT_TRUE(
        table.Append({{"N", n}, {"D", d}, {"scheme", "fp"}, {"precision", "fp"}, {"loss", loss}})
            .ok());
    for (const double g : {32., 128., 1024.}) {
      observe::Table at = fit::Grid({{"N", {n}}, {"D", {d}}, {"G", {g}}});
      const double delta = fit::Evaluate(*unified, Preset(*unified, "w4a4"), at).value()[0] *
                           std::exp(delta_noise * random.Normal());
      EXPECT_TRUE(table
                      .Append({{"N", n},
                               {"D", d},
                               {"G", g},
                               {"scheme", "w4a4"},
                               {"precision", "W4A4"},
                               {"loss", loss + delta},
                               {"delta", delta}})
                      .ok());
    }
  }
  return table;
}

inline absl::StatusOr<fit::Problem> Pose(const std::string& law, const observe::Table& table,
                                         const std::string& loss,
                                         fit::ProblemOptions options = {}) {
  auto parsed = fit::LossByName(loss);
  if (!parsed.ok()) return parsed.status();
  options.loss = *parsed;
  return fit::Problem::Create(Law(law), law, table, options);
}

inline const fit::Estimate& Find(const fit::FitResult& fit, const std::string& name) {
  for (const fit::Estimate& estimate : fit.estimates) {
    if (estimate.name == name) return estimate;
  }
  ADD_FAILURE() << "no parameter " << name;
  return fit.estimates[0];
}

}  // namespace qatlas::testing

#endif  // QATLAS_TESTS_FRAMEWORK_FIT_SIMULATE_H_
