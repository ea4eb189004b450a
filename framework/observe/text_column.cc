#include "framework/observe/text_column.h"

namespace qatlas::observe {

TextColumn& TextColumn::operator=(const TextColumn& other) {
  if (this == &other) return *this;
  codes_ = other.codes_;
  words_ = other.words_;
  index_.clear();
  index_.reserve(words_.size());
  for (size_t code = 0; code < words_.size(); ++code) {
    index_.emplace(words_[code], static_cast<uint32_t>(code));
  }
  return *this;
}

std::optional<uint32_t> TextColumn::FindCode(absl::string_view text) const {
  const auto found = index_.find(text);
  if (found == index_.end()) return std::nullopt;
  return found->second;
}

void TextColumn::AppendMissing(size_t count) {
  if (count > 0) codes_.insert(codes_.end(), count, Intern(""));
}

uint32_t TextColumn::Intern(absl::string_view text) {
  const auto found = index_.find(text);
  if (found != index_.end()) return found->second;
  const uint32_t code = static_cast<uint32_t>(words_.size());
  words_.emplace_back(text.data(), text.size());
  index_.emplace(words_.back(), code);
  return code;
}

}  // namespace qatlas::observe
