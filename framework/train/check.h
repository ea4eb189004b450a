// Conformance checks of plugins that use LibTorch; `qatlas plugin check` starts this.
#ifndef QATLAS_FRAMEWORK_TRAIN_CHECK_H_
#define QATLAS_FRAMEWORK_TRAIN_CHECK_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "qatlas/conformance/suite.h"

namespace qatlas::train {

struct CheckRequest {
  std::vector<std::string> libraries;
  std::string include;  // regular expression over the checks' ids
  bool list = false;    // name the checks instead of running them
  conformance::RunSettings settings;
};

// Calls `line` with one line of JSON (conformance::ToJson) for each check as it ends. Each runs in
// a forked process, which shares what this one has loaded of LibTorch; must be called while this
// process has a single thread. Errors: `include` cannot be read.
absl::Status CheckPlugins(const CheckRequest& request,
                          const std::function<void(const std::string&)>& line);

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_CHECK_H_
