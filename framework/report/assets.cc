#include "framework/report/assets.h"

// The assembler copies the files as they are; a string literal of 5 MB would cost the compiler a
// minute.
#define QATLAS_EMBED(symbol, path)          \
  __asm__(                                  \
      ".section .rodata\n"                  \
      ".global " #symbol                    \
      "_begin\n"                            \
      ".hidden " #symbol "_begin\n" #symbol \
      "_begin:\n"                           \
      ".incbin \"" path                     \
      "\"\n"                                \
      ".global " #symbol                    \
      "_end\n"                              \
      ".hidden " #symbol "_end\n" #symbol   \
      "_end:\n"                             \
      ".byte 0\n"                           \
      ".previous\n");                       \
  extern "C" const char symbol##_begin[];   \
  extern "C" const char symbol##_end[];

QATLAS_EMBED(qatlas_report_style, QATLAS_REPORT_STYLE)
QATLAS_EMBED(qatlas_report_script, QATLAS_REPORT_SCRIPT)
QATLAS_EMBED(qatlas_report_plotly, QATLAS_REPORT_PLOTLY)

namespace qatlas::report {
namespace {

std::string_view Between(const char* begin, const char* end) {
  return {begin, static_cast<size_t>(end - begin)};
}

}  // namespace

std::string_view StyleSource() {
  return Between(qatlas_report_style_begin, qatlas_report_style_end);
}
std::string_view ScriptSource() {
  return Between(qatlas_report_script_begin, qatlas_report_script_end);
}
std::string_view PlotlySource() {
  return Between(qatlas_report_plotly_begin, qatlas_report_plotly_end);
}

}  // namespace qatlas::report
