// How plugins, components, options and abilities may be called.
#ifndef QATLAS_SDK_CONFORMANCE_NAMES_H_
#define QATLAS_SDK_CONFORMANCE_NAMES_H_

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"

namespace qatlas::conformance {

inline constexpr char kNameRule[] =
    "kebab or snake case: small letters and digits in words joined by '-' or '_', a letter first";

inline bool IsName(absl::string_view name) {
  if (name.empty() || !absl::ascii_islower(name.front())) return false;
  char before = '-';
  for (char c : name) {
    const bool joint = c == '-' || c == '_';
    if (joint ? before == '-' || before == '_'
              : !absl::ascii_islower(c) && !absl::ascii_isdigit(c)) {
      return false;
    }
    before = c;
  }
  return before != '-' && before != '_';
}

}  // namespace qatlas::conformance

#endif  // QATLAS_SDK_CONFORMANCE_NAMES_H_
