// Opens a page in headless Chromium.
#ifndef QATLAS_TESTS_FRAMEWORK_REPORT_CHROMIUM_H_
#define QATLAS_TESTS_FRAMEWORK_REPORT_CHROMIUM_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace qatlas::report {

struct OpenedPage {
  std::string dom;                   // after all scripts have run
  std::vector<std::string> console;  // lines that the page wrote
};

// NotFound where Chromium is not installed; DeadlineExceeded after two minutes.
absl::StatusOr<OpenedPage> OpenInChromium(const std::string& path, int width = 1400);

}  // namespace qatlas::report

#endif  // QATLAS_TESTS_FRAMEWORK_REPORT_CHROMIUM_H_
