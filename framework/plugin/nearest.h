// "Did you mean": the known name that is nearest to a misspelt one.
#ifndef QATLAS_FRAMEWORK_PLUGIN_NEAREST_H_
#define QATLAS_FRAMEWORK_PLUGIN_NEAREST_H_

#include <string>
#include <vector>
#include "absl/strings/string_view.h"

namespace qatlas::plugin {

// Insertions, deletions, substitutions and swaps of neighbours that turn one into the other
// (optimal string alignment); '-' and '_' count as equal, and so do upper and lower case.
int EditDistance(absl::string_view a, absl::string_view b);

// Up to `count` of the candidates, the nearest first; equal distances in the order of the
// candidates. Only those are returned that a typing mistake could explain: a distance of at most a
// third of the longer name (at least 1), or one being the beginning of the other.
std::vector<std::string> NearestNames(absl::string_view name,
                                      const std::vector<std::string>& candidates, size_t count = 3);

// What a message ends with: "; nearest valid name: 'bits'", or where nothing is near "; valid
// names: 'a', 'b'" (at most twelve, then how many more), or "" where there are no candidates.
std::string NearestHint(absl::string_view name, const std::vector<std::string>& candidates);

}  // namespace qatlas::plugin

#endif  // QATLAS_FRAMEWORK_PLUGIN_NEAREST_H_
