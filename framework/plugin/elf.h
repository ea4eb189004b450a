// Whether a shared library is whole, before the dynamic linker maps it: a process that touches a
// page behind the end of a mapped file dies.
#ifndef QATLAS_FRAMEWORK_PLUGIN_ELF_H_
#define QATLAS_FRAMEWORK_PLUGIN_ELF_H_

#include <string>

namespace qatlas::plugin {

// "" where the file holds all that its ELF headers name (segments and section headers), or is no
// 64-bit ELF file, of which the linker says so itself; else what is missing: "it is truncated:
// ...".
std::string TruncatedLibrary(const std::string& path);

}  // namespace qatlas::plugin

#endif  // QATLAS_FRAMEWORK_PLUGIN_ELF_H_
