// `qatlas plugin check` as a person types it.
#include <sys/wait.h>

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "tests/paths.h"

namespace qatlas {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Output {
  int code = -1;
  std::string text;
};

Output RunShell(const std::string& command) {
  Output output;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return output;
  char buffer[4096];
  while (size_t got = fread(buffer, 1, sizeof(buffer), pipe)) output.text.append(buffer, got);
  const int status = pclose(pipe);
  output.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return output;
}

Output Qatlas(const std::string& arguments) {
  return RunShell(absl::StrCat("'", qatlas::paths::Programs(), "/qatlas' ", arguments));
}

const std::string kLaws = QATLAS_TEST_DEFECTIVE "/law-defective.so";

TEST(PluginCheck, ASoundComponentByItsName) {
  const Output output =
      Qatlas("--plugin-path '" QATLAS_TEST_DEFECTIVE "' plugin check sound --include law/");
  EXPECT_EQ(output.code, 0) << output.text;
  EXPECT_THAT(output.text, HasSubstr("law sound\n"));
  EXPECT_THAT(output.text, HasSubstr("passed   jacobian"));
  EXPECT_THAT(output.text, Not(HasSubstr("defective\n    ")));
  EXPECT_THAT(output.text, Not(HasSubstr("law jacobian")));
}

TEST(PluginCheck, AFailureSaysWhatWithWhatAndHowAgain) {
  const std::string include = "'^law/(sound|jacobian)/jacobian$'";
  const Output output =
      Qatlas(absl::StrCat("plugin check '", kLaws, "' --only-failed --seed 7 --include ", include));
  EXPECT_EQ(output.code, 4) << output.text;
  EXPECT_THAT(output.text, HasSubstr("failed   jacobian"));
  EXPECT_THAT(output.text, HasSubstr("must     The Jacobian agrees"));
  EXPECT_THAT(output.text, HasSubstr("but      the derivative by 'alpha' is"));
  EXPECT_THAT(output.text, HasSubstr("input    theta: E = "));
  EXPECT_THAT(output.text, HasSubstr("2 checks"));
  EXPECT_THAT(output.text, Not(HasSubstr("law sound")));
  // The command that it gives finds the same again.
  const size_t begin = output.text.find("qatlas plugin check '");
  ASSERT_NE(begin, std::string::npos) << output.text;
  const std::string command = output.text.substr(begin, output.text.find('\n', begin) - begin);
  EXPECT_THAT(command, HasSubstr("--seed 7"));
  const Output again = RunShell(absl::StrCat("'", qatlas::paths::Programs(), "/'", command));
  EXPECT_EQ(again.code, 4) << again.text;
  EXPECT_THAT(again.text, HasSubstr("1 checks"));
  const size_t but = output.text.find("but  ");
  EXPECT_THAT(again.text, HasSubstr(output.text.substr(but, output.text.find("again", but) - but)));
}

TEST(PluginCheck, ACrashSaysItsLastWords) {
  const Output output =
      Qatlas(absl::StrCat("plugin check '", kLaws, "' --include law/aborts/finite-at-bounds"));
  EXPECT_EQ(output.code, 4) << output.text;
  EXPECT_THAT(output.text, HasSubstr("crashed  finite-at-bounds"));
  EXPECT_THAT(output.text, HasSubstr("SIGABRT (Aborted)"));
  EXPECT_THAT(output.text, HasSubstr("it said"));
  EXPECT_THAT(output.text, HasSubstr("the exponent is too large for the table"));
  EXPECT_THAT(output.text, HasSubstr("alpha = 2"));
}

TEST(PluginCheck, ALibraryThatDiesWhenOpenedIsNoMoreThanAFailure) {
  const Output output = Qatlas("--json plugin check '" QATLAS_TEST_DEFECTIVE "/crash.so'");
  EXPECT_EQ(output.code, 4) << output.text;
  const auto json = nlohmann::json::parse(output.text, nullptr, false);
  ASSERT_TRUE(json.is_object()) << output.text;
  EXPECT_EQ(json["checks"][0]["id"], "plugin/crash/opens");
  EXPECT_EQ(json["checks"][0]["outcome"], "crashed");
  EXPECT_THAT(json["checks"][0]["repeat"].get<std::string>(), HasSubstr("^plugin/crash/opens$"));
  EXPECT_GE(json["summary"]["crashed"], 1);
}

TEST(PluginCheck, ListsWithoutRunning) {
  const Output output =
      Qatlas(absl::StrCat("plugin check '", kLaws, "' --list --include law/hangs/"));
  EXPECT_EQ(output.code, 0) << output.text;
  EXPECT_THAT(output.text, HasSubstr("jacobian"));
  EXPECT_THAT(output.text, HasSubstr("Two threads get the same bits as one."));
}

TEST(PluginCheck, ATimeLimitEndsWhatHangs) {
  const Output output = Qatlas(
      absl::StrCat("plugin check '", kLaws, "' --include law/hangs/stateless --time-limit 0.2"));
  EXPECT_EQ(output.code, 4) << output.text;
  EXPECT_THAT(output.text, HasSubstr("no end within 0.2 s"));
  EXPECT_THAT(output.text, HasSubstr("--time-limit 0.2\n"));
}

TEST(PluginCheck, WrongWordsAreTold) {
  const Output nothing = Qatlas("plugin check qat-unifed");
  EXPECT_EQ(nothing.code, 4) << nothing.text;
  EXPECT_THAT(nothing.text, HasSubstr("no component, plugin, file or folder 'qat-unifed'"));
  EXPECT_EQ(Qatlas("plugin check ./nowhere.so").code, 4);
  const Output expression = Qatlas(absl::StrCat("plugin check '", kLaws, "' --include '('"));
  EXPECT_EQ(expression.code, 2) << expression.text;
  EXPECT_THAT(expression.text, HasSubstr("no regular expression"));
  const Output none = Qatlas(absl::StrCat("plugin check '", kLaws, "' --include jacobean"));
  EXPECT_EQ(none.code, 2) << none.text;
  EXPECT_THAT(none.text, HasSubstr("no check is called 'jacobean'"));
}

}  // namespace
}  // namespace qatlas
