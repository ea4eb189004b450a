// A column of texts, each distinct text stored once.
#ifndef QATLAS_FRAMEWORK_OBSERVE_TEXT_COLUMN_H_
#define QATLAS_FRAMEWORK_OBSERVE_TEXT_COLUMN_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/strings/string_view.h>

namespace qatlas::observe {

// Texts as codes into a dictionary: schemes and models repeat, and comparing codes is comparing
// texts. The empty text stands for a missing one.
class TextColumn {
 public:
  TextColumn() = default;
  TextColumn(const TextColumn& other) { *this = other; }
  TextColumn& operator=(const TextColumn& other);
  TextColumn(TextColumn&&) = default;
  TextColumn& operator=(TextColumn&&) = default;

  size_t size() const { return codes_.size(); }
  // Stays valid while the column lives; the column may grow meanwhile.
  absl::string_view operator[](size_t row) const { return words_[codes_[row]]; }
  uint32_t code(size_t row) const { return codes_[row]; }
  const std::vector<uint32_t>& codes() const { return codes_; }
  // Distinct texts in the order in which they first came; code i is words()[i].
  const std::deque<std::string>& words() const { return words_; }
  std::optional<uint32_t> FindCode(absl::string_view text) const;

  void Reserve(size_t rows) { codes_.reserve(rows); }
  void Append(absl::string_view text) { codes_.push_back(Intern(text)); }
  void Set(size_t row, absl::string_view text) { codes_[row] = Intern(text); }
  // Appends `count` missing texts.
  void AppendMissing(size_t count);

 private:
  uint32_t Intern(absl::string_view text);

  std::vector<uint32_t> codes_;
  std::deque<std::string> words_;  // A deque: the index's keys point into it.
  absl::flat_hash_map<absl::string_view, uint32_t> index_;
};

}  // namespace qatlas::observe

#endif  // QATLAS_FRAMEWORK_OBSERVE_TEXT_COLUMN_H_
