#include "sdk/manifest/manifest_text.h"

#include <cmath>
#include <cstdio>

#include "qatlas/kinds.h"

namespace qatlas {
namespace {

std::string Quoted(const char* text) {
  std::string result = "\"";
  for (const char* c = text == nullptr ? "" : text; *c != '\0'; ++c) {
    if (*c == '"' || *c == '\\') {
      result += '\\';
      result += *c;
    } else if (static_cast<unsigned char>(*c) < 0x20 || *c == 0x7f) {
      char escaped[8];
      std::snprintf(escaped, sizeof(escaped), "\\u%04X", static_cast<unsigned>(*c));
      result += *c == '\n' ? "\\n" : escaped;
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

// Of a kind or type that the SDK has no word for.
const char* OrUnknown(const char* word) { return word == nullptr ? "unknown" : word; }

}  // namespace

std::string ManifestText(const qatlas_descriptor& plugin, const std::string& library) {
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
    out += "kind = " + Quoted(OrUnknown(KindWord(component.kind))) + "\n";
    out += "name = " + Quoted(component.name) + "\n";
    out += "summary = " + Quoted(component.summary) + "\n";
    out += "citation = " + Quoted(component.citation) + "\n";
    out += "numerics = " + std::to_string(component.numerics_version) + "\n";
    out += "abilities = " + List(component.abilities) + "\n";
    for (uint64_t j = 0; j < component.option_count; ++j) {
      const qatlas_option& option = component.options[j];
      out += "\n[[component.option]]\n";
      out += "name = " + Quoted(option.name) + "\n";
      out += "type = " + Quoted(OrUnknown(OptionTypeWord(option.type))) + "\n";
      if (option.default_value != nullptr)
        out += "default = " + Quoted(option.default_value) + "\n";
      if (!std::isnan(option.minimum)) out += "minimum = " + Number(option.minimum) + "\n";
      if (!std::isnan(option.maximum)) out += "maximum = " + Number(option.maximum) + "\n";
      if (option.choices != nullptr) out += "choices = " + List(option.choices) + "\n";
      out += "help = " + Quoted(option.help) + "\n";
    }
  }
  return out;
}

}  // namespace qatlas
