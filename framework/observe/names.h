// "Did you mean": the nearest valid names to one that is not known.
#ifndef QATLAS_FRAMEWORK_OBSERVE_NAMES_H_
#define QATLAS_FRAMEWORK_OBSERVE_NAMES_H_

#include <string>
#include <vector>

#include <absl/strings/string_view.h>
#include <absl/types/span.h>

namespace qatlas::observe {

// Edits (insert, delete, replace, swap of neighbours) from `a` to `b`, ignoring case, '_' and '-'.
int EditDistance(absl::string_view a, absl::string_view b);

// Up to `limit` names within a third of the length of `wanted` (at least one edit), nearest first.
// A name that contains `wanted`, or is contained in it, counts as near.
std::vector<std::string> NearestNames(absl::string_view wanted, absl::Span<const std::string> names,
                                      size_t limit = 3);

// "; did you mean 'loss'?" — or the list of all names where none is near; "" when there are none.
std::string Suggest(absl::string_view wanted, absl::Span<const std::string> names);

}  // namespace qatlas::observe

#endif  // QATLAS_FRAMEWORK_OBSERVE_NAMES_H_
