// One figure of a report: Plotly traces and layout, with the data they were drawn from.
#ifndef QATLAS_FRAMEWORK_REPORT_FIGURE_H_
#define QATLAS_FRAMEWORK_REPORT_FIGURE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "framework/observe/table.h"
#include "nlohmann/json.hpp"

namespace qatlas::report {

// A figure says in its title what to see, and in `reading` how to read it. Traces and layout are
// Plotly's (https://plotly.com/javascript/reference/). `data` is the table behind it, offered as
// CSV; a figure without data is a bug.
//
// With several panels, trace i of panel p (from 0) has `xaxis` "x<p+1>" and `yaxis` "y<p+1>"
// (InPanel sets them); every panel takes the layout's xaxis and yaxis and what xaxis<p+1> adds to
// them, and the page's script places as many panels side by side as the window is wide.
struct Figure {
  std::string id;       // unique in the report: file name of its data
  std::string title;    // a statement or a question, one line
  std::string reading;  // one or two sentences
  nlohmann::json traces = nlohmann::json::array();
  nlohmann::json layout = nlohmann::json::object();
  observe::Table data;
  std::vector<std::string> panels;  // their titles; empty: one panel without a title
  bool own_y = false;               // panels have y axes of their own, else they share one
  bool wide = false;                // over the whole width; figures of several panels always are
  int height = 0;                   // of one panel's plot in pixels; 0: the usual
  int panel_width = 0;              // least width of a panel in pixels; 0: the usual
};

// A table shown as such. Numbers are shown with `digits` significant digits; the CSV has all of
// them.
struct ShownTable {
  std::string id;
  std::string title;
  std::string reading;
  observe::Table data;
  int digits = 4;
  observe::Table shown;    // what the page shows instead of `data`, where it has columns
  bool collapsed = false;  // opened by a click
};

// A part of the report: sentences, tables that come first, figures, further tables.
struct Section {
  std::string id;
  std::string title;
  std::vector<std::string> paragraphs;
  std::vector<std::string> findings;  // shown as a list
  std::vector<Figure> figures;
  std::vector<ShownTable> tables;

  bool empty() const {
    return paragraphs.empty() && findings.empty() && figures.empty() && tables.empty();
  }
};

// Colours that stay apart for colour-blind readers (Okabe and Ito 2008); the i-th series.
const char* SeriesColor(size_t i);
// The same with an opacity, as Plotly and CSS read it.
std::string PaleColor(size_t i, double opacity);
// Plotly's symbol of the i-th series, so that colour is not the only mark. Colour and symbol
// together tell 64 series apart.
const char* SeriesSymbol(size_t i);

// A JSON number, or null for what is not finite: no NaN reaches a report.
nlohmann::json NumberOrNull(double value);
nlohmann::json NumbersOrNull(const std::vector<double>& values);

// A name of a recipe or a CSV as Plotly shows it: Plotly reads some HTML in its texts.
std::string PlotText(const std::string& text);

// A scatter trace of points with (optional) symmetric error bars, joined by a line when `line`.
nlohmann::json PointTrace(const std::string& name, const std::vector<double>& x,
                          const std::vector<double>& y, const std::vector<double>& error,
                          size_t series, bool line);

// Bars over labels, with error bars where `errors` is not empty.
nlohmann::json BarTrace(const std::string& name, const std::vector<std::string>& labels,
                        const std::vector<double>& heights, const std::vector<double>& errors,
                        size_t series);

// Puts a trace into a panel. Traces of one name share an entry of the legend: that of the first
// panel that shows it.
void InPanel(size_t panel, nlohmann::json* trace);

// Axes with titles. A logarithmic x axis shows N, D and G as they are usually shown.
nlohmann::json Axes(const std::string& x, const std::string& y, bool x_log, bool y_log);
// Ticks at `values` where they are few, such as the trained sizes; else, where all are positive, at
// 1, 2 and 5 or at whole decades between them, for a logarithmic axis.
void TickAt(const std::vector<double>& values, nlohmann::json* axis);

// "1.05M", "262k": counts as people write them.
std::string ShortCount(double value);
// Up to `digits` significant digits, without trailing zeros; "–" for what is not known.
std::string ShortNumber(double value, int digits = 4);
// ".0123 ± .0004", the error with one or two digits and the value with as many decimals; the error
// is left out where it is not known.
std::string WithError(double value, double error);
// "2.1 (1.9 to 2.4)"
std::string WithInterval(double value, double low, double high, int digits = 3);

}  // namespace qatlas::report

#endif  // QATLAS_FRAMEWORK_REPORT_FIGURE_H_
