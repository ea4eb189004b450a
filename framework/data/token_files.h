// Files of token ids that others made.
#ifndef QATLAS_FRAMEWORK_DATA_TOKEN_FILES_H_
#define QATLAS_FRAMEWORK_DATA_TOKEN_FILES_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "framework/data/info.h"
#include "framework/data/progress.h"
#include "framework/data/source_spec.h"
#include "framework/data/token_store.h"

namespace qatlas::data {

// Maps one file. Formats:
//   npy   NumPy's format, versions 1 to 3: one dimension of little-endian uint16, uint32, int32 or
//   int64 llmc  llm.c's: 256 int32 of header (magic, version, tokens), then uint16 for magic
//   20240520 and
//         version 1, or uint32 for magic 20240801 and version 7
//   raw   nothing but ids of type `dtype` ("uint16", "uint32")
//   auto  npy or llmc by the first bytes, else raw
// Errors name the file: it cannot be read; its size is not what its header or type says (truncated,
// trailing bytes); a header of an unknown kind.
absl::StatusOr<TokenRun> OpenTokenFile(const std::filesystem::path& path, const std::string& format,
                                       const std::string& dtype);

struct TokenStreams {
  TokenStore train;
  TokenStore validation;
  std::string dtype;  // of the files, or "mixed"
};

// Maps all files. Without `validation_files` the validation stream is the tail of `files`, at least
// one token on each side. Errors: as OpenTokenFile(); no tokens.
absl::StatusOr<TokenStreams> OpenTokenStreams(
    const SourceSpec& spec, const std::vector<std::filesystem::path>& files,
    const std::vector<std::filesystem::path>& validation_files);

// Reads every id once and fills what `info` says of the tokens. Errors: an id below 0 or not below
// the vocabulary, with its file and position (counted in tokens from 0).
absl::Status CheckTokens(const TokenStreams& streams, int64_t vocabulary,
                         const ProgressCallback& progress, DataInfo* info);

}  // namespace qatlas::data

#endif  // QATLAS_FRAMEWORK_DATA_TOKEN_FILES_H_
