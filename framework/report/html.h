// The report as one HTML file that works offline.
#ifndef QATLAS_FRAMEWORK_REPORT_HTML_H_
#define QATLAS_FRAMEWORK_REPORT_HTML_H_

#include <string>
#include <vector>

#include "framework/report/figure.h"

namespace qatlas::report {

struct Page {
  std::string title;
  std::string summary;  // the sentence a reader should take away
  std::vector<Section> sections;
};

// Renders the page with style, Plotly and all data inside. Every text of a recipe or a CSV is
// escaped.
std::string RenderHtml(const Page& page);

// Text safe inside HTML and attribute values.
std::string EscapeHtml(const std::string& text);

}  // namespace qatlas::report

#endif  // QATLAS_FRAMEWORK_REPORT_HTML_H_
