// Text files as a sequence of documents.
#ifndef QATLAS_FRAMEWORK_DATA_DOCUMENTS_H_
#define QATLAS_FRAMEWORK_DATA_DOCUMENTS_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace qatlas::data {

// Reads documents in order, holding one at a time. Gzip (dictzip too) is recognized by its first
// bytes; anything else is read as it is.
class DocumentReader {
 public:
  // An empty separator makes each file one document. A document never spans two files.
  DocumentReader(std::vector<std::filesystem::path> files, std::string separator);
  ~DocumentReader();
  DocumentReader(const DocumentReader&) = delete;
  DocumentReader& operator=(const DocumentReader&) = delete;

  // Gives the next document, raw bytes without the separator; false after the last one.
  // Errors: a file that cannot be read or whose compressed data is damaged or ends early.
  absl::StatusOr<bool> Next(std::string* document);

 private:
  absl::Status OpenNext();
  absl::Status ReadMore();
  absl::Status CloseFile();

  std::vector<std::filesystem::path> files_;
  std::string separator_;
  size_t next_file_ = 0;
  void* file_ = nullptr;  // gzFile
  bool at_end_ = false;   // of the open file
  std::string buffer_;
  size_t begin_ = 0;     // of the current document in buffer_
  size_t searched_ = 0;  // no separator starts in [begin_, searched_)
};

// Replaces each byte that is not part of valid UTF-8 (RFC 3629: no overlong forms, no surrogates,
// nothing above U+10FFFF) by U+FFFD. Returns how many there were.
int64_t RepairUtf8(std::string* text);

// Bytes between the first and the last that are not ASCII white space.
int64_t TrimmedSize(std::string_view text);

// Cuts text into pieces of at most `limit` bytes (at least 4), before white space where there is
// some in the last half of a piece and else between two characters. Joined they are the text.
std::vector<std::string_view> CutText(std::string_view text, size_t limit);

}  // namespace qatlas::data

#endif  // QATLAS_FRAMEWORK_DATA_DOCUMENTS_H_
