// The TOML manifest of a plugin, written from its descriptor.
#ifndef QATLAS_SDK_MANIFEST_MANIFEST_TEXT_H_
#define QATLAS_SDK_MANIFEST_MANIFEST_TEXT_H_

#include <string>

#include "qatlas/abi.h"

namespace qatlas {

// The handshake and every component with its options. `library` is the file's name, without its
// folder. Null texts are written as empty ones.
std::string ManifestText(const qatlas_descriptor& plugin, const std::string& library);

}  // namespace qatlas

#endif  // QATLAS_SDK_MANIFEST_MANIFEST_TEXT_H_
