// What fits minimize: Student's t and its scale, beside squares and Huber.
#include "framework/fit/loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "framework/fit/local.h"
#include "tests/framework/fit/simulate.h"

namespace qatlas::testing {
namespace {

using ::testing::HasSubstr;

std::vector<double> HeavyTailed(int count, double nu, double scale, uint64_t seed) {
  fit::Random random(seed, 3);
  std::vector<double> residuals;
  for (int i = 0; i < count; ++i) {
    double square = 0;
    for (int k = 0; k < static_cast<int>(nu); ++k) square += std::pow(random.Normal(), 2);
    residuals.push_back(scale * random.Normal() / std::sqrt(square / nu));
  }
  return residuals;
}

TEST(StudentScale, SolvesTheLikelihoodEquation) {
  for (double nu : {1.0, 2.5, 4.0, 30.0}) {
    for (double unit : {1e-9, 1.0, 1e6}) {
      std::vector<double> r = HeavyTailed(203, 3, unit, 5);
      r[7] = 1e5 * unit;
      r[11] = 0;
      std::vector<double> w(r.size(), 1.0);
      w[3] = 0;
      w[4] = 2.5;
      const double s = fit::StudentScale(r, w, nu);
      double left = 0, right = 0;
      for (size_t i = 0; i < r.size(); ++i) {
        left += w[i] * (nu + 1) * r[i] * r[i] / (nu * s * s + r[i] * r[i]);
        right += w[i];
      }
      EXPECT_NEAR(left / right, 1, 1e-11) << nu << " " << unit;
    }
  }
  // The truth is found from many.
  EXPECT_NEAR(fit::StudentScale(HeavyTailed(20000, 4, .01, 1), {}, 4), .01, 2e-4);
}

TEST(StudentScale, IsZeroWhereMostResidualsAre) {
  std::vector<double> r(100, 0.0);
  EXPECT_EQ(fit::StudentScale(r, {}, 4), 0);
  r[3] = 1;
  r[4] = -2;
  EXPECT_EQ(fit::StudentScale(r, {}, 4), 0);
  for (int i = 0; i < 30; ++i) r[i] = 1;
  EXPECT_GT(fit::StudentScale(r, {}, 4), 0);
}

TEST(StudentLoss, GradientMatchesDifferences) {
  for (const char* loss : {"student-t", "log-student-t"}) {
    auto problem = Pose("chinchilla", ChinchillaRuns(37, .01, 7), loss);
    ASSERT_TRUE(problem.ok());
    fit::LocalSearcher searcher(*problem, {});
    const std::vector<double> u = {.5, 6, .3, 7.5, .35};
    std::vector<double> gradient(5);
    searcher.ObjectiveAndGradient(u, gradient.data());
    for (int p = 0; p < 5; ++p) {
      std::vector<double> up = u, down = u;
      up[p] += 1e-6;
      down[p] -= 1e-6;
      const double slope = (searcher.Objective(up) - searcher.Objective(down)) / 2e-6;
      EXPECT_NEAR(gradient[p], slope, 1e-5 * (std::abs(slope) + 1e-3)) << loss << " " << p;
    }
  }
}

TEST(StudentLoss, IsLeastSquaresForManyDegreesOfFreedom) {
  const observe::Table table = ChinchillaRuns(40, .01, 7);
  const std::vector<double> u = {.6, 6.2, .345, 7.6, .366};
  for (const char* space : {"", "log-"}) {
    auto squares = Pose("chinchilla", table, absl::StrCat(space, "least-squares"));
    fit::ProblemOptions options;
    auto loss = fit::LossByName(absl::StrCat(space, "student-t"));
    ASSERT_TRUE(squares.ok() && loss.ok());
    loss->nu = 1e9;
    options.loss = *loss;
    auto student = fit::Problem::Create(Law("chinchilla"), "chinchilla", table, options);
    ASSERT_TRUE(student.ok());
    const double a = fit::LocalSearcher(*squares, {}).Objective(u);
    const double b = fit::LocalSearcher(*student, {}).Objective(u);
    EXPECT_NEAR(b / a, 1, 1e-7) << space;
  }
}

TEST(StudentLoss, ObjectiveIsThatOfTheLikelihood) {
  auto problem = Pose("chinchilla", ChinchillaRuns(60, .01, 7), "student-t");
  ASSERT_TRUE(problem.ok());
  fit::LocalSearcher searcher(*problem, {});
  const auto likelihood = [&](const std::vector<double>& u) {
    const auto at = searcher.Linearize(u);
    std::vector<double> r;
    for (int64_t i = 0; i < 60; ++i) r.push_back(at.prediction[i] - problem->target()[i]);
    const double s = fit::StudentScale(r, {}, 4);
    double sum = 0;
    for (double x : r) sum -= std::log(s) + 2.5 * std::log1p(x * x / (4 * s * s));
    return sum;
  };
  const std::vector<double> a = {.6, 6.2, .345, 7.6, .366};
  const std::vector<double> b = {.5, 6.3, .33, 7.3, .35};
  EXPECT_NEAR(30 * std::log(searcher.Objective(a) / searcher.Objective(b)),
              likelihood(b) - likelihood(a), 1e-9);
}

TEST(StudentLoss, HoldsAgainstWildOutliers) {
  observe::Table table = ChinchillaRuns(120, .003, 11);
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(table.SetNumber(9 * i, "loss", i % 2 == 0 ? 9.0 : 1.0).ok());
  }
  for (const char* loss : {"student-t", "log-student-t"}) {
    auto problem = Pose("chinchilla", table, loss);
    ASSERT_TRUE(problem.ok());
    auto fit = fit::Fit(*problem);
    ASSERT_TRUE(fit.ok()) << fit.status();
    EXPECT_TRUE(fit->converged);
    EXPECT_TRUE(fit->identifiability.identifiable) << fit->identifiability.reason;
    for (int p = 0; p < 5; ++p) {
      const fit::Estimate& e = fit->estimates[p];
      const double off = e.log ? std::log(e.value / kBesiroglu[p]) : e.value - kBesiroglu[p];
      EXPECT_LT(std::abs(off), 4 * e.search_standard_error) << loss << " " << e.name;
      EXPECT_LT(e.search_standard_error, .3);
    }
    // Least squares is thrown off.
    auto squares = Pose("chinchilla", table, "log-least-squares");
    ASSERT_TRUE(squares.ok());
    auto worse = fit::Fit(*squares);
    ASSERT_TRUE(worse.ok());
    EXPECT_GT(std::abs(worse->values[0] - kBesiroglu[0]),
              4 * std::abs(fit->values[0] - kBesiroglu[0]));
  }
}

TEST(StudentLoss, RecoversWithoutNoise) {
  for (const char* loss : {"student-t", "log-student-t"}) {
    auto problem = Pose("chinchilla", ChinchillaRuns(60, 0, 5), loss);
    ASSERT_TRUE(problem.ok()) << problem.status();
    auto fit = fit::Fit(*problem);
    ASSERT_TRUE(fit.ok()) << fit.status();
    for (int p = 0; p < 5; ++p) EXPECT_NEAR(fit->values[p] / kBesiroglu[p], 1, 1e-5) << loss;
  }
}

TEST(StudentLoss, GivesWayToSquaresWhereItHasNoMaximum) {
  // A curve through five of six points, and a scale that goes to 0.
  const auto problem = Pose("chinchilla", ChinchillaRuns(6, .01, 1), "student-t");
  ASSERT_TRUE(problem.ok());
  EXPECT_EQ(problem->loss().Name(), "least-squares");
  const auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok());
  EXPECT_THAT(fit->notes, ::testing::Contains(HasSubstr("student-t(4) has no maximum")));
  const auto enough = Pose("chinchilla", ChinchillaRuns(7, .01, 1), "student-t");
  EXPECT_EQ(enough->loss().Name(), "student-t(4)");
  fit::ProblemOptions options;
  options.loss = {fit::Space::kLinear, fit::Shape::kStudentT, 1e-3, 0};
  EXPECT_FALSE(
      fit::Problem::Create(Law("chinchilla"), "chinchilla", ChinchillaRuns(40, 0, 1), options)
          .ok());
}

TEST(Loss, Names) {
  for (const std::string& name : fit::LossNames()) {
    auto loss = fit::LossByName(name);
    ASSERT_TRUE(loss.ok()) << name;
    EXPECT_THAT(loss->Name(), ::testing::StartsWith(name));
  }
  EXPECT_EQ(fit::LossByName("log-student-t")->Name(), "log-student-t(4)");
  EXPECT_THAT(std::string(fit::LossByName("student").status().message()), HasSubstr("student-t"));
}

}  // namespace
}  // namespace qatlas::testing
