// Walks over the fields of CSV text, keeping lines and columns for messages.
#ifndef QATLAS_FRAMEWORK_OBSERVE_CSV_CURSOR_H_
#define QATLAS_FRAMEWORK_OBSERVE_CSV_CURSOR_H_

#include <cstdint>
#include <string>

#include <absl/strings/string_view.h>

namespace qatlas::observe {

class CsvCursor {
 public:
  struct Field {
    absl::string_view text;  // Unquoted; valid until the next call.
    int64_t line = 1;        // Where the field begins, both from 1; columns in bytes.
    int64_t column = 1;
    bool last = false;              // Last field of its record.
    const char* problem = nullptr;  // What is wrong with its quotes, or nullptr.
  };

  CsvCursor(absl::string_view text, char separator) : text_(text), separator_(separator) {}

  // Passes over blank lines; false at the end of the text. Call before each record.
  bool NextRecord();
  // The next field of the record.
  Field NextField();
  int64_t line() const { return line_; }

 private:
  bool AtLineEnd() const { return at_ >= text_.size() || text_[at_] == '\n' || text_[at_] == '\r'; }
  // Passes over "\n", "\r\n" or a lone "\r".
  void PassLineEnd();

  absl::string_view text_;
  char separator_;
  size_t at_ = 0;
  size_t line_begin_ = 0;
  int64_t line_ = 1;
  std::string unquoted_;
};

}  // namespace qatlas::observe

#endif  // QATLAS_FRAMEWORK_OBSERVE_CSV_CURSOR_H_
