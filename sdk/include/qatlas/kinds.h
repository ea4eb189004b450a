// Words for the kinds of components and the types of options, as manifests and messages have them.
#ifndef QATLAS_KINDS_H_
#define QATLAS_KINDS_H_

#include "qatlas/abi.h"

namespace qatlas {

// "law", "scheme", "quantizer" or "model" of a QATLAS_KIND_*; null: no kind that is known here.
constexpr const char* KindWord(int kind) {
  switch (kind) {
    case QATLAS_KIND_LAW:
      return "law";
    case QATLAS_KIND_SCHEME:
      return "scheme";
    case QATLAS_KIND_QUANTIZER:
      return "quantizer";
    case QATLAS_KIND_MODEL:
      return "model";
    default:
      return nullptr;
  }
}

// "bool", "int", "float", "string" or "table" of a QATLAS_OPTION_*; null: none that is known here.
constexpr const char* OptionTypeWord(int type) {
  switch (type) {
    case QATLAS_OPTION_BOOL:
      return "bool";
    case QATLAS_OPTION_INT:
      return "int";
    case QATLAS_OPTION_FLOAT:
      return "float";
    case QATLAS_OPTION_STRING:
      return "string";
    case QATLAS_OPTION_TABLE:
      return "table";
    default:
      return nullptr;
  }
}

// What a value of the type must be, for messages: "… must be a whole number".
constexpr const char* OptionTypeWanted(int type) {
  switch (type) {
    case QATLAS_OPTION_BOOL:
      return "true or false";
    case QATLAS_OPTION_INT:
      return "a whole number";
    case QATLAS_OPTION_FLOAT:
      return "a number";
    case QATLAS_OPTION_STRING:
      return "text";
    case QATLAS_OPTION_TABLE:
      return "a table";
    default:
      return "of an unknown type";
  }
}

}  // namespace qatlas

#endif  // QATLAS_KINDS_H_
