#include "framework/report/figure.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace qatlas::report {
namespace {

struct Color {
  const char* hex;
  int red, green, blue;
};
constexpr Color kColors[] = {{"#0072B2", 0, 114, 178}, {"#D55E00", 213, 94, 0},
                             {"#009E73", 0, 158, 115}, {"#CC79A7", 204, 121, 167},
                             {"#E69F00", 230, 159, 0}, {"#56B4E9", 86, 180, 233},
                             {"#333333", 51, 51, 51},  {"#8A8A00", 138, 138, 0}};

}  // namespace

const char* SeriesColor(size_t i) { return kColors[i % std::size(kColors)].hex; }

std::string PaleColor(size_t i, double opacity) {
  const Color& color = kColors[i % std::size(kColors)];
  return absl::StrFormat("rgba(%d,%d,%d,%g)", color.red, color.green, color.blue, opacity);
}

const char* SeriesSymbol(size_t i) {
  static constexpr const char* kSymbols[] = {"circle",        "square", "diamond", "triangle-up",
                                             "triangle-down", "cross",  "x",       "star"};
  return kSymbols[(i + i / std::size(kColors)) % std::size(kSymbols)];
}

nlohmann::json NumberOrNull(double value) {
  if (!std::isfinite(value)) return nullptr;
  return value;
}

nlohmann::json NumbersOrNull(const std::vector<double>& values) {
  nlohmann::json result = nlohmann::json::array();
  for (double value : values) result.push_back(NumberOrNull(value));
  return result;
}

std::string PlotText(const std::string& text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}});
}

nlohmann::json PointTrace(const std::string& name, const std::vector<double>& x,
                          const std::vector<double>& y, const std::vector<double>& error,
                          size_t series, bool line) {
  nlohmann::json trace = {
      {"type", "scatter"},
      {"mode", line ? "lines+markers" : "markers"},
      {"name", PlotText(name)},
      {"x", NumbersOrNull(x)},
      {"y", NumbersOrNull(y)},
      {"marker", {{"color", SeriesColor(series)}, {"symbol", SeriesSymbol(series)}, {"size", 8}}},
      {"line", {{"color", SeriesColor(series)}, {"width", 1.5}}},
  };
  if (!error.empty()) {
    trace["error_y"] = {{"type", "data"},  {"array", NumbersOrNull(error)},
                        {"visible", true}, {"thickness", 1.2},
                        {"width", 3},      {"color", SeriesColor(series)}};
  }
  return trace;
}

nlohmann::json BarTrace(const std::string& name, const std::vector<std::string>& labels,
                        const std::vector<double>& heights, const std::vector<double>& errors,
                        size_t series) {
  nlohmann::json x = nlohmann::json::array();
  for (const std::string& label : labels) x.push_back(PlotText(label));
  nlohmann::json trace = {{"type", "bar"},
                          {"name", PlotText(name)},
                          {"x", std::move(x)},
                          {"y", NumbersOrNull(heights)},
                          {"marker", {{"color", SeriesColor(series)}}}};
  if (!errors.empty()) {
    trace["error_y"] = {{"type", "data"},  {"array", NumbersOrNull(errors)},
                        {"visible", true}, {"thickness", 1.2},
                        {"width", 3},      {"color", "#444444"}};
  }
  return trace;
}

void InPanel(size_t panel, nlohmann::json* trace) {
  if (panel > 0) {
    (*trace)["xaxis"] = absl::StrCat("x", panel + 1);
    (*trace)["yaxis"] = absl::StrCat("y", panel + 1);
  }
}

nlohmann::json Axes(const std::string& x, const std::string& y, bool x_log, bool y_log) {
  nlohmann::json layout = {
      {"xaxis", {{"title", {{"text", PlotText(x)}}}, {"automargin", true}}},
      {"yaxis",
       {{"title", {{"text", PlotText(y)}, {"standoff", 6}}},
        {"automargin", true},
        {"zeroline", true}}},
  };
  if (x_log) {
    layout["xaxis"]["type"] = "log";
    layout["xaxis"]["exponentformat"] = "SI";
  }
  if (y_log) {
    layout["yaxis"]["type"] = "log";
    layout["yaxis"]["exponentformat"] = "SI";
  }
  return layout;
}

void TickAt(const std::vector<double>& values, nlohmann::json* axis) {
  // A set cannot order what is not a number.
  if (!std::all_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); })) return;
  std::set<double> levels(values.begin(), values.end());
  if (levels.empty()) return;
  // More labels than these run into each other: 1, 2, 5 or whole decades instead.
  constexpr size_t kMost = 8;
  if (levels.size() > kMost) {
    const double low = *levels.begin();
    const double high = *levels.rbegin();
    if (!(low > 0)) return;
    levels.clear();
    const bool decades = std::log10(high / low) > 2.5;
    for (double power = std::pow(10, std::floor(std::log10(low))); power <= high; power *= 10) {
      for (double digit : {1., 2., 5.}) {
        const double tick = digit * power;
        if (tick >= low && tick <= high && (digit == 1 || !decades)) levels.insert(tick);
      }
    }
    if (levels.size() < 2 || levels.size() > 12) return;
  }
  nlohmann::json places = nlohmann::json::array();
  nlohmann::json texts = nlohmann::json::array();
  for (double level : levels) {
    places.push_back(level);
    texts.push_back(ShortCount(level));
  }
  (*axis)["tickmode"] = "array";
  (*axis)["tickvals"] = std::move(places);
  (*axis)["ticktext"] = std::move(texts);
}

std::string ShortCount(double value) {
  if (!std::isfinite(value)) return "–";
  const double size = std::fabs(value);
  if (size >= 1e12) return absl::StrFormat("%.3gT", value / 1e12);
  if (size >= 1e9) return absl::StrFormat("%.3gB", value / 1e9);
  if (size >= 1e6) return absl::StrFormat("%.3gM", value / 1e6);
  if (size >= 1e4) return absl::StrFormat("%.3gk", value / 1e3);
  return absl::StrFormat("%.4g", value);
}

std::string ShortNumber(double value, int digits) {
  if (!std::isfinite(value)) return "–";
  // Counts and bits stay whole; large values would otherwise come as 2e+05.
  if (std::fabs(value) < 1e15 && (value == std::floor(value) || std::fabs(value) >= 1e4)) {
    if (std::fabs(value) >= 1e7) return absl::StrFormat("%.*g", digits, value);
    return absl::StrFormat("%.0f", value);
  }
  return absl::StrFormat("%.*g", digits, value);
}

std::string WithError(double value, double error) {
  if (!std::isfinite(value)) return "–";
  if (!std::isfinite(error) || error <= 0) return ShortNumber(value, 3);
  // Two digits of the error where the first is a 1, else one.
  const double magnitude = std::floor(std::log10(error));
  const double leading = error / std::pow(10, magnitude);
  const int decimals = static_cast<int>(-magnitude) + (leading < 2 ? 1 : 0);
  const int shown = std::clamp(decimals, 0, 12);
  return absl::StrFormat("%.*f ± %.*f", shown, value, shown, error);
}

std::string WithInterval(double value, double low, double high, int digits) {
  if (!std::isfinite(low) || !std::isfinite(high)) return ShortNumber(value, digits);
  return absl::StrCat(ShortNumber(value, digits), " (", ShortNumber(low, digits), " to ",
                      ShortNumber(high, digits), ")");
}

}  // namespace qatlas::report
