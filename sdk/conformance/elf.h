// What the dynamic linker sees of a shared library, read from its file.
#ifndef QATLAS_SDK_CONFORMANCE_ELF_H_
#define QATLAS_SDK_CONFORMANCE_ELF_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace qatlas::conformance {

// How the dynamic linker treats several definitions of a name.
enum class Binding {
  kStrong,  // each library's own under RTLD_LOCAL, else the first one wins
  kWeak,    // as strong, but the language allows many: inline functions, templates
  kUnique   // one for the whole process even under RTLD_LOCAL: static variables of inline functions
};

struct Symbol {
  std::string name;
  Binding binding = Binding::kStrong;
};

struct SharedLibrary {
  std::vector<std::string> needed;  // libraries that it is linked with
  std::vector<Symbol> exported;     // defined here and visible to others
};

// Errors: the file cannot be read, or is no 64-bit little-endian shared library of ELF.
absl::StatusOr<SharedLibrary> ReadSharedLibrary(const std::string& path);

}  // namespace qatlas::conformance

#endif  // QATLAS_SDK_CONFORMANCE_ELF_H_
