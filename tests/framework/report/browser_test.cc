// Renders whole pages and opens them in Chromium. QATLAS_TEST_KEEP=FOLDER leaves the pages there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/framework/report/chromium.h"
#include "tests/framework/report/study.h"

namespace qatlas::report {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;

size_t FigureCount(const Page& page) {
  size_t count = 0;
  for (const Section& section : page.sections) count += section.figures.size();
  return count;
}

std::vector<std::string> FigureIds(const Page& page) {
  std::vector<std::string> ids;
  for (const Section& section : page.sections) {
    for (const Figure& figure : section.figures) ids.push_back(figure.id);
  }
  return ids;
}

void OpenAndCheck(const Study& study, const std::string& name, int width = 1400) {
  const Page page = MakePage(study.inputs);
  const char* keep = std::getenv("QATLAS_TEST_KEEP");
  const std::string folder =
      absl::StrCat(keep != nullptr ? std::string(keep) : testing::TempDir(), "/report-", name);
  ASSERT_TRUE(WriteReport(page, folder).ok());
  const auto opened = OpenInChromium(folder + "/report.html", width);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_THAT(opened->console, ElementsAre());
  EXPECT_THAT(opened->dom, HasSubstr(absl::StrCat("data-figures=\"", FigureCount(page), "\"")));
  // Every place of a figure holds a drawing.
  const std::vector<std::string> pieces = absl::StrSplit(opened->dom, "id=\"figure-");
  size_t drawn = 0;
  for (size_t i = 1; i < pieces.size(); ++i) {
    const std::string div = pieces[i].substr(0, pieces[i].find("<figcaption"));
    EXPECT_TRUE(div.find("<svg") != std::string::npos || div.find("<canvas") != std::string::npos)
        << div.substr(0, 300);
    EXPECT_THAT(div, Not(HasSubstr("could not be drawn")));
    ++drawn;
  }
  EXPECT_EQ(drawn, FigureCount(page));
}

TEST(BrowserTest, QuickstartPageDrawsEveryFigure) {
  Study study = QuickstartStudy(2);
  CompareLaws(&study);
  EXPECT_THAT(
      FigureIds(MakePage(study.inputs)),
      IsSupersetOf({"delta-data-W4A4", "delta-size-W4A4", "delta-group-W4A4", "delta-bits",
                    "delta-data-W3A3", "parts", "roles", "sites-kurtosis", "sites-max_to_median",
                    "sites-snr_db", "laws-delta-fit", "laws-delta-residuals", "laws-loss-fit",
                    "loss-curves", "loss-surface"}));
  OpenAndCheck(study, "quickstart");
}

TEST(BrowserTest, PaperTableWithoutPartsOrSites) {
  Study study = PaperStudy();
  CompareLaws(&study);
  OpenAndCheck(study, "paper");
}

TEST(BrowserTest, ForeignTableOfLossesInNarrowWindow) {
  Study study = LossStudy();
  CompareLaws(&study);
  OpenAndCheck(study, "loss", 700);
}

TEST(BrowserTest, HostileNamesDrawAndRunNothing) {
  Study study = QuickstartStudy(2);
  const std::string hostile = "</script><script>console.error('run')</script>\"'><img src=x>";
  study.inputs.title = hostile;
  study.inputs.notes = {hostile};
  for (size_t row = 0; row < study.inputs.observations.rows(); ++row) {
    if (study.inputs.observations.TextAt(row, "model") == "s") {
      ASSERT_TRUE(study.inputs.observations.SetText(row, "model", hostile).ok());
    }
  }
  study.Decompose();
  OpenAndCheck(study, "hostile");
}

}  // namespace
}  // namespace qatlas::report
