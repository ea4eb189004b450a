// The verdict on designs that determine the parameters, and on designs that do not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "framework/fit/profile.h"
#include "tests/framework/fit/simulate.h"

namespace qatlas::testing {
namespace {

using ::testing::HasSubstr;

constexpr int kDataSets = 100;
const std::vector<double> kTruth(std::begin(kBesiroglu), std::end(kBesiroglu));

observe::Table Runs(const std::vector<double>& n, const std::vector<double>& d) {
  observe::Table table;
  EXPECT_TRUE(table.SetNumbers("N", n).ok());
  EXPECT_TRUE(table.SetNumbers("D", d).ok());
  return table;
}

// Of kDataSets fits to simulated losses, how many are called not identifiable, and name a
// direction.
int NotIdentifiable(observe::Table table, const std::string& law, const std::vector<double>& truth,
                    double noise, int data_sets = kDataSets) {
  const auto form = Law(law);
  AddTarget(&table, *form, truth, form->Spec().target, 0, 1);
  const auto problem = Pose(law, table, fit::kDefaultLoss);
  EXPECT_TRUE(problem.ok()) << problem.status();
  if (!problem.ok()) return -1;
  int count = 0;
  fit::FitOptions options;
  options.threads = 1;
  for (int s = 0; s < data_sets; ++s) {
    fit::Random random(31, s);
    std::vector<double> target(problem->target().begin(), problem->target().end());
    for (double& y : target) y *= std::exp(noise * random.Normal());
    const auto fit = fit::Fit(problem->WithTarget(target), options);
    EXPECT_TRUE(fit.ok()) << fit.status();
    if (!fit.ok()) return -1;
    const fit::Identifiability& id = fit->identifiability;
    if (id.identifiable) continue;
    ++count;
    EXPECT_FALSE(id.reason.empty());
    EXPECT_FALSE(id.open_direction.empty()) << id.reason;
  }
  return count;
}

// Sizes and tokens per parameter crossed.
observe::Table Crossed(int sizes, int ratios) {
  std::vector<double> n, d;
  for (double size : fit::LogSpaced(44e6, 16e9, sizes)) {
    for (double ratio : fit::LogSpaced(2, 200, ratios)) {
      n.push_back(size);
      d.push_back(ratio * size);
    }
  }
  return Runs(n, d);
}

TEST(Identify, OrdinaryDesignsAre) {
  for (double noise : {.003, .01}) {
    EXPECT_LE(NotIdentifiable(Crossed(10, 6), "chinchilla", kTruth, noise), kDataSets / 100)
        << noise;
  }
  for (double noise : {.05, .2}) {
    EXPECT_LE(NotIdentifiable(QatRuns("w4a4", 0, 1), "qat-unified",
                              Preset(*Law("qat-unified"), "w4a4"), noise),
              kDataSets / 100)
        << noise;
  }
}

TEST(Identify, AFixedRatioOfTokensToParametersIsNot) {
  const std::vector<double> n = fit::LogSpaced(30e6, 16e9, 60);
  std::vector<double> d = n;
  for (double& x : d) x *= 100;
  for (double noise : {.003, .01}) {
    EXPECT_GE(NotIdentifiable(Runs(n, d), "chinchilla", kTruth, noise), .99 * kDataSets) << noise;
  }
  // Six sizes with five seeds each.
  std::vector<double> sizes, tokens;
  for (double size : {30.5e6, 49.6e6, 102.8e6, 203.2e6, 443.1e6, 822.2e6}) {
    for (int seed = 0; seed < 5; ++seed) {
      sizes.push_back(size);
      tokens.push_back(100 * size);
    }
  }
  EXPECT_GE(NotIdentifiable(Runs(sizes, tokens), "chinchilla", kTruth, .003), .99 * kDataSets);
}

TEST(Identify, ExchangeableTermsAreNot) {
  // Exponents far apart: each is well determined, but not which of them is the size's.
  const std::vector<double> n = fit::LogSpaced(1e6, 100e9, 60);
  std::vector<double> d = n;
  for (double& x : d) x *= 100;
  EXPECT_GE(NotIdentifiable(Runs(n, d), "chinchilla", {1.7, 20, .12, 1e8, .9}, .0003),
            .99 * kDataSets);
}

TEST(Identify, CollinearSizesAndTokensAreNot) {
  const std::vector<double> n = fit::LogSpaced(44e6, 16e9, 60);
  std::vector<double> d = n;
  for (double& x : d) x = 2e5 * std::sqrt(x * 20);
  EXPECT_GE(NotIdentifiable(Runs(n, d), "chinchilla", kTruth, .003), .99 * kDataSets);
  // Nearly so: tokens off the line by 3%.
  fit::Random random(5, 5);
  for (double& x : d) x *= std::exp(.03 * random.Normal());
  EXPECT_GE(NotIdentifiable(Runs(n, d), "chinchilla", kTruth, .01), .99 * kDataSets);
}

TEST(Identify, AConstantGroupSizeIsRefusedByName) {
  observe::Table table =
      fit::Grid({{"N", {74.32e6, 594.54e6, 1e9}}, {"D", {10e9, 100e9}}, {"G", {32}}});
  AddTarget(&table, *Law("qat-unified"), Preset(*Law("qat-unified"), "w4a4"), "delta", .05, 3);
  const auto problem = Pose("qat-unified", table, fit::kDefaultLoss);
  ASSERT_FALSE(problem.ok());
  EXPECT_THAT(std::string(problem.status().message()), HasSubstr("G is 32 in every row"));
}

TEST(Identify, SixBaselinesDoNotDetermineFiveParameters) {
  // The baselines of a published sweep: six runs, all at about 100 tokens a parameter.
  const std::vector<double> n = {30482560, 49556736, 102777856, 203188480, 443068288, 822151168};
  const std::vector<double> d = {2999975936,  4999872512,  9999745024,
                                 19999752192, 42999742464, 79999795200};
  observe::Table table = Runs(n, d);
  ASSERT_TRUE(
      table.SetNumbers("loss", {3.20714, 3.06776, 2.88596, 2.72879, 2.57078, 2.46098}).ok());
  const auto problem = Pose("chinchilla", table, fit::kDefaultLoss);
  ASSERT_TRUE(problem.ok()) << problem.status();
  const auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_FALSE(fit->identifiability.identifiable);
  EXPECT_FALSE(fit->identifiability.open_direction.empty());
  EXPECT_FALSE(fit->identifiability.reason.empty());
}

TEST(Identify, TheOpenDirectionNamesWhatIsExchanged) {
  const std::vector<double> n = fit::LogSpaced(30e6, 16e9, 60);
  std::vector<double> d = n;
  for (double& x : d) x *= 100;
  observe::Table table = Runs(n, d);
  AddTarget(&table, *Law("chinchilla"), kTruth, "loss", .003, 4);
  const auto problem = Pose("chinchilla", table, fit::kDefaultLoss);
  const auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok()) << fit.status();
  const fit::Identifiability& id = fit->identifiability;
  ASSERT_FALSE(id.identifiable);
  double length = 0;
  bool scales = false;
  for (const auto& [name, component] : id.open_direction) {
    length += component * component;
    scales = scales || name == "A" || name == "B";
  }
  EXPECT_NEAR(length, 1, .05);
  EXPECT_TRUE(scales) << "the factors of the two terms trade against each other";
}

}  // namespace
}  // namespace qatlas::testing
