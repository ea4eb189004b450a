// Registration: turns C++ classes into the descriptor that a plugin exports.
//
// A component class of kind K (LawForm, Scheme, Quantizer, ModelBuilder) offers
//   static constexpr ComponentInfo kInfo = {...};
//   static absl::StatusOr<std::unique_ptr<K>> Create(const Options& options);
// (a LawFormula without options has the latter already) and the plugin's register.cc holds one line:
//   QATLAS_PLUGIN("int", "1.0.0", qatlas::Component<IntQuantizer>())
#ifndef QATLAS_COMPONENT_H_
#define QATLAS_COMPONENT_H_

#include <exception>
#include <iterator>
#include <memory>
#include <type_traits>

#include "absl/base/config.h"
#include "absl/base/options.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "qatlas/abi.h"
#include "qatlas/options.h"

#define QATLAS_STRINGIZE_INNER(x) #x  // of QATLAS_STRINGIZE
#define QATLAS_STRINGIZE(x) QATLAS_STRINGIZE_INNER(x)  // its text, macros expanded

#if defined(__GLIBCXX__)
// libstdc++'s ABI, not the compiler's brand: clang++ and g++ agree when these do.
#define QATLAS_CXX_ABI "libstdc++/dual-abi-" QATLAS_STRINGIZE(_GLIBCXX_USE_CXX11_ABI)
#else
#define QATLAS_CXX_ABI "other"  // of the C++ library, not the compiler
#endif
#define QATLAS_ABSEIL QATLAS_STRINGIZE(ABSL_LTS_RELEASE_VERSION)  // release of Abseil
#ifdef __clang__
#define QATLAS_COMPILER "clang++ " __clang_version__  // for messages
#else
#define QATLAS_COMPILER "g++ " __VERSION__  // for messages
#endif

namespace qatlas {

// What a component says of itself; see qatlas_component for the fields.
struct ComponentInfo {
  const char* name;  // as recipes name it
  const char* summary;  // one line
  const char* citation;  // paper, arXiv number
  uint32_t numerics_version = 1;  // raised when results change
  const char* const* abilities = nullptr;  // NULL-terminated; nullptr for none
  const qatlas_option* options = nullptr;  // [option_count]
  uint64_t option_count = 0;  // length of options
};

// A factory as the host calls it. Never throws: Component<T> catches what Create throws.
template <typename Kind>
using Factory = absl::StatusOr<std::unique_ptr<Kind>> (*)(const Options&);

inline constexpr const char* kNoAbilities[] = {nullptr};  // for components without any

// Describes component class T. T::Base names its kind; T::Base::kKind is the number of the kind.
template <typename T>
qatlas_component Component() {
  using Kind = typename T::Base;
  Factory<Kind> factory = [](const Options& options) -> absl::StatusOr<std::unique_ptr<Kind>> {
    try {
      return T::Create(options);
    } catch (const std::exception& e) {
      return absl::InternalError(absl::StrCat(T::kInfo.name, ": its factory threw: ", e.what()));
    } catch (...) {
      return absl::InternalError(absl::StrCat(T::kInfo.name, ": its factory threw"));
    }
  };
  const ComponentInfo& info = T::kInfo;
  return {Kind::kKind,
          info.numerics_version,
          info.name,
          info.summary,
          info.citation,
          info.abilities != nullptr ? info.abilities : kNoAbilities,
          info.options,
          info.option_count,
          reinterpret_cast<void (*)()>(factory)};
}

}  // namespace qatlas

#ifndef QATLAS_TORCH_VERSION
#define QATLAS_TORCH_VERSION ""  // LibTorch that it was built with
#endif

// QATLAS_PLUGIN(name, version, components...): defines the entry point. Nothing runs before the host
// calls it: no static constructor does work.
#define QATLAS_PLUGIN(plugin_name, plugin_version, ...)                                            \
  extern "C" __attribute__((visibility("default"))) const qatlas_descriptor* qatlas_plugin() {     \
    static const qatlas_component components[] = {__VA_ARGS__};                                    \
    static const qatlas_descriptor descriptor = {QATLAS_MAGIC,                                     \
                                                 QATLAS_SDK_ABI,                                   \
                                                 sizeof(qatlas_descriptor),                        \
                                                 QATLAS_TORCH_VERSION,                             \
                                                 QATLAS_CXX_ABI,                                   \
                                                 QATLAS_ABSEIL,                                    \
                                                 QATLAS_COMPILER,                                  \
                                                 plugin_name,                                      \
                                                 plugin_version,                                   \
                                                 std::size(components),                            \
                                                 components};                                      \
    return &descriptor;                                                                            \
  }

#endif  // QATLAS_COMPONENT_H_
