// Files that are linked into the program: the report's style and script, and Plotly.
#ifndef QATLAS_FRAMEWORK_REPORT_ASSETS_H_
#define QATLAS_FRAMEWORK_REPORT_ASSETS_H_

#include <string_view>

namespace qatlas::report {

std::string_view StyleSource();
std::string_view ScriptSource();
std::string_view PlotlySource();  // MIT licence, stated in its first lines

}  // namespace qatlas::report

#endif  // QATLAS_FRAMEWORK_REPORT_ASSETS_H_
