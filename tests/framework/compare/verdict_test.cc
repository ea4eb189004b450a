// How often the verdict names the right form, a wrong one, or none, under the rule and under others
// near it. docs/comparison.md has the figures; QATLAS_SIMULATIONS sets how many tables a case has,
// and QATLAS_SEED which ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <set>

#include "framework/compare/compare.h"
#include "framework/compare/verdict.h"
#include "tests/framework/fit/simulate.h"

namespace qatlas::testing {
namespace {

struct Case {
  const char* name;
  std::vector<std::string> forms;
  std::string truth;
  std::vector<double> theta;
  bool of_delta;  // else 60 runs over the range of Hoffmann et al.
  double noise;
  bool heavy;          // Student's t with 3 degrees of freedom in the place of Gaussian noise
  double least_right;  // share of simulations
};

int FromEnvironment(const char* name, int otherwise) {
  const char* wanted = std::getenv(name);
  return wanted == nullptr ? otherwise : std::atoi(wanted);
}

// The rule, and with one threshold of it moved.
const std::vector<std::pair<const char*, compare::VerdictRule>> kRules = {
    {"rule", {}},
    {"AICc 3", {3, 2, .01, .05}},
    {"AICc 4", {4, 2, .01, .05}},
    {"AICc 8", {8, 2, .01, .05}},
    {"AICc 12", {12, 2, .01, .05}},
    {"1 SE", {6, 1, .01, .05}},
    {"1.5 SE", {6, 1.5, .01, .05}},
    {"3 SE", {6, 3, .01, .05}},
    {"p .05", {6, 2, .05, .05}},
    {"p .002", {6, 2, .002, .05}},
};

// Targets of the truth times exp(noise · draw).
void Draw(const Case& c, uint64_t seed, observe::Table* table) {
  auto values = fit::Evaluate(*Law(c.truth), c.theta, *table);
  ASSERT_TRUE(values.ok()) << values.status();
  fit::Random random(seed, 2);
  for (double& value : *values) {
    double draw = random.Normal();
    if (c.heavy) {
      double squares = 0;
      for (int k = 0; k < 3; ++k) squares += std::pow(random.Normal(), 2);
      draw /= std::sqrt(squares / 3);
    }
    value *= std::exp(c.noise * draw);
  }
  ASSERT_TRUE(table->SetNumbers(c.of_delta ? "delta" : "loss", *values).ok());
}

class VerdictTest : public ::testing::TestWithParam<Case> {};

TEST_P(VerdictTest, IsSeldomWrong) {
  const Case& c = GetParam();
  std::vector<compare::Candidate> forms;
  for (const std::string& name : c.forms) {
    compare::Candidate candidate{name, Law(name), {}};
    candidate.problem.loss = fit::LossByName(fit::kDefaultLoss).value();
    forms.push_back(candidate);
  }
  compare::CompareOptions options;
  options.bootstrap = false;
  options.ranking_resamples = 0;
  std::vector<int> right(kRules.size()), wrong(kRules.size());
  int contender = 0;
  const int simulations = FromEnvironment("QATLAS_SIMULATIONS", 10);
  const int seed = FromEnvironment("QATLAS_SEED", 0);
  for (int s = 0; s < simulations; ++s) {
    observe::Table table =
        c.of_delta ? QatRuns("w4a4", 0, 1) : ChinchillaRuns(60, 0, seed + 100 + s);
    Draw(c, seed + 1000 + s, &table);
    auto result = compare::Compare(forms, table, options);
    ASSERT_TRUE(result.ok()) << result.status();
    const bool first = result->ranking[0].name == c.truth;
    if (result->verdict == compare::Verdict::kDecided && !first) {
      std::printf("%d: %s\n", s, result->sentence.c_str());
    }
    contender += std::count(result->contenders.begin(), result->contenders.end(), c.truth) > 0;
    for (size_t rule = 0; rule < kRules.size(); ++rule) {
      compare::Judge(&*result, kRules[rule].second);
      if (result->verdict == compare::Verdict::kDecided) ++(first ? right : wrong)[rule];
    }
  }
  std::printf("%s: of %d, right %d, wrong %d, truth among the contenders %d\n ", c.name,
              simulations, right[0], wrong[0], contender);
  for (size_t rule = 1; rule < kRules.size(); ++rule) {
    std::printf(" %s: %d/%d", kRules[rule].first, right[rule], wrong[rule]);
  }
  std::printf("\n");
  EXPECT_LE(wrong[0], .02 * simulations);
  EXPECT_GE(right[0], c.least_right * simulations);
  EXPECT_GE(contender, .9 * simulations);
}

const std::vector<std::string> kDeltaForms = {"qat-unified", "qat-no-data", "qat-size-only"};
const std::vector<std::string> kLossForms = {"chinchilla", "chinchilla-tied", "kaplan"};
const std::vector<double> kW4A4 = {.1582, .2186, .0745, .7779};
const std::vector<double> kW16A4 = {.1004, .1816, .0331, .9812};
const std::vector<double> kNoData = {.9, .25, .6};
const std::vector<double> kLoss = {1.8172, 482.01, .3478, 2085.43, .3658};
const std::vector<double> kTied = {1.9279, 237.7042, .3022, 596.2490};
const std::vector<double> kKaplan = {6.4e13, .076, 1.8e13, .103};

INSTANTIATE_TEST_SUITE_P(
    Truths, VerdictTest,
    ::testing::Values(
        Case{"unified, 5%", kDeltaForms, "qat-unified", kW4A4, true, .05, false, .8},
        Case{"unified, 5%, heavy", kDeltaForms, "qat-unified", kW4A4, true, .05, true, .8},
        Case{"unified, 20%", kDeltaForms, "qat-unified", kW4A4, true, .2, false, 0},
        Case{"unified, weak data, 5%", kDeltaForms, "qat-unified", kW16A4, true, .05, false, .3},
        Case{"no data, 5%", kDeltaForms, "qat-no-data", kNoData, true, .05, false, 0},
        Case{"no data, 20%, heavy", kDeltaForms, "qat-no-data", kNoData, true, .2, true, 0},
        Case{"chinchilla, .3%", kLossForms, "chinchilla", kLoss, false, .003, false, 0},
        Case{"tied, .3%, heavy", kLossForms, "chinchilla-tied", kTied, false, .003, true, 0},
        Case{"kaplan, .3%", kLossForms, "kaplan", kKaplan, false, .003, false, .5}),
    [](const auto& info) { return "Case" + std::to_string(info.index); });

}  // namespace
}  // namespace qatlas::testing
