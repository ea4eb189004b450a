#include "framework/observe/problems.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

namespace qatlas::observe {

absl::Status Problems::ToStatus(const std::string& headline) const {
  if (count_ == 0) return absl::OkStatus();
  std::string message = absl::StrJoin(shown_, "\n");
  if (count_ > shown_.size()) {
    absl::StrAppend(&message, "\nand ", count_ - shown_.size(), " more");
  }
  if (!headline.empty()) message = absl::StrCat(headline, "\n", message);
  return absl::InvalidArgumentError(message);
}

}  // namespace qatlas::observe
