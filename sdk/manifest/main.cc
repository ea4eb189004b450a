// qatlas-manifest LIBRARY OUTPUT: writes the TOML manifest of a plugin from its descriptor.
//
// The manifest answers what the host must know without loading anything: the handshake, and each
// component with its options. It reads plain C only, so it needs nothing that the plugin needs.
#include <dlfcn.h>

#include <cmath>
#include <cstdio>
#include <string>

#include "qatlas/abi.h"

namespace {

std::string Quoted(const char* text) {
  std::string result = "\"";
  for (const char* c = text == nullptr ? "" : text; *c != '\0'; ++c) {
    if (*c == '"' || *c == '\\') {
      result += '\\';
      result += *c;
    } else if (*c == '\n') {
      result += "\\n";
    } else {
      result += *c;
    }
  }
  return result + "\"";
}

std::string Number(double value) {
  char text[40];
  std::snprintf(text, sizeof(text), "%.17g", value);
  std::string result = text;
  if (result == "inf" || result == "-inf") return result;
  if (result.find_first_of(".e") == std::string::npos) result += ".0";
  return result;
}

std::string List(const char* const* items) {
  std::string result = "[";
  for (; items != nullptr && *items != nullptr; ++items) {
    if (result.size() > 1) result += ", ";
    result += Quoted(*items);
  }
  return result + "]";
}

const char* KindName(int kind) {
  switch (kind) {
    case QATLAS_KIND_LAW: return "law";
    case QATLAS_KIND_SCHEME: return "scheme";
    case QATLAS_KIND_QUANTIZER: return "quantizer";
    case QATLAS_KIND_MODEL: return "model";
  }
  return "unknown";
}

const char* TypeName(int type) {
  switch (type) {
    case QATLAS_OPTION_BOOL: return "bool";
    case QATLAS_OPTION_INT: return "int";
    case QATLAS_OPTION_FLOAT: return "float";
    case QATLAS_OPTION_STRING: return "string";
    case QATLAS_OPTION_TABLE: return "table";
  }
  return "unknown";
}

std::string Manifest(const qatlas_descriptor& plugin, const std::string& library) {
  std::string out = "# Generated from the library when it was built; do not edit.\n";
  out += "manifest = 1\n";
  out += "library = " + Quoted(library.c_str()) + "\n";
  out += "name = " + Quoted(plugin.name) + "\n";
  out += "version = " + Quoted(plugin.version) + "\n";
  out += "sdk-abi = " + std::to_string(plugin.sdk_abi) + "\n";
  out += "libtorch = " + Quoted(plugin.libtorch) + "\n";
  out += "cxx-abi = " + Quoted(plugin.cxx_abi) + "\n";
  out += "abseil = " + Quoted(plugin.abseil) + "\n";
  out += "compiler = " + Quoted(plugin.compiler) + "\n";
  for (uint64_t i = 0; i < plugin.component_count; ++i) {
    const qatlas_component& component = plugin.components[i];
    out += "\n[[component]]\n";
    out += "kind = " + Quoted(KindName(component.kind)) + "\n";
    out += "name = " + Quoted(component.name) + "\n";
    out += "summary = " + Quoted(component.summary) + "\n";
    out += "citation = " + Quoted(component.citation) + "\n";
    out += "numerics = " + std::to_string(component.numerics_version) + "\n";
    out += "abilities = " + List(component.abilities) + "\n";
    for (uint64_t j = 0; j < component.option_count; ++j) {
      const qatlas_option& option = component.options[j];
      out += "\n[[component.option]]\n";
      out += "name = " + Quoted(option.name) + "\n";
      out += "type = " + Quoted(TypeName(option.type)) + "\n";
      if (option.default_value != nullptr) out += "default = " + Quoted(option.default_value) + "\n";
      if (!std::isnan(option.minimum)) out += "minimum = " + Number(option.minimum) + "\n";
      if (!std::isnan(option.maximum)) out += "maximum = " + Number(option.maximum) + "\n";
      if (option.choices != nullptr) out += "choices = " + List(option.choices) + "\n";
      out += "help = " + Quoted(option.help) + "\n";
    }
  }
  return out;
}

}  // namespace

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
  const std::string text = Manifest(*plugin, path.substr(path.find_last_of('/') + 1));
  const std::string temporary = std::string(argv[2]) + ".tmp";
  std::FILE* out = std::fopen(temporary.c_str(), "w");
  if (out == nullptr || std::fwrite(text.data(), 1, text.size(), out) != text.size() ||
      std::fclose(out) != 0 || std::rename(temporary.c_str(), argv[2]) != 0) {
    std::perror(argv[2]);
    return 1;
  }
  return 0;
}
