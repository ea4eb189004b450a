// Composed laws on rows of full precision and quantized ones: fitted at once and in stages.
#include "framework/fit/stages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/framework/fit/simulate.h"

namespace qatlas::testing {
namespace {

using ::testing::HasSubstr;

const std::vector<double> kSizes = {3e7, 8e7, 2e8, 5e8, 1.3e9};
const std::vector<double> kTokens = {1e9, 4e9, 1.5e10, 6e10};

// The δ of scheme "lsq" is .7 of the published one, that of "int" 1.3.
double Share(absl::string_view scheme) { return scheme == "int" ? 1.3 : .7; }

// Every model and budget in full precision, without G, and under two schemes at three group sizes.
// Noise of the full-precision run (`shared`) goes into its quantized pairs too.
observe::Table RunsOfGroups(double shared, double own, uint64_t seed) {
  const auto base = Law("chinchilla"), delta = Law("qat-unified");
  const auto chinchilla = Preset(*base, "besiroglu-2024"), chen = Preset(*delta, "w4a4");
  fit::Random random(seed, 2);
  observe::Table table;
  for (double n : kSizes) {
    for (double d : kTokens) {
      const double full = ValueAt(*base, chinchilla, {n, d}) * std::exp(shared * random.Normal());
      EXPECT_TRUE(
          table.Append({{"N", n}, {"D", d}, {"scheme", std::string("fp")}, {"loss", full}}).ok());
      for (const char* scheme : {"lsq", "int"}) {
        for (double g : {32.0, 128.0, 512.0}) {
          const double error =
              Share(scheme) * ValueAt(*delta, chen, {n, d, g}) * std::exp(own * random.Normal());
          EXPECT_TRUE(table
                          .Append({{"N", n},
                                   {"D", d},
                                   {"G", g},
                                   {"scheme", std::string(scheme)},
                                   {"loss", full + error},
                                   {"delta", error}})
                          .ok());
        }
      }
    }
  }
  return table;
}

std::shared_ptr<const forms::Composed> Both() {
  auto form = forms::Compose(Law("chinchilla"), Law("qat-unified"));
  EXPECT_TRUE(form.ok()) << form.status();
  return *form;
}

std::map<std::string, double> Truth() {
  return {{"E", 1.8172},          {"A", 482.01},          {"alpha", .3478},  {"B", 2085.43},
          {"beta", .3658},        {"gammaN", .2186},      {"gammaD", .0745}, {"gammaG", .7779},
          {"k[lsq]", .7 * .1582}, {"k[int]", 1.3 * .1582}};
}

fit::ProblemOptions PerScheme() {
  fit::ProblemOptions options;
  options.loss = *fit::LossByName("log-least-squares");
  options.per["k"] = {"scheme"};
  return options;
}

fit::FitOptions Quick() {
  fit::FitOptions options;
  options.intervals = fit::Intervals::kCovariance;
  return options;
}

TEST(Joint, FindsOneFactorForEachSchemeAndOneExponentForAll) {
  const auto problem = fit::Problem::Create(Both(), "both", RunsOfGroups(0, 0, 1), PerScheme());
  ASSERT_TRUE(problem.ok()) << problem.status();
  const auto fit = fit::Fit(*problem, Quick());
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_EQ(fit->estimates.size(), Truth().size()) << "full precision takes no part in k";
  for (const auto& [name, value] : Truth()) {
    EXPECT_NEAR(Find(*fit, name).value, value, 2e-3 * value) << name;
  }
}

TEST(Joint, MildNoiseLeavesItWithinItsErrors) {
  const auto problem = fit::Problem::Create(Both(), "both", RunsOfGroups(0, .05, 3), PerScheme());
  ASSERT_TRUE(problem.ok()) << problem.status();
  const auto fit = fit::Fit(*problem, Quick());
  ASSERT_TRUE(fit.ok()) << fit.status();
  for (const auto& [name, value] : Truth()) {
    const fit::Estimate& estimate = Find(*fit, name);
    const double moved = estimate.log ? std::log(estimate.value / value) : estimate.value - value;
    EXPECT_LT(std::abs(moved), 4.5 * estimate.search_standard_error) << name;
  }
}

TEST(Joint, ParametersCanBeHeldAndTied) {
  fit::ProblemOptions options = PerScheme();
  options.fixed = {{"gammaG", .7779}, {"k[lsq]", .7 * .1582}};
  const auto problem = fit::Problem::Create(Both(), "both", RunsOfGroups(0, 0, 1), options);
  ASSERT_TRUE(problem.ok()) << problem.status();
  EXPECT_EQ(problem->coordinates(), 8);
  const auto fit = fit::Fit(*problem, Quick());
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_EQ(Find(*fit, "k[lsq]").value, .7 * .1582);
  EXPECT_NEAR(Find(*fit, "k[int]").value, 1.3 * .1582, 1e-3);
  // A tie across the two forms, and one factor tied to another.
  options = PerScheme();
  options.tied = {{"beta", "alpha"}, {"k[int]", "k[lsq]"}};
  const auto tied = fit::Problem::Create(Both(), "both", RunsOfGroups(0, 0, 1), options);
  ASSERT_TRUE(tied.ok()) << tied.status();
  EXPECT_EQ(tied->coordinates(), 8);
  const auto of_tied = fit::Fit(*tied, Quick());
  ASSERT_TRUE(of_tied.ok()) << of_tied.status();
  EXPECT_EQ(Find(*of_tied, "beta").value, Find(*of_tied, "alpha").value);
  EXPECT_EQ(Find(*of_tied, "k[int]").value, Find(*of_tied, "k[lsq]").value);
}

TEST(Joint, TiedParametersKeepTheNarrowerBounds) {
  fit::ProblemOptions options;
  options.tied = {{"gammaG", "gammaN"}};  // gammaG is not below 0
  const auto problem = Pose("qat-unified", QatRuns("w4a4", 0, 1), "least-squares", options);
  ASSERT_TRUE(problem.ok()) << problem.status();
  for (const fit::Parameter& parameter : problem->parameters()) {
    if (parameter.name == "gammaN") {
      EXPECT_EQ(problem->coordinate(parameter.coordinate).lower, 0);
    }
  }
}

TEST(Joint, PredictsFullPrecisionUnderAnyLabel) {
  const auto problem = fit::Problem::Create(
      Both(), "both", RunsOfGroups(0, 0, 1).Filter([](size_t row) { return row % 7 != 0; }),
      PerScheme());
  ASSERT_TRUE(problem.ok()) << problem.status();  // quantized rows alone
  const auto fit = fit::Fit(*problem, Quick());
  ASSERT_TRUE(fit.ok()) << fit.status();
  observe::Table table = fit::Grid({{"N", {1e8}}, {"D", {1e10}}}, {{"scheme", "fp"}});
  const auto full = fit::Predict(*fit, table);
  ASSERT_TRUE(full.ok()) << full.status();
  EXPECT_NEAR(
      full->value[0],
      ValueAt(*Law("chinchilla"), {std::begin(kBesiroglu), std::end(kBesiroglu)}, {1e8, 1e10}),
      1e-3);
  table = fit::Grid({{"N", {1e8}}, {"D", {1e10}}}, {{"scheme", "int"}});
  EXPECT_THAT(std::string(fit::Predict(*fit, table).status().message()), HasSubstr("G"));
  table = fit::Grid({{"N", {1e8}}, {"D", {1e10}}, {"G", {32}}}, {{"scheme", "other"}});
  EXPECT_THAT(std::string(fit::Predict(*fit, table).status().message()), HasSubstr("other"));
}

TEST(Joint, SaysWhenNoRowIsQuantized) {
  fit::ProblemOptions options = PerScheme();
  options.per.clear();
  const observe::Table full = RunsOfGroups(0, 0, 1).Filter([](size_t row) { return row % 7 == 0; });
  const auto problem = fit::Problem::Create(Both(), "both", full, options);
  ASSERT_TRUE(problem.ok()) << problem.status();
  EXPECT_EQ(problem->coordinates(), 5);
  const auto fit = fit::Fit(*problem, Quick());
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_THAT(fit->notes, ::testing::Contains(HasSubstr("k, gammaN, gammaD, gammaG are left out")));
  const observe::Table quantized =
      fit::Grid({{"N", {1e8}}, {"D", {1e10}}, {"G", {32}}}, {{"scheme", "int"}});
  EXPECT_THAT(std::string(fit::Predict(*fit, quantized).status().message()),
              HasSubstr("the row has quantized"));
}

fit::StageOptions Staged() {
  fit::StageOptions options;
  options.problem = PerScheme();
  options.delta_loss = options.problem.loss;
  options.fit = Quick();
  return options;
}

TEST(Stages, FindTheTruthAndCombineIt) {
  const auto fit = fit::FitInStages(Both(), "both", RunsOfGroups(0, 0, 1), Staged());
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_EQ(fit->base.problem->rows(), 20);
  EXPECT_EQ(fit->delta.problem->rows(), 120);
  EXPECT_EQ(fit->combined.problem->rows(), 140);
  for (const auto& [name, value] : Truth()) {
    EXPECT_NEAR(Find(fit->combined, name).value, value, 2e-3 * value) << name;
  }
  EXPECT_LT(fit->combined.rmse, 1e-6);
  EXPECT_EQ(fit->combined.coordinates.size(), 10u);
}

// Noise that a pair shares spoils a joint fit's δ, and leaves that of the stages alone.
TEST(Stages, PairsCancelWhatTheyShare) {
  const observe::Table table = RunsOfGroups(.01, .03, 5);
  const auto staged = fit::FitInStages(Both(), "both", table, Staged());
  ASSERT_TRUE(staged.ok()) << staged.status();
  const auto problem = fit::Problem::Create(Both(), "both", table, PerScheme());
  ASSERT_TRUE(problem.ok()) << problem.status();
  const auto joint = fit::Fit(*problem, Quick());
  ASSERT_TRUE(joint.ok()) << joint.status();
  for (const char* name : {"gammaN", "gammaD", "gammaG"}) {
    const fit::Estimate& estimate = Find(staged->combined, name);
    EXPECT_LT(std::abs(estimate.value - Truth().at(name)), 4 * estimate.search_standard_error);
    EXPECT_LT(estimate.search_standard_error, .3 * Find(*joint, name).search_standard_error);
  }
  // Its errors are those of the stages, and predictions carry both.
  EXPECT_EQ(Find(staged->combined, "alpha").standard_error,
            Find(staged->base, "alpha").standard_error);
  const observe::Table at =
      fit::Grid({{"N", {1e8}}, {"D", {1e10}}, {"G", {32}}}, {{"scheme", "int"}});
  const auto sum = fit::Predict(staged->combined, at);
  const auto base = fit::Predict(staged->base, at);
  const auto delta = fit::Predict(staged->delta, at);
  ASSERT_TRUE(sum.ok() && base.ok() && delta.ok()) << sum.status();
  EXPECT_NEAR(sum->value[0], base->value[0] + delta->value[0], 1e-12);
  EXPECT_NEAR(sum->standard_error[0], std::hypot(base->standard_error[0], delta->standard_error[0]),
              1e-12);
}

TEST(Stages, RefuseWhatTheyCannotFit) {
  const observe::Table table = RunsOfGroups(0, 0, 1);
  fit::StageOptions options = Staged();
  options.problem.tied = {{"gammaN", "alpha"}};
  auto fit = fit::FitInStages(Both(), "both", table, options);
  EXPECT_THAT(std::string(fit.status().message()), HasSubstr("fit both at once"));
  fit = fit::FitInStages(Both(), "both", table.Filter([](size_t row) { return row % 7 != 0; }),
                         Staged());
  EXPECT_THAT(std::string(fit.status().message()), HasSubstr("0 rows are of full precision"));
  options = Staged();
  options.problem.fixed = {{"gama", 1}};
  fit = fit::FitInStages(Both(), "both", table, options);
  EXPECT_THAT(std::string(fit.status().message()), HasSubstr("no parameter 'gama'"));
}

// Names that both forms have go to the stage that they belong to.
TEST(Stages, NamesReachTheirForm) {
  const auto form = forms::Compose(Law("chinchilla"), Law("undertrained"));
  ASSERT_TRUE(form.ok()) << form.status();
  observe::Table table = RunsOfGroups(0, 0, 1);
  std::vector<double> bits;
  for (size_t row = 0; row < table.rows(); ++row) {
    bits.push_back(row % 7 == 0 ? std::nan("") : 2.0 + static_cast<double>(row % 3));
  }
  ASSERT_TRUE(table.SetNumbers("weight_bits", bits).ok());
  fit::StageOptions options = Staged();
  options.problem.per.clear();
  options.problem.fixed = {{"delta_alpha", .2}};
  const auto fit = fit::FitInStages(*form, "both", table, options);
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_EQ(Find(fit->delta, "alpha").value, .2);
  EXPECT_EQ(Find(fit->combined, "delta_alpha").value, .2);
  EXPECT_NEAR(Find(fit->combined, "alpha").value, .3478, 1e-3);
}

}  // namespace
}  // namespace qatlas::testing
