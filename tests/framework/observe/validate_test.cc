#include "framework/observe/validate.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "framework/observe/csv.h"

namespace qatlas::observe {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Requirements Needs() {
  Requirements needs;
  needs.numbers = {"N", "D", "loss"};
  needs.unique_by = {"N", "D", "seed"};
  needs.parameters = 2;
  return needs;
}

TEST(ValidateTest, GoodTablePasses) {
  const auto table = ParseCsv("N,D,loss,seed\n1e6,1e7,3,0\n1e6,1e7,3,1\n", "f");
  EXPECT_TRUE(Validate(*table, Needs()).ok()) << Validate(*table, Needs());
}

TEST(ValidateTest, ListsEveryProblem) {
  const auto table = ParseCsv(
      "N,tokens,loss,seed,delta\n"
      "1e6,1,,0,-.1\n"
      "0,1,-3,0,.1\n"
      "1e6,1,inf,1,.1\n"
      "-5,1,2,2,\n",
      "f");
  Requirements needs = Needs();
  needs.numbers.push_back("delta");
  needs.texts = {"seed", "schem"};
  needs.parameters = 5;
  const std::string message(Validate(*table, needs).message());
  EXPECT_THAT(message, HasSubstr("no column 'D'"));
  EXPECT_THAT(message, HasSubstr("column 'loss' is missing (NaN) in f:2"));
  EXPECT_THAT(message, HasSubstr("column 'loss' is infinite in f:4"));
  EXPECT_THAT(message, HasSubstr("column 'loss' must be above zero, but is not in f:3"));
  EXPECT_THAT(message, HasSubstr("column 'N' must be above zero, but is not in f:3, f:5"));
  EXPECT_THAT(message, HasSubstr("column 'delta' is missing (NaN) in f:5"));
  EXPECT_THAT(message, Not(HasSubstr("'delta' must be above")));
  EXPECT_THAT(message, HasSubstr("column 'seed' must hold texts"));
  EXPECT_THAT(message, HasSubstr("no column 'schem'"));
  EXPECT_THAT(message, HasSubstr("4 observations cannot determine 5 parameters"));
}

TEST(ValidateTest, FindsDuplicates) {
  const auto table = ParseCsv("N,D,loss,seed\n1,2,3,0\n1,2,3,1\n1,2,4,0\n", "f");
  EXPECT_THAT(std::string(Validate(*table, Needs()).message()),
              HasSubstr("rows f:2, f:4 are the same observation (N 1, D 2, seed 0)"));
}

TEST(ValidateTest, ShowsTheFirstFewRows) {
  std::string text = "N,D,loss\n";
  for (int i = 0; i < 9; ++i) text += std::to_string(i + 1) + ",1,\n";
  EXPECT_THAT(std::string(Validate(*ParseCsv(text, "f"), Needs()).message()),
              HasSubstr("f:2, f:3, f:4, f:5, f:6 and 4 more"));
}

TEST(ValidateTest, EmptyTable) {
  EXPECT_THAT(std::string(Validate(*ParseCsv("N,D,loss\n", "f"), Needs()).message()),
              HasSubstr("the table has no rows"));
}

}  // namespace
}  // namespace qatlas::observe
