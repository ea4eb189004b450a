#include "framework/plugin/problems.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace qatlas::plugin {
namespace {

// "dir/a.toml:12:3" → ("dir/a.toml", 12, 3); anything else → (text, 0, 0).
std::tuple<std::string, int, int> Place(const std::string& where) {
  const size_t second = where.rfind(':');
  if (second == std::string::npos || second == 0) return {where, 0, 0};
  const size_t first = where.rfind(':', second - 1);
  int line = 0;
  int column = 0;
  if (first == std::string::npos ||
      !absl::SimpleAtoi(where.substr(first + 1, second - first - 1), &line) ||
      !absl::SimpleAtoi(where.substr(second + 1), &column)) {
    return {where, 0, 0};
  }
  return {where.substr(0, first), line, column};
}

}  // namespace

void Problems::Add(absl::string_view where, absl::string_view what) {
  problems_.push_back({std::string(where), std::string(what)});
}

std::vector<Problem> Problems::Sorted() const {
  std::vector<Problem> sorted;
  for (const Problem& problem : problems_) {
    if (std::find(sorted.begin(), sorted.end(), problem) == sorted.end()) sorted.push_back(problem);
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const Problem& a, const Problem& b) {
    const auto x = Place(a.where);
    const auto y = Place(b.where);
    // Places without a line (overrides) come after those in files.
    const bool x_last = std::get<1>(x) == 0;
    const bool y_last = std::get<1>(y) == 0;
    if (x_last || y_last) return !x_last && y_last;
    return x < y;
  });
  return sorted;
}

absl::Status Problems::ToStatus() const {
  if (problems_.empty()) return absl::OkStatus();
  std::string text;
  for (const Problem& problem : Sorted()) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", problem.where,
                    problem.where.empty() ? "" : ": ", problem.what);
  }
  return absl::InvalidArgumentError(text);
}

}  // namespace qatlas::plugin
