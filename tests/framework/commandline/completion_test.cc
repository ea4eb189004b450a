#include "framework/commandline/completion.h"

#include "CLI/CLI.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qatlas::commandline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class Completing : public ::testing::Test {
 protected:
  Completing() {
    app_.name("lab");
    app_.add_option("--folder", text_, "Where")->type_name("FOLDER");
    app_.add_flag("--json", flag_, "For programs. And more");
    app_.fallthrough();
    CLI::App* fit = app_.add_subcommand("fit", "Fit laws");
    fit->add_option("TABLE", text_, "The table")->required();
    fit->add_option("OVERRIDES", texts_, "key=value");
    fit->add_option("--law,-l", texts_, "Law")->type_name("LAW");
    fit->add_option("--device", text_, "Device")->check(CLI::IsMember({"cpu", "cuda"}));
    fit->add_option("--output,-o", text_, "Out")->type_name("FILE.json");
    CLI::App* plugin = app_.add_subcommand("plugin", "Plugins");
    plugin->add_subcommand("ls", "List");
    plugin->add_subcommand("info", "One")->add_option("NAME", text_, "Name");
    app_.add_subcommand("final", "Not fit");
    app_.add_subcommand("hidden", "")->group("");
    const auto named = [](std::vector<std::string> names) {
      return Values{[names] {
        std::vector<Candidate> result;
        for (const std::string& name : names) result.push_back({name, ""});
        return result;
      }};
    };
    kinds_["LAW"] = named({"chinchilla", "qat-unified"});
    kinds_["plugin info NAME"] = named({"int", "lsq"});
    kinds_["TABLE"] = {named({"smoke"}).names, true, false};
  }

  std::vector<std::string> Texts(const std::vector<std::string>& words) {
    last_ = Complete(app_, words, kinds_);
    std::vector<std::string> texts;
    for (const Candidate& candidate : last_.candidates) texts.push_back(candidate.text);
    return texts;
  }

  CLI::App app_;
  std::string text_;
  std::vector<std::string> texts_;
  bool flag_ = false;
  ValueKinds kinds_;
  Completion last_;
};

TEST_F(Completing, Verbs) {
  EXPECT_THAT(Texts({""}), ElementsAre("fit", "plugin", "final"));
  EXPECT_THAT(Texts({"fi"}), ElementsAre("fit", "final"));
  EXPECT_EQ(last_.candidates[0].help, "Fit laws");
  EXPECT_THAT(Texts({"plugin", ""}), ElementsAre("ls", "info"));
  EXPECT_THAT(Texts({}), ElementsAre("fit", "plugin", "final"));
}

TEST_F(Completing, OptionsOfTheVerbAndThoseAbove) {
  EXPECT_THAT(Texts({"fit", "--"}), UnorderedElementsAre("--help", "--law", "--device", "--output",
                                                         "--folder", "--json"));
  EXPECT_THAT(Texts({"fit", "--l"}), ElementsAre("--law"));
  EXPECT_THAT(Texts({"--j"}), ElementsAre("--json"));
  EXPECT_EQ(last_.candidates[0].help, "For programs");
  EXPECT_THAT(Texts({"fit", "-l"}), ElementsAre("-l"));
}

TEST_F(Completing, ValuesOfOptions) {
  EXPECT_THAT(Texts({"fit", "--device", ""}), ElementsAre("cpu", "cuda"));
  EXPECT_THAT(Texts({"fit", "--device=cu"}), ElementsAre("--device=cuda"));
  EXPECT_THAT(Texts({"fit", "x.csv", "--law", "q"}), ElementsAre("qat-unified"));
  EXPECT_THAT(Texts({"fit", "--output", ""}), IsEmpty());
  EXPECT_TRUE(last_.files);
  EXPECT_FALSE(last_.folders);
  EXPECT_THAT(Texts({"--folder", ""}), IsEmpty());
  EXPECT_TRUE(last_.folders);
  // Values are not taken for verbs or positionals.
  EXPECT_THAT(Texts({"--folder", "fit", "plugin", "l"}), ElementsAre("ls"));
}

TEST_F(Completing, Positionals) {
  EXPECT_THAT(Texts({"plugin", "info", ""}), ElementsAre("int", "lsq"));
  EXPECT_THAT(Texts({"fit", "s"}), ElementsAre("smoke"));
  EXPECT_TRUE(last_.files);
  // The second one takes any text; a verb's name after a positional is no verb.
  EXPECT_THAT(Texts({"fit", "x.csv", ""}), IsEmpty());
  EXPECT_FALSE(last_.files);
  EXPECT_THAT(Texts({"plugin", "info", "int", ""}), IsEmpty());
  // After "--" nothing is an option.
  EXPECT_THAT(Texts({"fit", "--", "--"}), IsEmpty());
  EXPECT_TRUE(last_.files);
}

TEST_F(Completing, AnswersItsVerbAlone) {
  const char* other[] = {"lab", "fit"};
  EXPECT_FALSE(AnswerCompletion(app_, 2, other, kinds_));
  const char* line[] = {"lab", "__complete", "fit", "--output", ""};
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(AnswerCompletion(app_, 5, line, kinds_), 0);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), ":files\n");
}

TEST(CompletionScripts, NameTheirProgram) {
  for (const std::string& shell : Shells()) {
    const auto script = CompletionScript(shell, "lab-train");
    ASSERT_TRUE(script);
    EXPECT_NE(script->find("lab_train"), std::string::npos);
    EXPECT_EQ(script->find("@PROGRAM@"), std::string::npos);
    EXPECT_EQ(script->find("@FUNCTION@"), std::string::npos);
  }
  EXPECT_FALSE(CompletionScript("csh", "lab"));
}

}  // namespace
}  // namespace qatlas::commandline
