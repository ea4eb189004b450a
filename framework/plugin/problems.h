// Collects everything that is wrong with what a person wrote, so that it is reported at once.
#ifndef QATLAS_FRAMEWORK_PLUGIN_PROBLEMS_H_
#define QATLAS_FRAMEWORK_PLUGIN_PROBLEMS_H_

#include <string>
#include <vector>
#include "absl/strings/string_view.h"

#include "absl/status/status.h"

namespace qatlas::plugin {

// One thing that is wrong: "recipe.toml:4:1" (or "override 'a=1'") and what it is, with what to do.
struct Problem {
  std::string where;  // place
  std::string what;   // is wrong
  bool operator==(const Problem& other) const = default;
};

class Problems {  // All that is wrong with one input.
 public:
  void Add(absl::string_view where, absl::string_view what);  // one more
  bool empty() const { return problems_.empty(); }            // none
  size_t size() const { return problems_.size(); }            // how many
  // Sorted by file, line and column, without doubles; overrides come last.
  std::vector<Problem> Sorted() const;
  // Ok, or InvalidArgument with one line "where: what" for each problem.
  absl::Status ToStatus() const;

 private:
  std::vector<Problem> problems_;
};

}  // namespace qatlas::plugin

#endif  // QATLAS_FRAMEWORK_PLUGIN_PROBLEMS_H_
