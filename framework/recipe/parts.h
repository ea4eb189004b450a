// Parts: what of a scheme is applied. They split a loss gap into its causes.
#ifndef QATLAS_FRAMEWORK_RECIPE_PARTS_H_
#define QATLAS_FRAMEWORK_RECIPE_PARTS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "framework/plugin/catalog.h"
#include "framework/recipe/segment.h"

namespace qatlas::recipe {

// Ok for "both", "weights", "inputs", "<role>-<n>bit", "only:<role>" and "not:<role>".
absl::Status CheckPart(const std::string& part);
// A regular expression (ECMA 262) that admits what CheckPart() does.
inline constexpr char kPartPattern[] = "^(both|weights|inputs|.+-[0-9]+bit|only:.+|not:.+)$";
// The role that a part names; "" where it names none.
std::string RoleOfPart(const std::string& part);

// The rules of a part of a scheme. Patterns are narrowed, rule by rule, so that the order of rules
// and what they override stays:
//   both           the rules themselves
//   weights        those of weights; inputs likewise
//   only:fc2       those of the role FC2
//   not:fc2        all, and FC2 back in full precision
//   fc2-8bit       all, and FC2's input with bits = 8 (any role and any number of bits)
// Errors: a part that leaves nothing of the scheme, or one that changes bits of a quantizer without
// the option `bits`, or bits outside that option's range.
absl::StatusOr<std::vector<ResolvedRule>> ApplyPart(const std::vector<ResolvedRule>& rules,
                                                    const std::string& part,
                                                    const plugin::Catalog& catalog);

}  // namespace qatlas::recipe

#endif  // QATLAS_FRAMEWORK_RECIPE_PARTS_H_
