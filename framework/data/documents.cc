#include "framework/data/documents.h"

#include <errno.h>
#include <zlib.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace qatlas::data {
namespace {

constexpr size_t kReadBytes = size_t{1} << 20;

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

gzFile Handle(void* file) { return static_cast<gzFile>(file); }

bool IsContinuation(unsigned char c) { return (c & 0xC0) == 0x80; }

// Length of the valid character that starts at `at`; 0 if there is none.
size_t CharacterLength(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const size_t left = text.size() - at;
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (left < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if (!IsContinuation(byte(i))) return 0;
  }
  if (lead == 0xE0 && byte(1) < 0xA0) return 0;  // overlong
  if (lead == 0xED && byte(1) > 0x9F) return 0;  // surrogate
  if (lead == 0xF0 && byte(1) < 0x90) return 0;  // overlong
  if (lead == 0xF4 && byte(1) > 0x8F) return 0;  // above U+10FFFF
  return length;
}

}  // namespace

DocumentReader::DocumentReader(std::vector<std::filesystem::path> files, std::string separator)
    : files_(std::move(files)), separator_(std::move(separator)) {}

DocumentReader::~DocumentReader() {
  if (file_ != nullptr) ::gzclose_r(Handle(file_));
}

absl::Status DocumentReader::OpenNext() {
  const std::filesystem::path& path = files_[next_file_++];
  errno = 0;
  file_ = ::gzopen(path.c_str(), "rb");
  if (file_ == nullptr) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path.string()));
  }
  ::gzbuffer(Handle(file_), 1 << 17);
  at_end_ = false;
  buffer_.clear();
  begin_ = searched_ = 0;
  return absl::OkStatus();
}

absl::Status DocumentReader::ReadMore() {
  buffer_.erase(0, begin_);
  searched_ -= begin_;
  begin_ = 0;
  const size_t had = buffer_.size();
  buffer_.resize(had + kReadBytes);
  errno = 0;
  const int got = ::gzread(Handle(file_), buffer_.data() + had, kReadBytes);
  const int system_error = errno;
  buffer_.resize(had + (got > 0 ? static_cast<size_t>(got) : 0));
  int error = Z_OK;
  const std::string message = ::gzerror(Handle(file_), &error);
  if (got >= 0 && (error == Z_OK || error == Z_STREAM_END)) {
    at_end_ = got == 0;
    return absl::OkStatus();
  }
  const std::string path = files_[next_file_ - 1].string();
  if (error == Z_ERRNO) {
    return absl::ErrnoToStatus(system_error, absl::StrCat("cannot read ", path));
  }
  if (error == Z_BUF_ERROR) {
    return absl::DataLossError(absl::StrCat(path, " is truncated: its compressed data ends early"));
  }
  return absl::DataLossError(absl::StrCat(path, " is damaged: ", message));
}

absl::Status DocumentReader::CloseFile() {
  const int error = ::gzclose_r(Handle(std::exchange(file_, nullptr)));
  if (error == Z_OK) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(files_[next_file_ - 1].string(),
                                          " is truncated: its compressed data ends early"));
}

absl::StatusOr<bool> DocumentReader::Next(std::string* document) {
  for (;;) {
    if (file_ == nullptr) {
      if (next_file_ == files_.size()) return false;
      if (absl::Status s = OpenNext(); !s.ok()) return s;
    }
    if (!separator_.empty()) {
      const size_t found = buffer_.find(separator_, searched_);
      if (found != std::string::npos) {
        document->assign(buffer_, begin_, found - begin_);
        begin_ = searched_ = found + separator_.size();
        return true;
      }
      // A separator may have begun in the last bytes.
      const size_t safe = separator_.size() - 1;
      if (buffer_.size() > begin_ + safe) searched_ = buffer_.size() - safe;
    } else {
      searched_ = buffer_.size();
    }
    if (at_end_) {
      document->assign(buffer_, begin_);
      if (absl::Status s = CloseFile(); !s.ok()) return s;
      return true;
    }
    if (absl::Status s = ReadMore(); !s.ok()) return s;
  }
}

int64_t RepairUtf8(std::string* text) {
  size_t at = 0;
  while (at < text->size()) {
    const size_t length = CharacterLength(*text, at);
    if (length == 0) break;
    at += length;
  }
  if (at == text->size()) return 0;

  int64_t replaced = 0;
  std::string repaired(*text, 0, at);
  while (at < text->size()) {
    const size_t length = CharacterLength(*text, at);
    if (length == 0) {
      repaired += "\xEF\xBF\xBD";
      ++replaced;
      ++at;
    } else {
      repaired.append(*text, at, length);
      at += length;
    }
  }
  *text = std::move(repaired);
  return replaced;
}

int64_t TrimmedSize(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  return static_cast<int64_t>(text.size());
}

std::vector<std::string_view> CutText(std::string_view text, size_t limit) {
  std::vector<std::string_view> pieces;
  while (text.size() > limit) {
    size_t cut = limit;
    // Before the first blank of a run: pieces of the vocabulary may hold several blanks.
    while (cut > limit / 2 && !(IsSpace(text[cut]) && !IsSpace(text[cut - 1]))) --cut;
    if (cut <= limit / 2) {
      cut = limit;
      while (cut > limit - 4 && IsContinuation(static_cast<unsigned char>(text[cut]))) --cut;
    }
    pieces.push_back(text.substr(0, cut));
    text.remove_prefix(cut);
  }
  if (!text.empty()) pieces.push_back(text);
  return pieces;
}

}  // namespace qatlas::data
