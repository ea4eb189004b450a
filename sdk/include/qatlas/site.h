// Sites: the quantizable tensors of a model, and the patterns that schemes name them with.
#ifndef QATLAS_SITE_H_
#define QATLAS_SITE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace qatlas {

inline constexpr char kWeight[] = "weight";  // operand
inline constexpr char kInput[] = "input";  // operand

// One quantizable tensor of a linear layer. Written "<block>.<role>.<operand>", with an expert as
// "<block>.<role>.e<expert>.<operand>": "3.fc2.input", "0.fc1.e5.weight".
struct Site {
  int block = 0;        // index of the transformer block, from 0
  std::string role;     // "qkv", "o", "fc1" (gate and up), "fc2"; more for other models
  std::string operand;  // "weight", "input"; open to "kv" and other matrix products
  int expert = -1;      // index of the expert; -1 where there is none

  std::string Name() const {  // "3.fc2.input", "3.fc2.e5.input"
    if (expert < 0) return absl::StrCat(block, ".", role, ".", operand);
    return absl::StrCat(block, ".", role, ".e", expert, ".", operand);
  }
};

// A pattern over site names, part by part: "*" matches any part, "a,b" in braces any of several
// ("*.{fc1,fc2}.weight"), "2-5" a range of blocks. A lone "*" matches every site; a pattern of three parts
// matches all experts. Errors name the part that cannot be read.
class SitePattern {
 public:
  static absl::StatusOr<SitePattern> Parse(absl::string_view text) {  // refused: what is no pattern
    SitePattern pattern;
    pattern.text_ = std::string(text);
    if (text == "*") return pattern;
    std::vector<std::string> parts = absl::StrSplit(text, '.');
    if (parts.size() != 3 && parts.size() != 4) {
      return absl::InvalidArgumentError(
          absl::StrCat("site pattern '", text,
                       "' must be '*' or '<block>.<role>.<operand>', such as '*.fc2.input'"));
    }
    for (std::string& part : parts) {
      if (part.empty()) {
        return absl::InvalidArgumentError(absl::StrCat("site pattern '", text, "' has an empty part"));
      }
      std::vector<std::string> alternatives;
      if (part.front() == '{') {
        if (part.back() != '}') {
          return absl::InvalidArgumentError(
              absl::StrCat("site pattern '", text, "': '", part, "' lacks its closing brace"));
        }
        alternatives = absl::StrSplit(part.substr(1, part.size() - 2), ',');
      } else {
        alternatives = {part};
      }
      pattern.parts_.push_back(std::move(alternatives));
    }
    return pattern;
  }

  bool Matches(const Site& site) const {  // whether it is one of them
    if (parts_.empty()) return true;
    if (!MatchesBlock(parts_[0], site.block)) return false;
    if (!MatchesName(parts_[1], site.role)) return false;
    if (parts_.size() == 4) {
      if (site.expert < 0 || !MatchesName(parts_[2], absl::StrCat("e", site.expert))) return false;
    }
    return MatchesName(parts_.back(), site.operand);
  }

  const std::string& text() const { return text_; }  // as parsed

 private:
  static bool MatchesName(const std::vector<std::string>& alternatives, absl::string_view name) {
    for (const std::string& alternative : alternatives) {
      if (alternative == "*" || alternative == name) return true;
    }
    return false;
  }
  static bool MatchesBlock(const std::vector<std::string>& alternatives, int block) {
    for (const std::string& alternative : alternatives) {
      if (alternative == "*" || alternative == absl::StrCat(block)) return true;
      std::vector<std::string> ends = absl::StrSplit(alternative, '-');
      int first = 0;
      int last = 0;
      if (ends.size() == 2 && absl::SimpleAtoi(ends[0], &first) && absl::SimpleAtoi(ends[1], &last) &&
          first <= block && block <= last) {
        return true;
      }
    }
    return false;
  }

  std::string text_;
  std::vector<std::vector<std::string>> parts_;
};

}  // namespace qatlas

#endif  // QATLAS_SITE_H_
