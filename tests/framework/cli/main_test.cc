// Words that are no subcommand, and subcommands that are missing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "tests/framework/cli/program.h"

namespace qatlas {
namespace {

using ::testing::HasSubstr;
using testing::Output;
using testing::Qatlas;

TEST(Subcommands, WhatIsUnknownIsNamedWithTheNearest) {
  for (const auto& [words, said] :
       {std::pair{"ft runs.csv", "no subcommand 'ft'; nearest valid name: 'fit'"},
        std::pair{"plugin chekc a.so", "no subcommand 'plugin chekc'; nearest valid name: 'check'"},
        std::pair{"plugin new quantiser mine",
                  "no subcommand 'plugin new quantiser'; nearest valid name: 'quantizer'"}}) {
    const Output output = Qatlas(words);
    EXPECT_EQ(output.code, 2) << output.text;
    EXPECT_THAT(output.text, HasSubstr(said));
  }
}

TEST(Subcommands, WhatIsMissingIsListed) {
  const Output output = Qatlas("plugin new");
  EXPECT_EQ(output.code, 2);
  EXPECT_THAT(output.text, HasSubstr("qatlas plugin new needs a subcommand: quantizer, scheme, "
                                     "model, law"));
  // Another argument that is missing is CLI11's to say.
  EXPECT_THAT(Qatlas("plugin new law").text, HasSubstr("NAME is required"));
}

// Every error of the command line says "error:" and which subcommand it is about.
TEST(Subcommands, OptionsThatAreUnknownAreNamedWithTheNearest) {
  for (const auto& [words, said] :
       {std::pair{"report", "error: qatlas report: SOURCE is required"},
        std::pair{"report x.csv --outptu y",
                  "error: qatlas report: no option '--outptu'; nearest valid name: '--output'"},
        std::pair{"fit x.csv --bootstraps=x", "error: qatlas fit: "}}) {
    const Output output = Qatlas(words);
    EXPECT_EQ(output.code, 2) << output.text;
    EXPECT_THAT(output.text, HasSubstr(said));
  }
}

TEST(Help, SaysWhatIsTrue) {
  EXPECT_THAT(Qatlas("fit --help").text, ::testing::Not(HasSubstr("{false}")));
  EXPECT_THAT(Qatlas("report --help").text, HasSubstr("in the current folder"));
  // A description ends where its sentence does, not where its line does.
  EXPECT_THAT(Qatlas("recipe ls").text, HasSubstr("one scale an output channel, 4 and 3 bits."));
}

TEST(PluginNew, ANameThatAnInstalledPluginHasIsTaken) {
  for (const auto& [words, said] :
       {std::pair{"law chinchilla", "the name 'chinchilla' is taken by a law of "},
        std::pair{"law qat-unified", "law-qat.so; two plugins of one name are both passed over"},
        // Names of plugins are one list for all kinds.
        std::pair{"scheme chinchilla", "the name 'chinchilla' is taken by a law of "},
        std::pair{"law qat", "the name 'qat' is taken by a plugin of "},
        std::pair{"quantizer none", "rules say 'none' for full precision"}}) {
    const Output output = Qatlas(std::string("plugin new ") + words);
    EXPECT_EQ(output.code, 2) << output.text;
    EXPECT_THAT(output.text, HasSubstr(said));
  }
}

// What a law declares stands in no manifest: info opens it.
TEST(PluginInfo, ALawIsTold) {
  const Output text = Qatlas("plugin info qat-unified");
  EXPECT_EQ(text.code, 0) << text.text;
  for (const char* said : {"predicts  delta = ", "  parameters\n", "gammaN", "  presets\n", "w4a4 ",
                           "k = 0.1582", "Chen et al. 2025"}) {
    EXPECT_THAT(text.text, HasSubstr(said));
  }
  const nlohmann::json law = Qatlas("--json plugin info qat-unified").json()[0]["law"];
  EXPECT_EQ(law["target"], "delta");
  ASSERT_EQ(law["parameters"].size(), 4u);
  for (const auto& parameter : law["parameters"]) {
    EXPECT_FALSE(parameter["meaning"].get<std::string>().empty());
    EXPECT_TRUE(parameter.contains("lower") && parameter.contains("upper"));
  }
  bool found = false;
  for (const auto& preset : law["presets"]) {
    if (preset["name"] != "w4a4") continue;
    found = true;
    EXPECT_EQ(preset["values"]["k"], .1582);
    EXPECT_TRUE(preset["verified"].is_boolean());
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace qatlas
