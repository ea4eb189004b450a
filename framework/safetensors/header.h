// The header of a file in the safetensors format (https://github.com/huggingface/safetensors): 8
// bytes with the length of a JSON text, the text, the bytes of the tensors. Everything that such a
// file says of itself is checked here, without LibTorch.
#ifndef QATLAS_FRAMEWORK_SAFETENSORS_HEADER_H_
#define QATLAS_FRAMEWORK_SAFETENSORS_HEADER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace qatlas::safetensors {

// Bytes of an element of a dtype of the format ("F32", "BF16", "I64", ...); 0 where there is none
// of this name.
int BytesOfElement(absl::string_view dtype);

// Where one tensor lies.
struct Entry {
  std::string dtype;           // as the file has it; BytesOfElement() of it is above 0
  std::vector<int64_t> shape;  // empty: a scalar
  uint64_t begin = 0;          // bytes from the start of the file
  uint64_t end = 0;
};

struct Header {
  std::map<std::string, Entry> tensors;         // by name
  std::map<std::string, std::string> metadata;  // "__metadata__"
};

// Reads and checks the header of a whole file: types, shapes, and that the tensors' bytes cover the
// rest of the file without gap or overlap. Errors (InvalidArgument, without the file's name): too
// short, truncated, a header of more than 100 MB (the reference implementation's limit) or that is
// no JSON, an unknown dtype, an offset out of range, a name that occurs twice, bytes that belong to
// no tensor.
absl::StatusOr<Header> ReadHeader(absl::string_view file);

}  // namespace qatlas::safetensors

#endif  // QATLAS_FRAMEWORK_SAFETENSORS_HEADER_H_
