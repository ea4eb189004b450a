#include "framework/plugin/nearest.h"

#include <algorithm>
#include <cctype>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace qatlas::plugin {
namespace {

std::string Folded(absl::string_view text) {
  std::string result(text);
  for (char& c : result) {
    c = c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return result;
}

}  // namespace

int EditDistance(absl::string_view a, absl::string_view b) {
  const std::string x = Folded(a);
  const std::string y = Folded(b);
  const size_t columns = y.size() + 1;
  // Three rows: a swap looks two rows back.
  std::vector<int> before(columns), previous(columns), current(columns);
  for (size_t j = 0; j < columns; ++j) previous[j] = static_cast<int>(j);
  for (size_t i = 1; i <= x.size(); ++i) {
    current[0] = static_cast<int>(i);
    for (size_t j = 1; j < columns; ++j) {
      const int same = x[i - 1] == y[j - 1] ? 0 : 1;
      current[j] = std::min({previous[j] + 1, current[j - 1] + 1, previous[j - 1] + same});
      if (i > 1 && j > 1 && x[i - 1] == y[j - 2] && x[i - 2] == y[j - 1]) {
        current[j] = std::min(current[j], before[j - 2] + 1);
      }
    }
    std::swap(before, previous);
    std::swap(previous, current);
  }
  return previous[y.size()];
}

std::vector<std::string> NearestNames(absl::string_view name,
                                      const std::vector<std::string>& candidates, size_t count) {
  struct Ranked {
    int distance;
    std::string name;
  };
  std::vector<Ranked> ranked;
  const std::string folded = Folded(name);
  for (const std::string& candidate : candidates) {
    const int distance = EditDistance(name, candidate);
    const int longer = static_cast<int>(std::max(name.size(), candidate.size()));
    const std::string other = Folded(candidate);
    const bool beginning = folded.size() >= 3 && other.size() >= 3 &&
                           (absl::StartsWith(other, folded) || absl::StartsWith(folded, other));
    if (distance <= std::max(1, longer / 3) || beginning) ranked.push_back({distance, candidate});
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const Ranked& a, const Ranked& b) { return a.distance < b.distance; });
  std::vector<std::string> result;
  for (const Ranked& r : ranked) {
    if (result.size() == count) break;
    result.push_back(r.name);
  }
  return result;
}

std::string NearestHint(absl::string_view name, const std::vector<std::string>& candidates) {
  const std::vector<std::string> nearest = NearestNames(name, candidates, 1);
  if (!nearest.empty()) return absl::StrCat("; nearest valid name: '", nearest[0], "'");
  if (candidates.empty()) return "";
  constexpr size_t kMost = 12;
  const size_t shown = std::min(kMost, candidates.size());
  std::string result =
      absl::StrCat("; valid names: '",
                   absl::StrJoin(candidates.begin(),
                                 candidates.begin() + static_cast<std::ptrdiff_t>(shown), "', '"),
                   "'");
  if (shown < candidates.size())
    absl::StrAppend(&result, " and ", candidates.size() - shown, " more");
  return result;
}

}  // namespace qatlas::plugin
