// qatlas-manifest LIBRARY OUTPUT: writes the TOML manifest of a plugin from its descriptor.
//
// The manifest answers what the host must know without loading anything: the handshake, and each
// component with its options. It reads plain C only, so it needs nothing that the plugin needs.
#include <dlfcn.h>

#include <cstdio>
#include <string>

#include "qatlas/abi.h"
#include "sdk/manifest/manifest_text.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: qatlas-manifest LIBRARY OUTPUT\n");
    return 2;
  }
  const std::string path = argv[1];
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::fprintf(stderr, "qatlas-manifest: %s\n", dlerror());
    return 1;
  }
  auto entry = reinterpret_cast<qatlas_entry_point>(dlsym(library, QATLAS_ENTRY_POINT));
  if (entry == nullptr) {
    std::fprintf(stderr, "qatlas-manifest: %s exports no %s: use QATLAS_PLUGIN in one source file\n",
                 path.c_str(), QATLAS_ENTRY_POINT);
    return 1;
  }
  const qatlas_descriptor* plugin = entry();
  if (plugin == nullptr || plugin->magic != QATLAS_MAGIC) {
    std::fprintf(stderr, "qatlas-manifest: %s gives no descriptor of a plugin\n", path.c_str());
    return 1;
  }
  const std::string text = qatlas::ManifestText(*plugin, path.substr(path.find_last_of('/') + 1));
  const std::string temporary = std::string(argv[2]) + ".tmp";
  std::FILE* out = std::fopen(temporary.c_str(), "w");
  if (out == nullptr || std::fwrite(text.data(), 1, text.size(), out) != text.size() ||
      std::fclose(out) != 0 || std::rename(temporary.c_str(), argv[2]) != 0) {
    std::perror(argv[2]);
    return 1;
  }
  return 0;
}
