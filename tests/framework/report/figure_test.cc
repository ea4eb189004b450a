#include "framework/report/figure.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace qatlas::report {
namespace {

TEST(FigureTest, ErrorsSetTheDigits) {
  EXPECT_EQ(WithError(.018034, .0004), "0.0180 ± 0.0004");
  EXPECT_EQ(WithError(.018034, .00123), "0.0180 ± 0.0012");
  EXPECT_EQ(WithError(-12.345, 3.2), "-12 ± 3");
  EXPECT_EQ(WithError(123.4, 25), "123 ± 25");
  EXPECT_EQ(WithError(.5, std::nan("")), "0.5");
  EXPECT_EQ(WithError(std::nan(""), .1), "–");
  EXPECT_EQ(WithError(2, 0), "2");
}

TEST(FigureTest, NumbersAsPeopleWriteThem) {
  EXPECT_EQ(ShortNumber(.1234567), "0.1235");
  EXPECT_EQ(ShortNumber(196608), "196608");
  EXPECT_EQ(ShortNumber(1e11, 3), "1e+11");
  EXPECT_EQ(ShortNumber(-INFINITY), "–");
  EXPECT_EQ(ShortCount(196608), "197k");
  EXPECT_EQ(ShortCount(1.6e6), "1.6M");
  EXPECT_EQ(ShortCount(1e11), "100B");
  EXPECT_EQ(ShortCount(32), "32");
  EXPECT_EQ(WithInterval(.2, .18, .231), "0.2 (0.18 to 0.231)");
  EXPECT_EQ(WithInterval(.2, std::nan(""), 1), "0.2");
}

TEST(FigureTest, TracesHoldNoNan) {
  const nlohmann::json trace =
      PointTrace("a", {1, std::nan("")}, {INFINITY, 2}, {std::nan(""), .1}, 0, true);
  EXPECT_EQ(trace["x"], nlohmann::json({1., nullptr}));
  EXPECT_EQ(trace["y"], nlohmann::json({nullptr, 2.}));
  EXPECT_EQ(trace["error_y"]["array"], nlohmann::json({nullptr, .1}));
  EXPECT_EQ(BarTrace("a", {"<x>"}, {NAN}, {}, 1)["y"], nlohmann::json({nullptr}));
  EXPECT_EQ(BarTrace("a", {"<x>"}, {1}, {}, 1)["x"], nlohmann::json({"&lt;x&gt;"}));
}

TEST(FigureTest, SixtyFourSeriesLookDifferent) {
  std::set<std::string> seen;
  for (size_t i = 0; i < 64; ++i) {
    seen.insert(std::string(SeriesColor(i)) + SeriesSymbol(i));
  }
  EXPECT_EQ(seen.size(), 64u);
  EXPECT_EQ(PaleColor(0, .5), "rgba(0,114,178,0.5)");
}

TEST(FigureTest, TicksOnlyWhereTheyAreFew) {
  nlohmann::json axis;
  TickAt({128, 32, 32}, &axis);
  EXPECT_EQ(axis["tickvals"], nlohmann::json({32., 128.}));
  EXPECT_EQ(axis["ticktext"], nlohmann::json({"32", "128"}));
  nlohmann::json crowded;
  TickAt({1e6, 2e6, 3e6, 4e6, 5e6, 6e6, 7e6, 8e6, 9e6, 3e7}, &crowded);
  EXPECT_EQ(crowded["ticktext"], nlohmann::json({"1M", "2M", "5M", "10M", "20M"}));
  nlohmann::json unknown = nlohmann::json::object();
  TickAt({1, NAN}, &unknown);
  TickAt({}, &unknown);
  TickAt({0, 1, 2, 3, 4, 5, 6, 7, 8}, &unknown);
  EXPECT_TRUE(unknown.empty());
}

TEST(FigureTest, PanelsNameTheirAxes) {
  nlohmann::json trace = nlohmann::json::object();
  InPanel(0, &trace);
  EXPECT_TRUE(trace.empty());
  InPanel(2, &trace);
  EXPECT_EQ(trace["xaxis"], "x3");
  EXPECT_EQ(trace["yaxis"], "y3");
}

}  // namespace
}  // namespace qatlas::report
