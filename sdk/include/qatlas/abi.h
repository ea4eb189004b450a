// The plain-C side of a plugin: what the host reads before it trusts anything else in the library.
//
// A plugin exports one function, `qatlas_plugin`, that returns a pointer to a constant descriptor. The
// host compares every field of the handshake before it calls a factory. No field here has a C++ type,
// so that a library built against another standard library, Abseil or LibTorch can still be read and
// refused with a message that names both sides.
#ifndef QATLAS_ABI_H_
#define QATLAS_ABI_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// "QATLAS01", little-endian. A library without it is not a plugin of ours.
#define QATLAS_MAGIC 0x313053414C544151ull
// Raised whenever a layout or a virtual table in the SDK changes; see docs/versioning.md.
#define QATLAS_SDK_ABI 4
#define QATLAS_ENTRY_POINT "qatlas_plugin"  // the one symbol that a plugin exports

// Kinds of component. Values are part of the ABI.
enum qatlas_kind {
  QATLAS_KIND_LAW = 1,
  QATLAS_KIND_SCHEME = 2,
  QATLAS_KIND_QUANTIZER = 3,
  QATLAS_KIND_MODEL = 4
};

// Types of option. Values are part of the ABI.
enum qatlas_option_type {
  QATLAS_OPTION_BOOL = 1,
  QATLAS_OPTION_INT = 2,     // 64-bit signed
  QATLAS_OPTION_FLOAT = 3,   // double
  QATLAS_OPTION_STRING = 4,  // any text, or one of `choices` where these are given
  QATLAS_OPTION_TABLE = 5    // a table whose keys another component declares (a scheme's `options`)
};

typedef struct qatlas_option {  // An option of a component.
  const char* name;           // kebab or snake case, as written in a recipe
  int32_t type;               // qatlas_option_type
  const char* default_value;  // as it would stand in TOML ("4", "0.1", "true", "group"); NULL: required
  double minimum;             // inclusive; NaN: none
  double maximum;             // inclusive; NaN: none
  const char* const* choices; // NULL-terminated list of accepted strings; NULL: any
  const char* help;           // one sentence, with the unit where there is one
} qatlas_option;

typedef struct qatlas_component {  // A component of a plugin.
  int32_t kind;               // qatlas_kind
  uint32_t numerics_version;  // raised when results change; part of a segment's identity
  const char* name;           // what a recipe writes after `use =`
  const char* summary;        // one line
  const char* citation;       // paper and equation, or "" where there is none
  const char* const* abilities;  // NULL-terminated, see the header of the component's kind
  const qatlas_option* options;  // [option_count]
  uint64_t option_count;  // length of options
  void (*factory)(void);      // cast by the host to the factory type of the kind
} qatlas_component;

typedef struct qatlas_descriptor {  // What a plugin offers and was built for.
  uint64_t magic;             // QATLAS_MAGIC
  uint32_t sdk_abi;           // QATLAS_SDK_ABI
  uint32_t size;              // sizeof(qatlas_descriptor) at the plugin's build
  const char* libtorch;       // version of LibTorch ("2.11.0"), or "" where it is not used
  const char* cxx_abi;        // "libstdc++/cxx11/gxx-abi-1017"-like; see QATLAS_CXX_ABI
  const char* abseil;         // LTS release ("20220623"), or "head"
  const char* compiler;       // for messages only
  const char* name;           // of the plugin: unique among those that are loaded
  const char* version;        // the author's own, semantic
  uint64_t component_count;  // length of components
  const qatlas_component* components;  // [component_count]
} qatlas_descriptor;

typedef const qatlas_descriptor* (*qatlas_entry_point)(void);  // its type

#ifdef __cplusplus
}
#endif
#endif  // QATLAS_ABI_H_
