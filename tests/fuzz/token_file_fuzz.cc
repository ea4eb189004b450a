// Token files. The first byte chooses the format that the recipe names, the rest is the file.
#include "framework/data/token_files.h"
#include "tests/fuzz/fuzz.h"

using namespace qatlas;

int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size < 1) return 0;
  static constexpr const char* kFormats[] = {"auto", "raw", "llmc", "npy"};
  data::SourceSpec spec;
  spec.kind = data::SourceKind::kTokens;
  spec.tokens.format = kFormats[bytes[0] % 4];
  spec.tokens.dtype = (bytes[0] & 4) != 0 ? "uint32" : "uint16";
  spec.validation_fraction = .25;
  const fuzz::MemoryFile file(fuzz::Text(bytes + 1, size - 1));
  const auto streams = data::OpenTokenStreams(spec, {file.path()}, {});
  if (!streams.ok()) {
    fuzz::CheckRefusal(streams.status());
    return 0;
  }
  const int64_t total = streams->train.size() + streams->validation.size();
  QATLAS_FUZZ_CHECK(streams->train.size() > 0 && streams->validation.size() > 0, "an empty stream");
  QATLAS_FUZZ_CHECK(total <= static_cast<int64_t>(size), "more tokens than bytes");
  data::DataInfo info;
  const absl::Status status = data::CheckTokens(*streams, 256, {}, &info);
  if (!status.ok()) fuzz::CheckRefusal(status);
  return 0;
}
