// One figure of a report: Plotly traces and layout, with the data they were drawn from.
#ifndef QATLAS_FRAMEWORK_REPORT_FIGURE_H_
#define QATLAS_FRAMEWORK_REPORT_FIGURE_H_

#include <string>
#include <vector>

#include "framework/observe/table.h"
#include "nlohmann/json.hpp"

namespace qatlas::report {

// A figure says in its title what to see, and in `reading` how to read it. Traces and layout are Plotly's
// (https://plotly.com/javascript/reference/). `data` is the table behind it, offered as CSV; a figure
// without data is a bug.
struct Figure {
  std::string id;       // unique in the report: file name of its data
  std::string title;    // a statement or a question, one line
  std::string reading;  // one or two sentences
  nlohmann::json traces = nlohmann::json::array();
  nlohmann::json layout = nlohmann::json::object();
  observe::Table data;
};

// A table shown as such. Numbers are shown with `digits` significant digits; the CSV has all of them.
struct ShownTable {
  std::string id;
  std::string title;
  std::string reading;
  observe::Table data;
  int digits = 4;
};

// A part of the report: sentences, figures and tables in this order.
struct Section {
  std::string id;
  std::string title;
  std::vector<std::string> paragraphs;
  std::vector<Figure> figures;
  std::vector<ShownTable> tables;
};

// Colours that stay apart for colour-blind readers (Okabe and Ito 2008); the i-th series.
const char* SeriesColor(size_t i);
// Plotly's symbol of the i-th series, so that colour is not the only mark.
const char* SeriesSymbol(size_t i);

// A JSON number, or null for what is not finite: no NaN reaches a report.
nlohmann::json NumberOrNull(double value);

// A scatter trace of points with (optional) symmetric error bars, joined by a line when `line`.
nlohmann::json PointTrace(const std::string& name, const std::vector<double>& x,
                          const std::vector<double>& y, const std::vector<double>& error, size_t series,
                          bool line);

// Axes with titles; a logarithmic x axis shows N, D and G as they are usually shown.
nlohmann::json Axes(const std::string& x, const std::string& y, bool x_log, bool y_log);

// "1.05M", "262k": counts as people write them.
std::string ShortCount(double value);
// Up to `digits` significant digits, without trailing zeros; "–" for what is not known.
std::string ShortNumber(double value, int digits = 4);

}  // namespace qatlas::report

#endif  // QATLAS_FRAMEWORK_REPORT_FIGURE_H_
