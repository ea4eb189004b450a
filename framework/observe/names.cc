#include "framework/observe/names.h"

#include <algorithm>

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

namespace qatlas::observe {
namespace {

std::string Plain(absl::string_view name) {
  std::string plain;
  for (char c : name) {
    if (c != '_' && c != '-') plain.push_back(absl::ascii_tolower(c));
  }
  return plain;
}

}  // namespace

int EditDistance(absl::string_view left, absl::string_view right) {
  const std::string a = Plain(left), b = Plain(right);
  const int columns = static_cast<int>(b.size());
  std::vector<int> before_last(columns + 1), last(columns + 1), row(columns + 1);
  for (int j = 0; j <= columns; ++j) last[j] = j;
  for (int i = 1; i <= static_cast<int>(a.size()); ++i) {
    row[0] = i;
    for (int j = 1; j <= columns; ++j) {
      row[j] = std::min({row[j - 1] + 1, last[j] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    before_last.swap(last);
    last.swap(row);
  }
  return last[columns];
}

std::vector<std::string> NearestNames(absl::string_view wanted, absl::Span<const std::string> names,
                                      size_t limit) {
  const std::string plain = Plain(wanted);
  const int allowed = std::max(1, static_cast<int>(plain.size()) / 3);
  std::vector<std::pair<int, std::string>> near;
  for (const std::string& name : names) {
    const int distance = EditDistance(wanted, name);
    const std::string other = Plain(name);
    // "params" for "params_nonembedding"; single letters are contained in nearly everything.
    const bool contains =
        plain.size() >= 3 && other.size() >= 3 &&
        (other.find(plain) != std::string::npos || plain.find(other) != std::string::npos);
    // Any letter is one step from any other.
    const bool close = distance <= allowed && distance < static_cast<int>(plain.size());
    if (close || contains) near.emplace_back(distance, name);
  }
  std::stable_sort(near.begin(), near.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> nearest;
  for (size_t i = 0; i < near.size() && i < limit; ++i) nearest.push_back(near[i].second);
  return nearest;
}

std::string Suggest(absl::string_view wanted, absl::Span<const std::string> names) {
  if (names.empty()) return "";
  const auto quote = [](std::string* out, const std::string& name) {
    absl::StrAppend(out, "'", name, "'");
  };
  const std::vector<std::string> nearest = NearestNames(wanted, names);
  if (nearest.empty()) return absl::StrCat("; there are ", absl::StrJoin(names, ", ", quote));
  return absl::StrCat("; did you mean ", absl::StrJoin(nearest, " or ", quote), "?");
}

}  // namespace qatlas::observe
