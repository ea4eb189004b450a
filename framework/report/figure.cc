#include "framework/report/figure.h"

#include <cmath>
#include <cstdio>

#include "absl/strings/str_format.h"

namespace qatlas::report {

const char* SeriesColor(size_t i) {
  static constexpr const char* kColors[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                            "#E69F00", "#56B4E9", "#000000", "#8A8A00"};
  return kColors[i % std::size(kColors)];
}

const char* SeriesSymbol(size_t i) {
  static constexpr const char* kSymbols[] = {"circle",      "square", "diamond", "triangle-up",
                                             "triangle-down", "cross",  "x",       "star"};
  return kSymbols[i % std::size(kSymbols)];
}

nlohmann::json NumberOrNull(double value) {
  if (!std::isfinite(value)) return nullptr;
  return value;
}

namespace {

nlohmann::json Numbers(const std::vector<double>& values) {
  nlohmann::json result = nlohmann::json::array();
  for (double value : values) result.push_back(NumberOrNull(value));
  return result;
}

}  // namespace

nlohmann::json PointTrace(const std::string& name, const std::vector<double>& x,
                          const std::vector<double>& y, const std::vector<double>& error, size_t series,
                          bool line) {
  nlohmann::json trace = {
      {"type", "scatter"},
      {"mode", line ? "lines+markers" : "markers"},
      {"name", name},
      {"x", Numbers(x)},
      {"y", Numbers(y)},
      {"marker", {{"color", SeriesColor(series)}, {"symbol", SeriesSymbol(series)}, {"size", 8}}},
      {"line", {{"color", SeriesColor(series)}, {"width", 1.5}}},
  };
  if (!error.empty()) {
    trace["error_y"] = {{"type", "data"}, {"array", Numbers(error)}, {"visible", true},
                        {"thickness", 1.2}, {"width", 3}, {"color", SeriesColor(series)}};
  }
  return trace;
}

nlohmann::json Axes(const std::string& x, const std::string& y, bool x_log, bool y_log) {
  nlohmann::json layout = {
      {"xaxis", {{"title", {{"text", x}}}, {"automargin", true}}},
      {"yaxis", {{"title", {{"text", y}}}, {"automargin", true}, {"zeroline", true}}},
  };
  if (x_log) {
    layout["xaxis"]["type"] = "log";
    layout["xaxis"]["exponentformat"] = "SI";
    layout["xaxis"]["dtick"] = "D2";
  }
  if (y_log) layout["yaxis"]["type"] = "log";
  return layout;
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
  char text[48];
  std::snprintf(text, sizeof(text), "%.*g", digits, value);
  return text;
}

}  // namespace qatlas::report
