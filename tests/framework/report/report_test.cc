#include "framework/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "framework/observe/csv.h"
#include "framework/observe/schema.h"
#include "framework/report/assets.h"
#include "framework/report/sections.h"
#include "tests/framework/report/study.h"

namespace qatlas::report {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

// The page without the text of Plotly.
std::string OwnHtml(const Page& page) {
  std::string html = RenderHtml(page);
  const std::string plotly(PlotlySource());
  const size_t at = html.find(plotly);
  EXPECT_NE(at, std::string::npos);
  return html.erase(at, plotly.size());
}

nlohmann::json FiguresIn(const std::string& html) {
  const std::string opening = "<script type=\"application/json\" id=\"figures\">";
  const size_t begin = html.find(opening) + opening.size();
  return nlohmann::json::parse(html.substr(begin, html.find("</script>", begin) - begin));
}

void ExpectNoNan(const Page& page) {
  const std::string html = OwnHtml(page);
  const std::regex bad(">[^<]*\\b(nan|NaN|inf|Infinity)\\b[^<]*<");
  // The figures' JSON is parsed: its parser knows no NaN.
  FiguresIn(html);
  std::smatch match;
  const std::string body = html.substr(0, html.find("<script type=\"application/json\""));
  EXPECT_FALSE(std::regex_search(body, match, bad)) << match.str();
}

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::string> SectionIds(const Page& page) {
  std::vector<std::string> ids;
  for (const Section& section : page.sections) ids.push_back(section.id);
  return ids;
}

TEST(ReportTest, NothingGivesAPage) {
  const Page page = MakePage({});
  ASSERT_EQ(page.sections.size(), 1u);
  EXPECT_THAT(page.sections[0].paragraphs, Contains(HasSubstr("no run has finished")));
  EXPECT_EQ(FiguresIn(OwnHtml(page)), nlohmann::json::array());
  ExpectNoNan(page);
}

TEST(ReportTest, OnlyFailedRunsGiveAPage) {
  Inputs inputs;
  inputs.observations = observe::EmptyObservations();
  ASSERT_TRUE(inputs.observations
                  .Append({{"run", std::string("a")},
                           {"N", 1e6},
                           {"D", 1e6},
                           {"status", std::string("failed: diverged after step 9")}})
                  .ok());
  inputs.notes = {"1 run failed"};
  const Page page = MakePage(inputs);
  EXPECT_THAT(SectionIds(page), testing::ElementsAre("notes", "runs"));
  ExpectNoNan(page);
}

TEST(ReportTest, WholeStudyHasEverySectionAndNoNan) {
  Study study = QuickstartStudy(2);
  CompareLaws(&study);
  const Page page = MakePage(study.inputs);
  EXPECT_THAT(SectionIds(page),
              testing::ElementsAre("notes", "findings", "delta", "causes", "sites", "laws-delta",
                                   "laws-loss", "loss", "runs", "provenance"));
  ExpectNoNan(page);
  for (const Section& section : page.sections) {
    for (const Figure& figure : section.figures) {
      EXPECT_FALSE(figure.title.empty()) << figure.id;
      EXPECT_FALSE(figure.reading.empty()) << figure.id;
      EXPECT_GT(figure.data.rows(), 0u) << figure.id;
      EXPECT_FALSE(figure.traces.empty()) << figure.id;
    }
    for (const ShownTable& table : section.tables) {
      EXPECT_FALSE(table.title.empty()) << table.id;
      EXPECT_FALSE(table.reading.empty()) << table.id;
      EXPECT_GT(table.data.rows(), 0u) << table.id;
    }
  }
}

TEST(ReportTest, DeltaFiguresHaveErrorBarsSeedsAndCurves) {
  Study study = QuickstartStudy(2);
  CompareLaws(&study);
  const Page page = MakePage(study.inputs);
  const nlohmann::json figures = FiguresIn(OwnHtml(page));
  int checked = 0;
  for (const nlohmann::json& figure : figures) {
    if (figure["id"] != "figure-delta-data-W4A4") continue;
    ++checked;
    EXPECT_EQ(figure["panels"], nlohmann::json({"G 32", "G 128"}));
    int means = 0, seeds = 0, curves = 0, bands = 0;
    for (const nlohmann::json& trace : figure["traces"]) {
      if (trace.contains("error_y")) {
        ++means;
        EXPECT_EQ(trace["x"].size(), 3u);
        for (const nlohmann::json& error : trace["error_y"]["array"]) {
          EXPECT_GT(error.get<double>(), 0);
        }
      } else if (trace["mode"] == "markers") {
        ++seeds;
        EXPECT_EQ(trace["x"].size(), 6u);
      } else if (trace.contains("fill")) {
        ++bands;
      } else {
        ++curves;
        EXPECT_EQ(trace["line"]["dash"], "dot");
      }
    }
    EXPECT_EQ(means, 6);  // 3 sizes in 2 panels
    EXPECT_EQ(seeds, 6);
    EXPECT_EQ(curves, 6);
    EXPECT_EQ(bands, 6);
  }
  EXPECT_EQ(checked, 1);
}

TEST(ReportTest, SitesAreShownOverTokensBesideTheirMaps) {
  const Study study = QuickstartStudy(2);
  const Page page = MakePage(study.inputs);
  const auto sites = std::find_if(page.sections.begin(), page.sections.end(),
                                  [](const Section& section) { return section.id == "sites"; });
  ASSERT_NE(sites, page.sections.end());
  std::vector<std::string> ids;
  for (const Figure& figure : sites->figures) ids.push_back(figure.id);
  EXPECT_THAT(
      ids, testing::ElementsAre("sites-kurtosis", "site-trend-kurtosis", "sites-max_to_median",
                                "site-trend-max_to_median", "sites-snr_db", "site-trend-snr_db"));
  // Tails are those of full precision, one panel a size; noise that of the largest size.
  const Figure& tails = sites->figures[1];
  ASSERT_EQ(tails.panels.size(), 3u);
  EXPECT_THAT(tails.panels[0], testing::StartsWith("full precision, N 197k"));
  const Figure& noise = sites->figures[5];
  ASSERT_EQ(noise.panels.size(), 2u);
  EXPECT_THAT(noise.panels[0], HasSubstr("W4A4"));
  EXPECT_EQ(noise.traces.size(), 16u);  // 4 roles, 2 operands, 2 panels
  EXPECT_EQ(noise.traces[0]["x"], nlohmann::json({1.2e6, 1.44e6, 1.6e6}));
  // The median over 6 blocks and 2 seeds, held against the table.
  std::vector<double> values;
  const observe::Table& history = study.inputs.site_history;
  for (size_t row = 0; row < history.rows(); ++row) {
    const std::string run(history.TextAt(row, "run"));
    if (run.rfind("l-", 0) == 0 && run.find("W4A4") != std::string::npos &&
        history.TextAt(row, "role") == "fc2" && history.TextAt(row, "operand") == "input" &&
        history.NumberAt(row, "tokens") == 1.6e6) {
      values.push_back(history.NumberAt(row, "snr_db"));
    }
  }
  ASSERT_EQ(values.size(), 12u);
  std::sort(values.begin(), values.end());
  for (const nlohmann::json& trace : noise.traces) {
    if (trace["name"] != "fc2.input" || trace["xaxis"] != "x") continue;
    EXPECT_DOUBLE_EQ(trace["y"][2].get<double>(), (values[5] + values[6]) / 2);
  }
  // One record is no trend.
  Study still = QuickstartStudy(2);
  const observe::Table all = still.inputs.site_history;
  still.inputs.site_history =
      all.Filter([&](size_t row) { return all.NumberAt(row, "tokens") == 1.6e6; });
  for (const Section& section : MakePage(still.inputs).sections) {
    for (const Figure& figure : section.figures) {
      EXPECT_NE(figure.id.rfind("site-trend", 0), 0u) << figure.id;
    }
  }
}

// Of a law that leaves no residuals nothing is drawn that rounding alone would shape.
TEST(ReportTest, AnExactLawHasNoRegionsOfItsParameters) {
  for (const bool exact : {false, true}) {
    Study study = PaperStudy();
    observe::Table& table = study.inputs.observations;
    std::vector<double> delta;
    for (size_t row = 0; row < table.rows(); ++row) {
      const double formula = .1582 * std::pow(table.NumberAt(row, "D"), .0745) *
                             std::pow(std::log2(table.NumberAt(row, "G")), .7779) /
                             std::pow(table.NumberAt(row, "N"), .2186);
      delta.push_back(exact ? formula : table.NumberAt(row, "delta"));
    }
    ASSERT_TRUE(table.SetNumbers("delta", delta).ok());
    CompareLaws(&study);
    bool pairs = false;
    std::string text;
    for (const Section& section : MakePage(study.inputs).sections) {
      if (section.id != "laws-delta") continue;
      for (const std::string& paragraph : section.paragraphs) text += paragraph;
      for (const Figure& figure : section.figures) pairs |= figure.id == "laws-delta-pairs";
    }
    EXPECT_EQ(pairs, !exact);
    EXPECT_EQ(text.find("reproduces these 80 runs exactly") != std::string::npos, exact) << text;
  }
}

TEST(ReportTest, LawFittedToOtherBitsDrawsNoCurve) {
  Study study = QuickstartStudy(2);
  observe::Table& table = study.inputs.observations;
  const observe::Table all = table;
  table = all.Filter([&](size_t row) { return all.TextAt(row, "precision") != "W3A3"; });
  CompareLaws(&study);
  table = all;
  study.Decompose();
  const nlohmann::json figures = FiguresIn(OwnHtml(MakePage(study.inputs)));
  const auto dotted = [&](const std::string& id) {
    int count = 0;
    for (const nlohmann::json& figure : figures) {
      if (figure["id"] != id) continue;
      for (const nlohmann::json& trace : figure["traces"]) {
        count += trace.value("/line/dash"_json_pointer, "") == "dot";
      }
    }
    return count;
  };
  EXPECT_GT(dotted("figure-delta-data-W4A4"), 0);
  EXPECT_EQ(dotted("figure-delta-data-W3A3"), 0);
}

TEST(ReportTest, EveryComparisonDrawsItsLawThroughItsRuns) {
  Study study = QuickstartStudy(2);
  const observe::Table all = study.inputs.observations;
  // A comparison for each precision, and one over both.
  for (const char* precision : {"W4A4", "W3A3", ""}) {
    study.inputs.observations = all.Filter([&](size_t row) {
      return *precision == '\0' || IsFullPrecision(all, row) ||
             all.TextAt(row, "precision") == precision;
    });
    const size_t before = study.inputs.laws.size();
    CompareLaws(&study);
    study.inputs.laws.resize(before + 1);  // without that of the loss
    study.inputs.laws.back().id = absl::StrCat("laws-", *precision == '\0' ? "all" : precision);
  }
  study.inputs.observations = all;
  const Page page = MakePage(study.inputs);
  const auto delta = std::find_if(page.sections.begin(), page.sections.end(),
                                  [](const Section& section) { return section.id == "delta"; });
  ASSERT_NE(delta, page.sections.end());
  int checked = 0;
  for (const Figure& figure : delta->figures) {
    if (figure.id != "delta-data-W4A4" && figure.id != "delta-data-W3A3") continue;
    ++checked;
    const std::string own = figure.id.substr(figure.id.size() - 4);
    const std::string other = own == "W4A4" ? "W3A3" : "W4A4";
    EXPECT_THAT(figure.reading, HasSubstr(absl::StrCat("of fit '", own, "' (dotted)")));
    EXPECT_THAT(figure.reading, HasSubstr("of fit 'all' (dashed)"));
    EXPECT_THAT(figure.reading, Not(HasSubstr(other)));
    int dotted = 0, dashed = 0, bands = 0;
    for (const nlohmann::json& trace : figure.traces) {
      const std::string dash = trace.value("/line/dash"_json_pointer, "");
      dotted += dash == "dot";
      dashed += dash == "dash";
      bands += trace.contains("fill");
    }
    EXPECT_EQ(dotted, 6);  // 3 sizes in 2 panels
    EXPECT_EQ(dashed, 6);
    EXPECT_EQ(bands, 6);
  }
  EXPECT_EQ(checked, 2);
}

TEST(ReportTest, OneSeedSaysThatTrainingErrorIsUnknown) {
  Study study = QuickstartStudy(1);
  const Page page = MakePage(study.inputs);
  ExpectNoNan(page);
  const Section& findings = page.sections[1];
  ASSERT_EQ(findings.id, "findings");
  EXPECT_THAT(findings.paragraphs, Contains(HasSubstr("training part is not known")));
  EXPECT_THAT(findings.findings, Contains(HasSubstr("By sign alone it")));
  for (const std::string& finding : findings.findings) {
    EXPECT_THAT(finding, Not(HasSubstr("This agrees with"))) << finding;
    EXPECT_THAT(finding, Not(HasSubstr("the other way round"))) << finding;
  }
}

TEST(ReportTest, MissingPartsLeaveFiguresOut) {
  Study study = PaperStudy();
  const Page page = MakePage(study.inputs);
  ExpectNoNan(page);
  EXPECT_THAT(SectionIds(page), testing::ElementsAre("findings", "delta", "causes", "runs"));
  for (const Section& section : page.sections) {
    for (const Figure& figure : section.figures) {
      EXPECT_NE(figure.id, "parts");
      EXPECT_NE(figure.id, "roles");
    }
  }
}

TEST(ReportTest, ClashingIdsStayApartAndArePlain) {
  Inputs inputs;
  for (int i = 0; i < 2; ++i) {
    ComparedLaws laws;
    laws.id = i == 0 ? "../laws" : "..-laws?";
    laws.comparison.refused = {{"form", "too few rows"}};
    inputs.laws.push_back(laws);
    inputs.laws.push_back(std::move(laws));
  }
  const Page page = MakePage(inputs);
  std::set<std::string> ids;
  for (const Section& section : page.sections) {
    for (const ShownTable& table : section.tables) {
      EXPECT_TRUE(ids.insert(table.id).second) << table.id;
      EXPECT_EQ(table.id.find_first_of("./?"), std::string::npos) << table.id;
    }
  }
  EXPECT_EQ(ids.size(), 4u);
}

TEST(ReportTest, WritesJsonAndDataOfEverythingShown) {
  Study study = QuickstartStudy(2);
  const Page page = MakePage(study.inputs);
  const std::string folder = testing::TempDir() + "/report-files";
  ASSERT_TRUE(WriteReport(page, folder).ok());
  const auto json = nlohmann::json::parse(ReadAll(folder + "/report.json"));
  ASSERT_EQ(json["sections"].size(), page.sections.size());
  for (const Section& section : page.sections) {
    for (const Figure& figure : section.figures) {
      const std::string path = absl::StrCat(folder, "/data/", figure.id, ".csv");
      EXPECT_EQ(ReadAll(path), observe::FormatCsv(figure.data));
    }
    for (const ShownTable& table : section.tables) {
      const std::string path = absl::StrCat(folder, "/data/", table.id, ".csv");
      EXPECT_EQ(ReadAll(path), observe::FormatCsv(table.data));
    }
  }
  EXPECT_EQ(ReadAll(folder + "/report.html"), RenderHtml(page));
  // The same inputs give the same bytes.
  EXPECT_EQ(RenderHtml(MakePage(study.inputs)), RenderHtml(page));
}

TEST(ReportTest, FolderThatCannotBeMadeIsSaid) {
  const absl::Status status = WriteReport(MakePage({}), "/proc/no-such-folder");
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("/proc/no-such-folder"));
}

TEST(ReportTest, LongTablesAreShownInPart) {
  Inputs inputs;
  std::vector<double> sizes(700, 1e6);
  ASSERT_TRUE(inputs.observations.SetNumbers("N", sizes).ok());
  const Page page = MakePage(inputs);
  const ShownTable& table = page.sections.back().tables[0];
  EXPECT_EQ(table.shown.rows(), 500u);
  EXPECT_EQ(table.data.rows(), 700u);
  EXPECT_TRUE(table.collapsed);
  EXPECT_THAT(table.title, HasSubstr("first 500 of 700"));
}

}  // namespace
}  // namespace qatlas::report
