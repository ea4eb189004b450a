// What a failing check says in a plugin's own test suite.
#include "qatlas/conformance/gtest.h"

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>

namespace qatlas::conformance::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

void CheckOddNumbers(const Subject&, Probe& probe) {
  probe.Trying("x = 3");
  probe.Fail("3 is odd");
}

Parameter OddNumbers() {
  Parameter parameter;
  parameter.check.name = "odd-numbers";
  parameter.check.prose = "Every number is even.";
  parameter.check.run = CheckOddNumbers;
  parameter.name = "odd";
  return parameter;
}

class FailingCheck : public ConformanceTest {};

TEST_P(FailingCheck, SaysWhatMustHoldAndWhatWasFound) {
  ::testing::TestPartResultArray results;
  {
    const ::testing::ScopedFakeTestPartResultReporter reporter(
        ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &results);
    RunCheck();
  }
  ASSERT_EQ(results.size(), 1);
  EXPECT_TRUE(results.GetTestPartResult(0).nonfatally_failed());
  const std::string said = results.GetTestPartResult(0).message();
  EXPECT_THAT(said, HasSubstr("Every number is even.\n  3 is odd\n  input: x = 3"));
  EXPECT_THAT(said, Not(HasSubstr("byte object")));
}
INSTANTIATE_TEST_SUITE_P(Odd, FailingCheck, ::testing::Values(OddNumbers()));

}  // namespace
}  // namespace qatlas::conformance::testing
