// Every form finds its own parameters again: exactly where there is no noise, within its standard
// errors where there is little.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "framework/fit/fit.h"
#include "framework/fit/predict.h"
#include "framework/fit/stats.h"
#include "tests/plugins/laws/laws.h"

namespace qatlas::testing {
namespace {

using Truth = std::map<std::string, double>;

struct Case {
  std::string form;
  observe::Table table;
  Truth truth;  // by name, "eff[W4A4]" where there are categories
  fit::ProblemOptions options;
  double noise = 1e-3;  // of the target, relative
};

const std::vector<double> kSizes = {3e7, 8e7, 2e8, 5e8, 1.3e9, 3e9};
const std::vector<double> kTokens = {1e9, 3e9, 1e10, 3e10, 1e11};

// The same rows for every label; those of "fp" too.
observe::Table Labelled(const observe::Table& table, const std::vector<std::string>& labels) {
  observe::Table all;
  for (const std::string& label : labels) {
    observe::Table part = table;
    EXPECT_TRUE(part.SetTexts("precision", std::vector<std::string>(part.rows(), label)).ok());
    EXPECT_TRUE(all.AppendTable(part).ok());
  }
  return all;
}

Truth OfPreset(const std::string& form, const std::string& preset) {
  Truth truth;
  const auto law = Law(form);
  for (const auto& [name, value] : law->Spec().FindPreset(preset)->values) truth[name] = value;
  return truth;
}

std::vector<Case> Cases() {
  const double missing = std::nan("");
  const observe::Table plane = fit::Grid({{"N", kSizes}, {"D", kTokens}});
  std::vector<Case> cases;
  cases.push_back({"chinchilla", plane, OfPreset("chinchilla", "besiroglu-2024"), {}});
  cases.push_back({"chinchilla-tied", plane, OfPreset("chinchilla-tied", "chen-2025"), {}});
  cases.push_back({"kaplan", plane, OfPreset("kaplan", "kaplan-2020"), {}});
  const observe::Table groups =
      fit::Grid({{"N", kSizes}, {"D", kTokens}, {"G", {32, 64, 256, 1024}}});
  for (const char* preset : {"w4a4", "w4a16", "w16a4", "w4a4-fc2-8bit", "w16a4-fc2-8bit"}) {
    cases.push_back({"qat-unified", groups, OfPreset("qat-unified", preset), {}, .02});
  }
  cases.push_back({"qat-no-data",
                   fit::Grid({{"N", kSizes}, {"G", {32, 64, 256, 1024}}}),
                   {{"k", .8}, {"gammaN", .22}, {"gammaG", .78}},
                   {},
                   .02});
  cases.push_back({"qat-size-only",
                   fit::Grid({{"N", kSizes}, {"D", {1e10, 1e11}}, {"G", {32, 256}}}),
                   {{"k[10000000000, 32]", 1.1},
                    {"k[10000000000, 256]", 1.9},
                    {"k[100000000000, 32]", 2.2},
                    {"k[100000000000, 256]", 3.1},
                    {"gammaN[10000000000, 32]", .2},
                    {"gammaN[10000000000, 256]", .21},
                    {"gammaN[100000000000, 32]", .22},
                    {"gammaN[100000000000, 256]", .24}},
                   {},
                   .02});
  Case effective = {"effective-parameter",
                    Labelled(plane, {"fp", "W4A4", "W2A16"}),
                    OfPreset("chinchilla", "besiroglu-2024"),
                    {}};
  effective.truth["eff[W4A4]"] = .7;
  effective.truth["eff[W2A16]"] = .35;
  cases.push_back(effective);
  Case difference = {"effective-parameter-delta",
                     Labelled(plane, {"W4A4", "W2A16"}),
                     {{"A", 482}, {"alpha", .3478}, {"eff[W4A4]", .7}, {"eff[W2A16]", .35}},
                     {}};
  difference.options.fixed = {{"A", 482}, {"alpha", .3478}};
  cases.push_back(difference);
  Case quartet = {
      "quartet", Labelled(plane, {"", "a", "b"}), OfPreset("quartet", "full-precision"), {}, 1e-4};
  quartet.truth["eff_N[a]"] = .42;
  quartet.truth["eff_D[a]"] = .88;
  quartet.truth["eff_N[b]"] = .64;
  quartet.truth["eff_D[b]"] = .83;
  cases.push_back(quartet);
  const observe::Table trained = fit::Grid({{"N", {3e7, 2e8, 1.3e9}},
                                            {"D", {1e9, 1e10, 1e11}},
                                            {"weight_bits", {missing, 2, 4, 8}},
                                            {"input_bits", {missing, 3, 4, 8}},
                                            {"kv_bits", {missing, 1, 3}}});
  cases.push_back({"precision", trained, OfPreset("precision", "kumar-2024"), {}, 1e-3});
  const observe::Table after =
      fit::Grid({{"N", kSizes}, {"D", kTokens}, {"weight_bits", {3, 4, 5, 6}}});
  cases.push_back({"precision-ptq", after, OfPreset("precision-ptq", "kumar-2024"), {}, .05});
  cases.push_back({"undertrained", after, OfPreset("undertrained", "ouyang-2024"), {}, .05});
  observe::Table floats;
  for (const auto& [exponent, mantissa] :
       {std::pair{missing, missing}, {2.0, 1.0}, {1.0, 2.0}, {3.0, 0.0}, {4.0, 3.0}, {2.0, 3.0}}) {
    EXPECT_TRUE(floats
                    .AppendTable(fit::Grid({{"N", {3e7, 2e8, 1.3e9}},
                                            {"D", {1e9, 1e10, 1e11}},
                                            {"G", {32, 128, 1024}},
                                            {"exponent_bits", {exponent}},
                                            {"mantissa_bits", {mantissa}}}))
                    .ok());
  }
  cases.push_back({"floating-point", floats, OfPreset("floating-point", "sun-2025"), {}, 1e-3});
  cases.push_back({"representation",
                   fit::Grid({{"N", kSizes},
                              {"D", {1e9, 1e10, 1e11}},
                              {"weight_gmse", {missing, .35, .1, .01, 5e-4}},
                              {"input_gmse", {missing, .1, .01}}}),
                   {{"A", 482},
                    {"alpha", .35},
                    {"B", 2085},
                    {"beta", .37},
                    {"E", 1.82},
                    {"L", .97},
                    {"F", .45},
                    {"C", 1.2}},
                   {},
                   1e-3});
  cases.push_back(
      {"mixed-ptq",
       fit::Grid(
           {{"N", kSizes}, {"quantized_ratio", {.2, .5, .8, 1}}, {"G", {2, 8, 32, 128, 512}}}),
       {{"C", .5}, {"A", 2.5}, {"gammaN", .4}, {"d", 20}, {"gammaC", .3}},
       {},
       .02});
  observe::Table phases = fit::Grid({{"N", {3e7, 1e8, 4e8, 1.5e9}},
                                     {"D", {1e9, 8e9, 6e10}},
                                     {"qat_fraction", {.02, .1, .3, .6, .95}},
                                     {"weight_bits", {1, 2, 4, 6}}});
  EXPECT_TRUE(phases.AppendTable(plane).ok());  // of full precision
  cases.push_back({"two-phase",
                   phases,
                   {{"alpha", 1.8},
                    {"beta", 900},
                    {"gamma", .35},
                    {"zeta", 300},
                    {"eta", .34},
                    {"theta", .4},
                    {"kappa", 1.1},
                    {"phi", 40},
                    {"chi", .6},
                    {"psi", .2},
                    {"omega", .35},
                    {"lambda", 15},
                    {"mu", .5},
                    {"nu", .15},
                    {"xi", .5},
                    {"rho", .12}},
                   {},
                   1e-5});
  cases.push_back({"optimal-fraction",
                   fit::Grid({{"N", kSizes}, {"D", {1e10, 1e11}}, {"weight_bits", {2, 4}}}),
                   OfPreset("optimal-fraction", "dremov-2025"),
                   {},
                   .05});
  cases.push_back({"fixed-fraction", plane, OfPreset("fixed-fraction", "ten-percent"), {}, .05});
  return cases;
}

class Recovery : public ::testing::TestWithParam<int> {
 protected:
  // The case's problem with targets of the truth, times 1 + noise · Gaussian.
  static fit::Problem Simulate(const Case& c, double noise) {
    const auto form = Law(c.form);
    observe::Table table = c.table;
    EXPECT_TRUE(table.SetNumbers(form->Spec().target, std::vector<double>(table.rows(), 1.0)).ok());
    // Noise is a share of the target.
    fit::ProblemOptions options = c.options;
    options.loss = *fit::LossByName("log-least-squares");
    auto problem = fit::Problem::Create(form, c.form, table, options);
    EXPECT_TRUE(problem.ok()) << problem.status();
    std::vector<double> values;
    for (const fit::Parameter& parameter : problem->parameters()) {
      const auto known = c.truth.find(parameter.name);
      EXPECT_TRUE(known != c.truth.end() || parameter.coordinate < 0) << parameter.name;
      values.push_back(known != c.truth.end() ? known->second : parameter.value);
    }
    std::vector<double> target(problem->rows()), scratch;
    problem->Evaluate(values, target.data(), nullptr, problem->rows(), &scratch);
    fit::Random random(7, 3);
    for (double& y : target) y *= 1 + noise * random.Normal();
    return problem->WithTarget(target);
  }
  static fit::FitOptions Quick() {
    fit::FitOptions options;
    options.intervals = fit::Intervals::kCovariance;
    return options;
  }
};

TEST_P(Recovery, IsExactWithoutNoise) {
  const Case c = Cases()[GetParam()];
  const auto fit = fit::Fit(Simulate(c, 0), Quick());
  ASSERT_TRUE(fit.ok()) << fit.status();
  for (const fit::Estimate& estimate : fit->estimates) {
    if (estimate.fixed) continue;
    const double truth = c.truth.at(estimate.name);
    EXPECT_NEAR(estimate.value, truth, 2e-3 * std::abs(truth)) << estimate.name;
  }
  for (int64_t i = 0; i < fit->problem->rows(); ++i) {
    const double y = fit->problem->target()[i];
    EXPECT_NEAR(fit->prediction[i], y, 1e-6 * std::abs(y));
  }
}

TEST_P(Recovery, StaysWithinItsStandardErrors) {
  const Case c = Cases()[GetParam()];
  const auto fit = fit::Fit(Simulate(c, c.noise), Quick());
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_TRUE(fit->identifiability.identifiable) << fit->identifiability.reason;
  for (const fit::Estimate& estimate : fit->estimates) {
    if (estimate.fixed) continue;
    const double truth = c.truth.at(estimate.name);
    const double moved = estimate.log ? std::log(estimate.value / truth) : estimate.value - truth;
    EXPECT_LT(std::abs(moved), 4 * estimate.search_standard_error) << estimate.name;
    EXPECT_LT(estimate.search_standard_error, 1) << estimate.name;
  }
}

std::string CaseName(const ::testing::TestParamInfo<int>& info) {
  std::string name = Cases()[info.param].form + "_" + std::to_string(info.param);
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
}

INSTANTIATE_TEST_SUITE_P(Laws, Recovery, ::testing::Range(0, static_cast<int>(Cases().size())),
                         CaseName);

}  // namespace
}  // namespace qatlas::testing
