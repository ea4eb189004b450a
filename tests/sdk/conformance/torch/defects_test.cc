// Every check can fail: components with one fault each fail the checks that are about it, and no
// other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>

#include "qatlas/conformance/check.h"
#include "qatlas/conformance/suite.h"
#include "tests/paths.h"
#include "tests/sdk/conformance/torch/defect.h"

namespace qatlas::conformance::testing {
namespace {

// What cannot fail for lack of a device.
const std::set<std::string> kNeedDevice = {"cpu-and-cuda"};

void Judge(const std::vector<Defect>& defects, absl::Span<const Check> checks,
           std::set<std::string>* failed_anywhere) {
  for (const Defect& defect : defects) {
    std::map<std::string, std::string> failed;
    for (const Check& check : checks) {
      const Finding finding = RunHere(check, {&defect.component, "", ""}, 1);
      if (finding.outcome != Outcome::kFailed) continue;
      EXPECT_FALSE(finding.message.empty()) << check.name;
      EXPECT_FALSE(finding.input.empty()) << check.name;
      failed[check.name] = finding.message + " | " + finding.input;
    }
    for (const std::string& name : defect.checks) {
      EXPECT_EQ(failed.count(name), 1u)
          << name << " does not see what is wrong with " << defect.component.name;
      failed_anywhere->insert(name);
    }
    for (const auto& [name, message] : failed) {
      EXPECT_EQ(defect.checks.count(name), 1u)
          << name << " fails for " << defect.component.name << ": " << message;
    }
  }
}

TEST(Defects, EveryQuantizerCheckFailsForItsOwn) {
  std::set<std::string> failed;
  Judge(QuantizerDefects(), QuantizerChecks(), &failed);
  Judge(OperatorDefects(), QuantizerChecks(), &failed);
  for (const Check& check : QuantizerChecks()) {
    EXPECT_TRUE(failed.count(check.name) == 1 || kNeedDevice.count(check.name) == 1)
        << check.name << " never fails";
  }
}

TEST(Defects, EveryModelCheckFailsForItsOwn) {
  std::set<std::string> failed;
  Judge(ModelDefects(), ModelChecks(), &failed);
  for (const Check& check : ModelChecks()) {
    EXPECT_EQ(failed.count(check.name), 1u) << check.name << " never fails";
  }
}

TEST(Documentation, NamesEveryCheckWithItsSentence) {
  std::ifstream file(paths::Source() + "/docs/conformance.md");
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  for (absl::Span<const Check> checks : {QuantizerChecks(), ModelChecks()}) {
    for (const Check& check : checks) {
      EXPECT_THAT(text, ::testing::HasSubstr(std::string("| `") + check.name + "` | " +
                                             check.prose + " |"));
    }
  }
}

}  // namespace
}  // namespace qatlas::conformance::testing
