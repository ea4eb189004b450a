// JSON that others wrote.
#ifndef QATLAS_FRAMEWORK_OBSERVE_JSON_TEXT_H_
#define QATLAS_FRAMEWORK_OBSERVE_JSON_TEXT_H_

#include <cstddef>
#include <optional>
#include <string>

#include <absl/strings/string_view.h>

namespace qatlas::observe {

struct JsonProblem {  // What is wrong, and where.
  size_t byte = 0;    // counted from 1
  std::string what;   // "this is no JSON"
};

// The first bracket that opens a 101st level; nullopt where there is none. Copying, writing and
// comparing JSON recurse, so that deeper texts would end the program.
std::optional<JsonProblem> TooDeep(absl::string_view text);

// Parses into an nlohmann::json or ordered_json. What is wrong: no JSON, a number beyond the range
// of doubles, more than 100 levels.
template <typename Json>
std::optional<JsonProblem> ParseJson(absl::string_view text, Json* json) {
  if (auto problem = TooDeep(text)) return problem;
  try {
    *json = Json::parse(text.begin(), text.end());
  } catch (const typename Json::parse_error& error) {
    return JsonProblem{error.byte, "this is no JSON"};
  } catch (const typename Json::out_of_range&) {
    return JsonProblem{1, "this holds a number that is too large"};
  }
  return std::nullopt;
}

}  // namespace qatlas::observe

#endif  // QATLAS_FRAMEWORK_OBSERVE_JSON_TEXT_H_
