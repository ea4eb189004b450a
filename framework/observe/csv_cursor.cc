#include "framework/observe/csv_cursor.h"

namespace qatlas::observe {

void CsvCursor::PassLineEnd() {
  if (at_ >= text_.size()) return;
  if (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n') ++at_;
  ++at_;
  ++line_;
  line_begin_ = at_;
}

bool CsvCursor::NextRecord() {
  while (at_ < text_.size() && AtLineEnd()) PassLineEnd();
  return at_ < text_.size();
}

CsvCursor::Field CsvCursor::NextField() {
  Field field;
  field.line = line_;
  field.column = static_cast<int64_t>(at_ - line_begin_) + 1;
  if (at_ < text_.size() && text_[at_] == '"') {
    ++at_;
    unquoted_.clear();
    bool closed = false;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        if (at_ < text_.size() && text_[at_] == '"') {
          unquoted_.push_back('"');
          ++at_;
          continue;
        }
        closed = true;
        break;
      }
      if (c == '\n' || c == '\r') {
        const size_t begin = at_;
        PassLineEnd();
        unquoted_.append(text_.data() + begin, at_ - begin);
        continue;
      }
      unquoted_.push_back(c);
      ++at_;
    }
    if (!closed) field.problem = "the quote that begins here never ends";
    const size_t rest = at_;
    while (!AtLineEnd() && text_[at_] != separator_) ++at_;
    if (at_ != rest) {
      field.problem =
          "text after the closing quote (a quote inside a quoted field is written \"\")";
    }
    field.text = unquoted_;
  } else {
    const size_t begin = at_;
    while (!AtLineEnd() && text_[at_] != separator_) {
      if (text_[at_] == '"') {
        field.problem = "a quote inside an unquoted field (quote the field and double the quote)";
      }
      ++at_;
    }
    field.text = text_.substr(begin, at_ - begin);
  }
  if (AtLineEnd()) {
    field.last = true;
    PassLineEnd();
  } else {
    ++at_;  // The separator.
  }
  return field;
}

}  // namespace qatlas::observe
