// All problems of an input in one status, instead of the first alone.
#ifndef QATLAS_FRAMEWORK_OBSERVE_PROBLEMS_H_
#define QATLAS_FRAMEWORK_OBSERVE_PROBLEMS_H_

#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>

namespace qatlas::observe {

// Collects problems and turns them into one InvalidArgument status with one problem a line.
class Problems {
 public:
  static constexpr size_t kShown = 20;  // At most.

  // Keeps the first `kShown` messages and counts the rest.
  void Add(std::string message) {
    if (shown_.size() < kShown) shown_.push_back(std::move(message));
    ++count_;
  }
  bool empty() const { return count_ == 0; }
  // True once more problems would only be counted.
  bool full() const { return count_ >= kShown; }
  size_t count() const { return count_; }
  const std::vector<std::string>& shown() const { return shown_; }

  // Ok when there are none. `headline` (may be empty) is put before several problems.
  absl::Status ToStatus(const std::string& headline = "") const;

 private:
  std::vector<std::string> shown_;
  size_t count_ = 0;
};

}  // namespace qatlas::observe

#endif  // QATLAS_FRAMEWORK_OBSERVE_PROBLEMS_H_
