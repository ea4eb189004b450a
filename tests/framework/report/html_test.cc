#include "framework/report/html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace qatlas::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kHostile[] =
    "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)> & <!--";

TEST(HtmlTest, EscapesEverythingThatHtmlReads) {
  EXPECT_EQ(EscapeHtml("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
  EXPECT_EQ(EscapeHtml("δ ≤ 1"), "δ ≤ 1");
}

TEST(HtmlTest, HostileTextsStayTexts) {
  Page page;
  page.title = kHostile;
  page.summary = kHostile;
  Section section;
  section.id = kHostile;
  section.title = kHostile;
  section.paragraphs = {kHostile};
  section.findings = {kHostile};
  Figure figure;
  figure.id = kHostile;
  figure.title = kHostile;
  figure.reading = kHostile;
  figure.panels = {kHostile, kHostile};
  figure.traces.push_back(PointTrace(kHostile, {1}, {2}, {}, 0, false));
  figure.layout = Axes(kHostile, kHostile, false, false);
  section.figures.push_back(figure);
  ShownTable table;
  table.id = kHostile;
  table.title = kHostile;
  table.reading = kHostile;
  table.collapsed = true;
  ASSERT_TRUE(table.data.Append({{kHostile, std::string(kHostile)}}).ok());
  section.tables.push_back(table);
  page.sections.push_back(section);
  const std::string html = RenderHtml(page);
  EXPECT_THAT(html, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(html, Not(HasSubstr("<img src=x")));
  EXPECT_THAT(html, HasSubstr("&lt;img src=x"));
  // Plotly reads tags in its texts too: there the name is escaped once more, inside the JSON.
  EXPECT_THAT(html, HasSubstr("&lt;img src=x onerror=alert(2)&gt; &amp; &lt;!--\""));
}

TEST(HtmlTest, NoJsonTextHoldsAnAngleBracket) {
  Page page;
  Section section;
  Figure figure;
  figure.id = "f";
  figure.traces.push_back({{"hovertemplate", "%{x}<extra></extra>"}});
  section.figures.push_back(figure);
  page.sections.push_back(section);
  const std::string html = RenderHtml(page);
  EXPECT_THAT(html, HasSubstr("%{x}\\u003cextra>\\u003c/extra>"));
}

TEST(HtmlTest, MissingNumbersAreDashes) {
  Page page;
  Section section;
  ShownTable table;
  table.id = "t";
  ASSERT_TRUE(table.data.Append({{"x", std::nan("")}, {"y", INFINITY}, {"z", .12345678}}).ok());
  section.tables.push_back(table);
  page.sections.push_back(section);
  EXPECT_THAT(RenderHtml(page), HasSubstr("<td class=\"number\">–</td><td class=\"number\">–</td>"
                                          "<td class=\"number\">0.1235</td>"));
}

}  // namespace
}  // namespace qatlas::report
