// Text to shards: split by document, train a tokenizer on training documents, tokenize.
#ifndef QATLAS_FRAMEWORK_DATA_TEXT_H_
#define QATLAS_FRAMEWORK_DATA_TEXT_H_

#include <cstdint>
#include <filesystem>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "framework/data/info.h"
#include "framework/data/progress.h"
#include "framework/data/source_spec.h"

namespace qatlas::data {

// Which of `documents` documents are for validation: the `count` whose hash of (seed, index) is the
// smallest, in [0, documents). Every index below `documents` is asked for once.
std::vector<bool> ChooseDocuments(int64_t documents, int64_t count, uint64_t seed);

// Documents for validation under spec's count or share, at least one on each side. Errors: no
// document, one document, a count that leaves none for training.
absl::StatusOr<int64_t> ValidationDocuments(const SourceSpec& spec, int64_t documents);

// Writes train.bin, validation.bin and tokenizer.model into `folder` and fills what `info` says of
// them. Each document is followed by an end-of-document token. Peak memory is the tokenizer's
// sample and a few megabytes of documents (or the longest document), whatever the size of the
// corpus. The result does not depend on the number of threads. Errors: see Prepare().
absl::Status PrepareText(const SourceSpec& spec, const std::vector<std::filesystem::path>& files,
                         const std::filesystem::path& folder, const ProgressCallback& progress,
                         DataInfo* info);

}  // namespace qatlas::data

#endif  // QATLAS_FRAMEWORK_DATA_TEXT_H_
