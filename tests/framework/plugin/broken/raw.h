// A plugin whose descriptor is written by hand, so that it may lie.
#ifndef QATLAS_TESTS_FRAMEWORK_PLUGIN_BROKEN_RAW_H_
#define QATLAS_TESTS_FRAMEWORK_PLUGIN_BROKEN_RAW_H_

#include <qatlas/component.h>
#include <qatlas/scheme.h>

namespace raw {

inline absl::StatusOr<std::unique_ptr<qatlas::Scheme>> Refuse(const qatlas::Options&) {
  return absl::InternalError("the factory of a broken plugin was called");
}

}  // namespace raw

// Defines the entry point of plugin NAME with one scheme of the same name.
#define RAW_PLUGIN(plugin_name, magic, abi, size, libtorch)                                       \
  extern "C" __attribute__((visibility("default"))) const qatlas_descriptor* qatlas_plugin() {    \
    static const qatlas_component component = {                                                   \
        QATLAS_KIND_SCHEME,                                                                       \
        1,                                                                                        \
        plugin_name,                                                                              \
        "Broken on purpose",                                                                      \
        "",                                                                                       \
        qatlas::kNoAbilities,                                                                     \
        nullptr,                                                                                  \
        0,                                                                                        \
        reinterpret_cast<void (*)()>(static_cast<qatlas::Factory<qatlas::Scheme>>(raw::Refuse))}; \
    static const qatlas_descriptor descriptor = {                                                 \
        magic,  abi,         size,    libtorch, QATLAS_CXX_ABI, QATLAS_ABSEIL,                    \
        "test", plugin_name, "1.0.0", 1,        &component};                                      \
    return &descriptor;                                                                           \
  }

#endif  // QATLAS_TESTS_FRAMEWORK_PLUGIN_BROKEN_RAW_H_
