#include "framework/commandline/man.h"

#include <cstdlib>

#include "CLI/CLI.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qatlas::commandline {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Man, WritesOutWhatRoffWouldRead) {
  EXPECT_EQ(Roff("a-b"), "a\\-b");
  EXPECT_EQ(Roff("a\\b"), "a\\eb");
  EXPECT_EQ(Roff(".5\n'x'\nnot .5"), "\\&.5\n\\&\\(aqx\\(aq\nnot .5");
  EXPECT_EQ(Roff("δ of \"x\""), "\\[u03B4] of \\(dqx\\(dq");
  // What is no UTF-8 is shown as such, and nothing is lost.
  EXPECT_EQ(Roff("a\xff"
                 "b"),
            "a\\[uFFFD]b");
}

TEST(Man, APageForEachVerb) {
  CLI::App app("lab fits laws:\nand more\n\n  lab fit x   like this");
  app.name("lab");
  std::string text = "cpu";
  bool flag = false;
  app.add_flag("--json", flag, "For programs");
  app.footer("0: done");
  CLI::App* fit = app.add_subcommand("fit", "Fit laws");
  fit->add_option("TABLE", text, "The table")->required();
  fit->add_option("--device,-d", text, "Which")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  app.add_subcommand("plugin", "Plugins")->add_subcommand("ls", "List them");
  const auto pages = ManPages(app, {"1.2.3", "2026-01-31", {{"FILES", {"x: what"}}}});
  ASSERT_EQ(pages.size(), 3u);
  EXPECT_EQ(pages[0].file, "lab.1");
  EXPECT_THAT(pages[0].text, HasSubstr(".TH LAB 1 2026-01-31 \"lab 1.2.3\""));
  EXPECT_THAT(pages[0].text, HasSubstr("lab \\- fits laws\n"));
  EXPECT_THAT(pages[0].text, HasSubstr(".EX\nlab fit x   like this\n.EE\n"));
  EXPECT_THAT(pages[0].text, HasSubstr(".SH EXIT STATUS\n0: done\n"));
  EXPECT_THAT(pages[0].text, HasSubstr(".SH FILES\nx: what\n"));
  EXPECT_THAT(pages[0].text, HasSubstr(".BR lab\\-fit (1),\n.BR lab\\-plugin (1)\n"));
  EXPECT_EQ(pages[1].file, "lab-fit.1");
  EXPECT_THAT(pages[1].text, HasSubstr("\\fBlab fit\\fR [\\fIOPTIONS\\fR] \\fITABLE\\fR"));
  EXPECT_THAT(
      pages[1].text,
      HasSubstr(
          "\\fB\\-d\\fR, \\fB\\-\\-device\\fR \\fITEXT\\fR {cpu,cuda}\nWhich. Default: cpu.\n"));
  EXPECT_THAT(pages[2].text, HasSubstr(".SH \"lab plugin ls\"\n"));
  for (const ManPage& page : pages) EXPECT_THAT(page.text, Not(HasSubstr("\n\n"))) << page.file;
}

TEST(Man, TheDateCanBeSaid) {
  setenv("SOURCE_DATE_EPOCH", "86400", 1);
  EXPECT_EQ(ManDate(), "1970-01-02");
  unsetenv("SOURCE_DATE_EPOCH");
}

}  // namespace
}  // namespace qatlas::commandline
