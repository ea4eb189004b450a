// Headers of safetensors files. The first 8 bytes of such a file are the header's length, which an
// input that grows keeps getting wrong: here they are two, and the tensors' bytes are zeros whose
// number follows in two more.
#include <cstring>

#include "framework/safetensors/header.h"
#include "tests/fuzz/fuzz.h"

using namespace qatlas;

namespace {

void Read(absl::string_view file) {
  const auto header = safetensors::ReadHeader(file);
  if (!header.ok()) {
    fuzz::CheckRefusal(header.status());
    return;
  }
  for (const auto& [name, entry] : header->tensors) {
    QATLAS_FUZZ_CHECK(entry.begin <= entry.end && entry.end <= file.size(), name);
    uint64_t bytes = safetensors::BytesOfElement(entry.dtype);
    QATLAS_FUZZ_CHECK(bytes > 0, name);
    for (const int64_t size : entry.shape) bytes *= static_cast<uint64_t>(size);
    QATLAS_FUZZ_CHECK(bytes == entry.end - entry.begin, name);
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Read(fuzz::Text(data, size));
  if (size < 2) return 0;
  uint16_t zeros = 0;
  std::memcpy(&zeros, data, 2);
  const uint64_t length = size - 2;
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  absl::StrAppend(&file, fuzz::Text(data + 2, size - 2), std::string(zeros % 4096, '\0'));
  Read(file);
  return 0;
}
