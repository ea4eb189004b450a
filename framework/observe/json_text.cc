#include "framework/observe/json_text.h"

namespace qatlas::observe {
namespace {

constexpr int kNesting = 100;

}  // namespace

std::optional<JsonProblem> TooDeep(absl::string_view text) {
  int level = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      if (++level > kNesting) return JsonProblem{i + 1, "this JSON is nested too deeply"};
    } else if (c == '}' || c == ']') {
      --level;
    }
  }
  return std::nullopt;
}

}  // namespace qatlas::observe
